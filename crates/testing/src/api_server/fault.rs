//! What can be made to go wrong.

use std::time::Duration;

use super::{
    calls::Call,
    refusal::{Answer, Refusal},
};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 429 as a `Status`, with `details.retryAfterSeconds` and `Retry-After`.
    Throttled {
        /// Whole seconds.
        retry_after: Duration,
    },
    /// 429 as priority and fairness answers: plain text, only the header says how long.
    FlowControl {
        /// Whole seconds.
        retry_after: Duration,
    },
    /// 503
    Unavailable,
    /// Nothing is done and no answer comes until the caller gives up.
    Hang,
    /// It is done, and the answer waits until the faults are healed.
    AnswerHeld,
    /// It is done, and the connection breaks before the answer.
    AnswerLost,
    /// It is done, and the last characters of the answer are missing, so that it does not parse.
    AnswerGarbled,
}

/// Which calls; what is not set matches all.
#[derive(Clone, Debug, Default)]
pub struct On {
    verb: Option<&'static str>,
    resource: Option<&'static str>,
    name: Option<String>,
}

impl On {
    /// Every call.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Calls of one verb on one resource: `("create", "serviceaccounts/token")`.
    #[must_use]
    pub fn call(verb: &'static str, resource: &'static str) -> Self {
        Self { verb: Some(verb), resource: Some(resource), name: None }
    }

    /// TokenRequests.
    #[must_use]
    pub fn token_requests() -> Self {
        Self::call("create", "serviceaccounts/token")
    }

    /// Only those of the object with this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    fn matches(&self, call: &Call) -> bool {
        self.verb.is_none_or(|verb| verb == call.verb)
            && self.resource.is_none_or(|resource| resource == call.resource)
            && self.name.as_ref().is_none_or(|name| *name == call.name)
    }
}

/// The faults in force, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    entries: Vec<Entry>,
    /// How often they were healed.
    pub healings: u64,
}

#[derive(Debug)]
struct Entry {
    on: On,
    fault: Fault,
    left: Option<u32>, // `None` until healed
}

impl Faults {
    pub(super) fn add(&mut self, on: On, fault: Fault, times: Option<u32>) {
        self.entries.push(Entry { on, fault, left: times });
    }

    pub(super) fn heal(&mut self) {
        self.entries.clear();
        self.healings += 1;
    }

    /// The fault for this call, if any, and one less of it.
    pub(super) fn take(&mut self, call: &Call) -> Option<Fault> {
        let entry = self.entries.iter_mut().find(|e| e.left != Some(0) && e.on.matches(call))?;
        entry.left = entry.left.map(|left| left - 1);
        Some(entry.fault)
    }
}

impl Fault {
    /// The answer instead of the real one; `None` for those that do not answer.
    pub(super) fn answer(self) -> Option<Answer> {
        let refusal = match self {
            Self::Unauthorized => Refusal::unauthorized(),
            Self::Forbidden => Refusal::forbidden(),
            Self::Throttled { retry_after } => Refusal::throttled(retry_after.as_secs()),
            Self::FlowControl { retry_after } => {
                return Some(Answer::flow_control(retry_after.as_secs()));
            }
            Self::Unavailable => Refusal::unavailable(),
            Self::Hang | Self::AnswerHeld | Self::AnswerLost | Self::AnswerGarbled => return None,
        };
        Some(refusal.into())
    }
}
