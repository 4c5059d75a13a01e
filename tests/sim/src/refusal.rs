//! Why there is no renewal, as the scheduler hears it: see `scheduler/engine/remote/fault`.

use std::time::Duration;

use perennial_core::failure::Kind;
use perennial_fleet::attempts::{Blame, Fault};

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The secret-writer is not reached.
    WriterAway,
    /// The record is not the one that was decided on.
    Changed,
    /// A renewal is under way already.
    UnderWay,
    /// No other token so soon.
    Held(Duration),
    /// The secret-writer does not reach the token-issuer.
    IssuerAway,
    /// The shoot is not reached.
    ShootAway,
    /// The shoot did not answer in time.
    ShootSilent,
    /// The shoot answers 500.
    ShootErrs,
    /// The shoot answers 429.
    ShootThrottles(Duration),
    /// The seed did not take the write.
    SeedAway,
}

impl Refusal {
    /// A number for the trace.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::WriterAway => 1,
            Self::Changed => 2,
            Self::UnderWay => 3,
            Self::Held(_) => 4,
            Self::IssuerAway => 5,
            Self::ShootAway => 6,
            Self::ShootSilent => 7,
            Self::ShootErrs => 8,
            Self::ShootThrottles(_) => 9,
            Self::SeedAway => 10,
        }
    }

    /// What the engine tells the fleet.
    #[must_use]
    pub fn fault(self) -> Fault {
        let (kind, reason, retry_after, blame) = match self {
            Self::WriterAway => (Kind::Unavailable, "PEER_UNREACHABLE", None, Blame::Writer),
            Self::Changed => (Kind::Changed, "RECORD_CHANGED", None, Blame::Secret),
            Self::UnderWay => {
                let second = Some(Duration::from_secs(1));
                (Kind::Held, "RENEWAL_UNDER_WAY", second, Blame::Secret)
            }
            Self::Held(left) => (Kind::Held, "RENEWAL_HELD", Some(left), Blame::Secret),
            Self::IssuerAway => (Kind::Unavailable, "PEER_UNREACHABLE", None, Blame::IssuerAway),
            Self::ShootAway => {
                (Kind::Unavailable, "API_SERVER_UNREACHABLE", None, Blame::ShootAway)
            }
            Self::ShootSilent => (Kind::TimedOut, "API_SERVER_TIMED_OUT", None, Blame::ShootAway),
            Self::ShootErrs => (Kind::Unavailable, "API_SERVER_REFUSED", None, Blame::ShootAway),
            Self::ShootThrottles(after) => {
                (Kind::Throttled, "API_SERVER_THROTTLED", Some(after), Blame::Shoot)
            }
            Self::SeedAway => (Kind::Unavailable, "SEED_UNREACHABLE", None, Blame::SeedAway),
        };
        let message = String::new(); // nobody reads it
        Fault { kind, reason: reason.to_owned(), message, retry_after, blame }
    }
}
