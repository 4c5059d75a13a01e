//! The one place where an error becomes a gRPC status, and back.
//!
//! A caller gets the error's own text, its reason as `google.rpc.ErrorInfo` and where there is one
//! the pause as `google.rpc.RetryInfo`. The causes stay with us, for the log.

mod cause;

use std::time::Duration;

use perennial_core::failure::{Failure, Kind};
use perennial_proto::rpc::v1 as proto;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `google.rpc.ErrorInfo.domain` of everything we say.
pub const DOMAIN: &str = "perennial.dev";

/// The status that tells a caller about `failure`.
#[must_use]
pub fn to_status(failure: &dyn Failure) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(failure.reason(), DOMAIN, []);
    if let Some(pause) = failure.retry_after() {
        details.set_retry_info(Some(pause));
    }
    Status::with_error_details(code(failure.kind()), failure.to_string(), details)
}

/// A status as a message, for answers that share a stream.
pub(crate) fn to_failure(status: &Status) -> proto::Failure {
    proto::Failure {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: status.details().to_vec(),
    }
}

/// The status that such a message tells of.
pub(crate) fn from_failure(failure: proto::Failure) -> Status {
    let proto::Failure { code, message, details } = failure;
    Status::with_details(Code::from_i32(code), message, details.into())
}

const fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Denied => Code::PermissionDenied,
        Kind::Changed => Code::Aborted,
        Kind::Held => Code::FailedPrecondition,
        Kind::Throttled => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::TimedOut => Code::DeadlineExceeded,
        Kind::Internal => Code::Internal,
    }
}

const fn kind(code: Code) -> Kind {
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::AlreadyExists => Kind::Invalid,
        Code::NotFound => Kind::NotFound,
        Code::PermissionDenied | Code::Unauthenticated => Kind::Denied,
        Code::Aborted => Kind::Changed,
        Code::FailedPrecondition => Kind::Held,
        Code::ResourceExhausted => Kind::Throttled,
        // `Unknown` is what tonic makes of a connection that broke (a refused certificate too).
        Code::Unavailable | Code::Unknown => Kind::Unavailable,
        // `Cancelled` is what tonic makes of a deadline that passed.
        Code::DeadlineExceeded | Code::Cancelled => Kind::TimedOut,
        Code::Ok | Code::Internal | Code::Unimplemented | Code::DataLoss => Kind::Internal,
    }
}

/// What another service, or the way to it, answered instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Remote {
    kind: Kind,
    reason: String,
    message: String,
    retry_after: Option<Duration>,
    answered: bool,
}

impl Remote {
    /// Whether a service of ours answered; else the way to it failed, or a stranger answered.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        self.answered
    }

    /// The text of the other side.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Failure for Remote {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl From<Status> for Remote {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        Self {
            kind: kind(status.code()),
            reason: info
                .map_or_else(|| unnamed(status.code()).to_owned(), |info| info.reason.clone()),
            message: message(&status),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            answered: info.is_some(),
        }
    }
}

/// tonic says only "transport error"; the cause tells a refused connection from a bad certificate.
fn message(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => cause::readable(cause),
        None => status.message().to_owned(),
    }
}

/// The reason of a status that no service of ours made.
const fn unnamed(code: Code) -> &'static str {
    match code {
        Code::Unavailable | Code::Unknown => "PEER_UNREACHABLE",
        Code::DeadlineExceeded | Code::Cancelled => "PEER_DEADLINE_EXCEEDED",
        Code::PermissionDenied | Code::Unauthenticated => "PEER_REFUSED_US",
        Code::Unimplemented => "PEER_LACKS_METHOD",
        _ => "PEER_ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to request a token for ci/deployer")]
    struct Fault(Kind, Option<Duration>, #[source] std::io::Error);

    impl Failure for Fault {
        fn kind(&self) -> Kind {
            self.0
        }

        fn reason(&self) -> &'static str {
            "SHOOT_THROTTLES"
        }

        fn retry_after(&self) -> Option<Duration> {
            self.1
        }
    }

    fn fault(kind: Kind, pause: Option<Duration>) -> Fault {
        Fault(kind, pause, std::io::Error::other("10.1.2.3 said 429"))
    }

    #[test]
    fn an_error_arrives_at_the_other_side_as_it_was() {
        let pause = Some(Duration::from_millis(1500));
        for kind in [
            Kind::Invalid,
            Kind::NotFound,
            Kind::Denied,
            Kind::Changed,
            Kind::Held,
            Kind::Throttled,
            Kind::Unavailable,
            Kind::TimedOut,
            Kind::Internal,
        ] {
            let remote = Remote::from(to_status(&fault(kind, pause)));

            assert!(remote.is_answer());
            assert_eq!(remote.kind(), kind);
            assert_eq!(remote.reason(), "SHOOT_THROTTLES");
            assert_eq!(remote.retry_after(), pause);
            assert_eq!(remote.to_string(), "failed to request a token for ci/deployer");
        }
    }

    #[test]
    fn the_cause_stays_at_home() {
        let status = to_status(&fault(Kind::Throttled, None));

        assert!(!format!("{status:?}").contains("10.1.2.3"));
        assert_eq!(Remote::from(status).retry_after(), None);
    }

    #[test]
    fn a_status_that_is_not_ours_gets_a_reason_of_ours() {
        let remote = Remote::from(Status::cancelled("Timeout expired"));
        assert_eq!((remote.kind(), remote.reason()), (Kind::TimedOut, "PEER_DEADLINE_EXCEEDED"));

        let mut details = ErrorDetails::new();
        details.set_error_info("QUOTA", "googleapis.com", []);
        let foreign = Status::with_error_details(Code::Unknown, "no", details);
        let remote = Remote::from(foreign);
        assert_eq!((remote.reason(), remote.is_answer()), ("PEER_UNREACHABLE", false));
    }
}
