//! What every error of ours can say about itself, whichever crate it comes from.
//!
//! Each crate boundary has one closed error enum. This trait is what they share: a [`Kind`] that
//! drives the gRPC code, the metric label and retrying, and a reason that a program can match.

use std::time::Duration;

/// Class of a failure. It decides the gRPC status code (in `perennial-rpc`) and whether a retry
/// can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What was asked for cannot be done as it stands; somebody must change it.
    Invalid,
    /// The object is not there.
    NotFound,
    /// The caller, or we, may not do this.
    Denied,
    /// The object is no longer the one that the decision saw.
    Changed,
    /// It could be done but must not be now (another renewal under way, no storm).
    Held,
    /// Somebody told us to slow down.
    Throttled,
    /// The other side cannot be reached or answers that it is not able to.
    Unavailable,
    /// No answer within our own deadline; whether it took effect is unknown.
    TimedOut,
    /// Our own mistake, or an answer that makes no sense.
    Internal,
}

impl Kind {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::Changed | Self::Held | Self::Throttled | Self::Unavailable | Self::TimedOut => {
                true
            }
            Self::Invalid | Self::NotFound | Self::Denied | Self::Internal => false,
        } // no `_` arm: a new kind does not compile until somebody has decided
    }

    /// Stable name, used as a metric label and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Changed => "changed",
            Self::Held => "held",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
            Self::Internal => "internal",
        }
    }
}

/// An error that knows its class. The text of the error (`Display`) may be shown to a caller:
/// it names the operation and never holds a token. The cause is the `source`.
pub trait Failure: std::error::Error {
    /// Class of the failure.
    fn kind(&self) -> Kind;

    /// Stable, upper-case name of what went wrong, such as `SERVICE_ACCOUNT_MISSING`; it becomes
    /// `google.rpc.ErrorInfo.reason`.
    fn reason(&self) -> &str;

    /// How long the other side asked us to wait, where it did.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// The error with its chain of causes on one line, for a log or an operator.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = inner.source();
    }
    line
}
