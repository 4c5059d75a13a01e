//! How a call of `RenewToken` failed.

use perennial_core::failure::{Failure as _, Kind};
use perennial_fleet::attempts::{Blame, Fault};
use perennial_rpc::status::Remote;
use tonic::{Code, Status};

/// Reason under which a token-issuer passes on the 429 of a shoot. That of the seed is
/// `SEED_THROTTLED`: it says nothing of the shoot, so the pause is that of the Secret.
const SHOOT_THROTTLES: &str = "API_SERVER_THROTTLED";

/// Reasons by which a secret-writer says that it is starting or stopping.
const WRITER_NOT_THERE: [&str; 2] = ["SNAPSHOT_INCOMPLETE", "SHUTTING_DOWN"];

/// What a status says.
pub fn of_status(status: Status) -> Fault {
    let silent = status.details().is_empty();
    let code = status.code();
    let remote = Remote::from(status);
    Fault {
        kind: remote.kind(),
        reason: remote.reason().to_owned(),
        message: remote.message().to_owned(),
        retry_after: remote.retry_after(),
        blame: match remote.reason() {
            SHOOT_THROTTLES => Blame::Shoot,
            reason if WRITER_NOT_THERE.contains(&reason) => Blame::Writer,
            _ if silent && is_about_the_way(code) => Blame::Writer,
            _ => Blame::Secret,
        },
    }
}

/// Codes that, without a word of the secret-writer itself, come from the connection or from its
/// door and say nothing of a Secret.
const fn is_about_the_way(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Unknown
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}

/// An answer that makes no sense.
pub(super) fn nonsense(problem: &str) -> Fault {
    Fault {
        kind: Kind::Internal,
        reason: "ANSWER_NONSENSE".to_owned(),
        message: format!("the answer of the secret-writer makes no sense: {problem}"),
        retry_after: None,
        blame: Blame::Secret,
    }
}

/// No answer at all.
pub(super) fn late() -> Fault {
    Fault {
        kind: Kind::TimedOut,
        reason: "PEER_DEADLINE_EXCEEDED".to_owned(),
        message: "the secret-writer did not answer in time".to_owned(),
        retry_after: None,
        blame: Blame::Secret,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_is_nobodys_secret() {
        let blame = |status| of_status(status).blame;
        assert_eq!(blame(Status::unknown("transport error")), Blame::Writer);
        assert_eq!(blame(Status::unavailable("connection refused")), Blame::Writer);
        assert_eq!(blame(Status::permission_denied("not for you")), Blame::Writer);
        assert_eq!(blame(Status::cancelled("Timeout expired")), Blame::Secret);
        assert_eq!(blame(Status::internal("h2")), Blame::Secret);
    }

    #[test]
    fn what_the_secret_writer_says_is_about_the_secret_unless_it_is_not_there_itself() {
        #[derive(Debug, thiserror::Error)]
        #[error("told")]
        struct Told(Kind, &'static str);
        impl perennial_core::failure::Failure for Told {
            fn kind(&self) -> Kind {
                self.0
            }
            fn reason(&self) -> &str {
                self.1
            }
        }
        let fault = |kind, reason| of_status(perennial_rpc::status::to_status(&Told(kind, reason)));
        assert_eq!(fault(Kind::Unavailable, "PEER_UNREACHABLE").blame, Blame::Secret);
        assert_eq!(fault(Kind::Denied, "API_SERVER_FORBIDDEN").blame, Blame::Secret);
        assert_eq!(fault(Kind::Unavailable, "SHUTTING_DOWN").blame, Blame::Writer);
        assert_eq!(fault(Kind::Throttled, "SEED_THROTTLED").blame, Blame::Secret);
        let throttled = fault(Kind::Throttled, SHOOT_THROTTLES);
        assert_eq!((throttled.blame, throttled.kind), (Blame::Shoot, Kind::Throttled));
    }
}
