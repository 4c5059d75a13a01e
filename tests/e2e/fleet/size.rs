//! How large the fleet is, and for how long it is watched.

use std::{fmt, time::Duration};

/// `full` plays what `make fleet` promises.
const FLEET: &str = "PERENNIAL_FLEET";
/// The seed of what is drawn; printed, so that a run can be played again.
const SEED: &str = "PERENNIAL_FLEET_SEED";

#[derive(Clone, Debug)]
pub(super) struct Size {
    pub(super) shoots: usize,
    pub(super) secrets_per_shoot: usize,
    pub(super) replicas: usize,
    /// A token is renewed at 80 % of it.
    pub(super) basis: Duration,
    pub(super) calm: Duration,
    /// Only schedulers come and go.
    pub(super) blows: Duration,
    /// Shoots are cut off beside that.
    pub(super) rough: Duration,
    /// Most shoots that are away at once.
    pub(super) away_max: usize,
    /// A shoot comes back after this at the latest.
    pub(super) away_longest: Duration,
    /// Between two blows at a scheduler.
    pub(super) between_blows: Duration,
    pub(super) seed: u64,
}

impl Size {
    pub(super) fn from_environment() -> Self {
        let seed = std::env::var(SEED).map_or(1, |text| text.parse().unwrap());
        let small = Self {
            shoots: 8,
            secrets_per_shoot: 10,
            replicas: 2,
            basis: Duration::from_secs(15),
            calm: Duration::from_secs(12),
            blows: Duration::from_secs(52),
            rough: Duration::from_secs(36),
            away_max: 2,
            away_longest: Duration::from_secs(8),
            between_blows: Duration::from_secs(16),
            seed,
        };
        match std::env::var(FLEET) {
            Err(_) => small,
            Ok(size) => {
                assert_eq!(size, "full", "{FLEET} is `full`, or not set");
                Self {
                    shoots: 50,
                    secrets_per_shoot: 100,
                    replicas: 3,
                    basis: Duration::from_secs(75),
                    calm: Duration::from_secs(90),
                    blows: Duration::from_secs(100),
                    rough: Duration::from_secs(300),
                    away_max: 8,
                    away_longest: Duration::from_secs(40),
                    between_blows: Duration::from_secs(25),
                    ..small
                }
            }
        }
    }

    pub(super) fn secrets(&self) -> usize {
        self.shoots * self.secrets_per_shoot
    }

    /// The shortest life that an API server grants, so that what is forgotten expires soonest.
    pub(super) fn annotations(&self) -> [(&'static str, &'static str); 1] {
        [(perennial_core::keys::TOKEN_LIFETIME, "10m")]
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} Secrets of {} shoots, renewed every {} s or so, {} schedulers, {:?} of trouble, seed {}",
            self.secrets(),
            self.shoots,
            self.basis.as_secs() * 4 / 5,
            self.replicas,
            self.rough,
            self.seed
        )
    }
}
