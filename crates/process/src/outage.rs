//! What a process says and does while the seed cannot be watched.
//!
//! ```text
//! away (network, DNS, 5xx) ──► unready, said once, waited for without end
//! refused (401, 403) ────────► unready, said once; 30 s without another answer ──► the process ends
//! first list done ───────────► ready; from here on nothing ends the process
//! ```
//!
//! RBAC may arrive a moment after the Pod, so a refusal is waited for too; but a process without
//! rights that waits for ever looks like one that is about to start, and nobody looks at it.

use std::{future, pin::Pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use perennial_core::{
    clock::Clock,
    failure::{self, Failure, Kind},
};
use tokio::time::{Sleep, sleep};
use tracing::{debug, warn};

use crate::ready::Gate;

/// How long the seed may refuse the first list. Between its tries are 0.8 s, doubling to
/// at most 5 s: about nine.
pub const REFUSED_MAX: Duration = Duration::from_secs(30);

/// A failure that comes so long after the last one is news. Tries of one outage are at most 5 s
/// apart, and each may take a while to fail.
const QUIET: Duration = Duration::from_secs(2 * 60);

/// The seed refused the first list for as long as we wait. It ends the process with exit code 77.
#[derive(Debug, thiserror::Error)]
#[error(
    "the seed has refused for {} s: {reason}; {remedy}",
    REFUSED_MAX.as_secs()
)]
pub struct Refused {
    reason: String,
    remedy: &'static str,
}

/// Follows the failures of a watch of the seed.
#[derive(Debug)]
pub struct Outage {
    gate: Gate,
    clock: Arc<dyn Clock>,
    remedy: &'static str,
    first_list_done: bool,
    last: Option<(Kind, Timestamp)>,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    reason: String,
    over: Pin<Box<Sleep>>,
}

impl Outage {
    /// The gate opens with the first list. `remedy` says what to do about a refusal: which rights
    /// are needed and where they are defined.
    #[must_use]
    pub fn new(gate: Gate, remedy: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { gate, clock, remedy, first_list_done: false, last: None, refusal: None }
    }

    /// The first list is there (any later one too).
    pub fn first_list_done(&mut self) {
        self.first_list_done = true;
        self.refusal = None;
        self.gate.open();
    }

    /// A list or watch failed and will be tried again.
    pub fn failed(&mut self, error: &impl Failure) {
        let (kind, reason) = (error.kind(), failure::chain(error));
        if self.is_news(kind) {
            warn!(kind = kind.as_str(), "{reason}; trying again");
        } else {
            debug!(kind = kind.as_str(), "{reason}");
        }
        if self.first_list_done {
            return; // an old picture is still worth serving
        }
        match (kind, &mut self.refusal) {
            (Kind::Denied, Some(refusal)) => refusal.reason.clone_from(&reason),
            (Kind::Denied, none) => {
                let over = Box::pin(sleep(REFUSED_MAX));
                *none = Some(Refusal { reason: reason.clone(), over });
            }
            (_, refusal) => *refusal = None,
        }
        self.gate.close(reason);
    }

    /// Ends when the seed has refused the first list for too long; else never. May be dropped and
    /// called again.
    pub async fn given_up(&mut self) -> Refused {
        let Some(refusal) = &mut self.refusal else { return future::pending().await };
        refusal.over.as_mut().await;
        Refused { reason: refusal.reason.clone(), remedy: self.remedy }
    }

    fn is_news(&mut self, kind: Kind) -> bool {
        let now = self.clock.now();
        let before = self.last.replace((kind, now));
        before.is_none_or(|(last, at)| {
            let pause = Duration::try_from(now.duration_since(at)).unwrap_or_default();
            last != kind || pause > QUIET
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemClock, ready::Readiness};

    #[derive(Debug, thiserror::Error)]
    #[error("failed to list: {0:?}")]
    struct Failed(Kind);

    impl Failure for Failed {
        fn kind(&self) -> Kind {
            self.0
        }

        fn reason(&self) -> &'static str {
            "TEST"
        }
    }

    fn outage() -> (Outage, Readiness) {
        let readiness = Readiness::new();
        let gate = readiness.gate("first list");
        (Outage::new(gate, "apply deploy/seed", Arc::new(SystemClock)), readiness)
    }

    async fn gives_up_within(seconds: u64, outage: &mut Outage) -> Option<String> {
        let wait = tokio::time::timeout(Duration::from_secs(seconds), outage.given_up()).await;
        wait.ok().map(|refused| refused.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_seed_that_is_away_is_waited_for_and_the_reason_is_shown() {
        let (mut outage, readiness) = outage();
        outage.failed(&Failed(Kind::Unavailable));

        assert_eq!(gives_up_within(3600, &mut outage).await, None);
        assert_eq!(readiness.report()[0].reason, "failed to list: Unavailable");
        outage.first_list_done();
        assert!(readiness.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_waited_for_30_s_however_often_it_is_repeated() {
        let (mut outage, readiness) = outage();
        outage.failed(&Failed(Kind::Denied));
        assert_eq!(gives_up_within(20, &mut outage).await, None);
        outage.failed(&Failed(Kind::Denied));
        assert!(!readiness.is_ready());

        assert_eq!(
            gives_up_within(11, &mut outage).await.unwrap(),
            "the seed has refused for 30 s: failed to list: Denied; apply deploy/seed"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn rights_that_arrive_in_time_end_the_wait() {
        let (mut outage, readiness) = outage();
        outage.failed(&Failed(Kind::Denied));
        assert_eq!(gives_up_within(29, &mut outage).await, None);
        outage.first_list_done();

        assert!(readiness.is_ready());
        assert_eq!(gives_up_within(3600, &mut outage).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_first_list_a_refusal_ends_nothing() {
        let (mut outage, readiness) = outage();
        outage.first_list_done();
        outage.failed(&Failed(Kind::Denied));

        assert_eq!(gives_up_within(3600, &mut outage).await, None);
        assert!(readiness.is_ready());
    }

    #[test]
    fn an_outage_is_said_once_and_another_kind_is_news() {
        let (mut outage, _) = outage();
        assert!(outage.is_news(Kind::Unavailable));
        assert!(!outage.is_news(Kind::Unavailable));
        assert!(outage.is_news(Kind::Denied));
        let long_ago = outage.clock.now() - QUIET - Duration::from_secs(1);
        outage.last = Some((Kind::Denied, long_ago));
        assert!(outage.is_news(Kind::Denied), "another outage");
    }
}
