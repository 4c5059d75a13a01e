//! How a call of `RenewToken` failed.

use perennial_core::failure::{Failure as _, Kind};
use perennial_fleet::attempts::{Blame, Fault};
use perennial_rpc::status::Remote;
use tonic::{Code, Status};

/// Reason under which a token-issuer passes on the 429 of a shoot. That of the seed is
/// `SEED_THROTTLED`: it says nothing of the shoot, so the pause is that of the Secret.
const SHOOT_THROTTLES: &str = "API_SERVER_THROTTLED";

/// Reasons for which a shoot does nothing for anybody, or for none of our credentials.
const SHOOT_AWAY: [&str; 5] = [
    "API_SERVER_UNREACHABLE",
    "API_SERVER_TIMED_OUT",
    "API_SERVER_UNAUTHORIZED",
    "ISSUE_TIMED_OUT",
    "SHOOT_WITHOUT_CREDENTIAL",
];

/// An answer of a shoot that may be one of a broken API server, by its class.
const SHOOT_REFUSED: &str = "API_SERVER_REFUSED";

/// Reasons for which a secret-writer got nothing from a token-issuer.
const ISSUER_AWAY: [&str; 5] = [
    "PEER_UNREACHABLE",
    "PEER_DEADLINE_EXCEEDED",
    "PEER_REFUSED_US",
    "RENEWAL_TIMED_OUT",
    "STARTING",
];

/// Reasons for which a seed takes no write of a secret-writer, whichever Secret it is.
const SEED_AWAY: [&str; 2] = ["SEED_UNAUTHORIZED", "SEED_CREDENTIAL_UNUSABLE"];
/// The others that do, by their class.
const SEED: &str = "SEED_";

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
            _ if silent => Blame::Secret,
            reason => of_others(reason, remote.kind()),
        },
    }
}

/// Who failed behind the secret-writer.
fn of_others(reason: &str, kind: Kind) -> Blame {
    let gave_nothing = matches!(kind, Kind::Unavailable | Kind::TimedOut);
    let is_seed = reason.starts_with(SEED) && (gave_nothing || kind == Kind::Throttled);
    if is_seed || SEED_AWAY.contains(&reason) {
        Blame::SeedAway
    } else if ISSUER_AWAY.contains(&reason) {
        Blame::IssuerAway
    } else if SHOOT_AWAY.contains(&reason) || (reason == SHOOT_REFUSED && gave_nothing) {
        Blame::ShootAway
    } else {
        Blame::Secret
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
        assert_eq!(fault(Kind::Internal, "PEER_ERROR").blame, Blame::Secret);
        assert_eq!(fault(Kind::Denied, "API_SERVER_FORBIDDEN").blame, Blame::Secret);
        assert_eq!(fault(Kind::Unavailable, "SHUTTING_DOWN").blame, Blame::Writer);
        for (kind, reason, blame) in [
            (Kind::Unavailable, "SEED_UNREACHABLE", Blame::SeedAway),
            (Kind::TimedOut, "SEED_TIMED_OUT", Blame::SeedAway),
            (Kind::Throttled, "SEED_THROTTLED", Blame::SeedAway),
            (Kind::Unavailable, "SEED_REFUSED", Blame::SeedAway),
            (Kind::Denied, "SEED_UNAUTHORIZED", Blame::SeedAway),
            (Kind::Invalid, "SEED_REFUSED", Blame::Secret),
            (Kind::Denied, "SEED_FORBIDDEN", Blame::Secret),
            (Kind::Unavailable, "PEER_UNREACHABLE", Blame::IssuerAway),
            (Kind::TimedOut, "RENEWAL_TIMED_OUT", Blame::IssuerAway),
            (Kind::Unavailable, "API_SERVER_UNREACHABLE", Blame::ShootAway),
            (Kind::TimedOut, "ISSUE_TIMED_OUT", Blame::ShootAway),
            (Kind::Unavailable, "API_SERVER_REFUSED", Blame::ShootAway),
            (Kind::Invalid, "API_SERVER_REFUSED", Blame::Secret),
            (Kind::NotFound, "NAMESPACE_MISSING", Blame::Secret),
        ] {
            assert_eq!(fault(kind, reason).blame, blame, "{reason} {kind:?}");
        }
        let throttled = fault(Kind::Throttled, SHOOT_THROTTLES);
        assert_eq!((throttled.blame, throttled.kind), (Blame::Shoot, Kind::Throttled));
    }
}
