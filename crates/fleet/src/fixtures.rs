//! Faults and settings for the unit tests of this crate; records come from the crate for tests.

use perennial_core::failure::Kind;
pub(crate) use perennial_testing::records::*;

use crate::{
    Settings,
    attempts::{Blame, Fault},
};

/// A failure that says something of the Secret.
pub(crate) fn fault(kind: Kind) -> Fault {
    Fault {
        kind,
        reason: "TESTED".to_owned(),
        message: format!("it is {}", kind.as_str()),
        retry_after: None,
        blame: Blame::Secret,
    }
}

/// What decides in tests.
pub(crate) fn settings() -> Settings {
    Settings {
        policy: perennial_core::decision::Policy::default(),
        in_flight_max: 64,
        in_flight_per_shoot_max: 8,
        audit: false,
        own_secret: "shoot-access-token-issuer".parse().unwrap(),
        rate_max: 1_000.try_into().unwrap(),
        rate_per_shoot_max: 500.try_into().unwrap(),
        budget: Default::default(),
    }
}
