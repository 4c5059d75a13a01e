//! What every token is to survive.

use std::time::Duration;

use clap::Args;
use perennial_core::budget::{Budget, Impossible, LIFETIME_DEFAULT_SECONDS};
use perennial_process::args::duration;

/// An outage budget. Tokens are renewed so early that each has this much life left whenever the outage
/// begins; docs/budget.md has the arithmetic and the price.
#[derive(Args, Clone, Copy, Debug)]
pub struct SurviveArgs {
    /// No token may expire while a shoot does not answer for this long. Shortens --renewal-basis as far as it
    /// takes
    #[arg(long, env = "PERENNIAL_SURVIVE_SHOOT_OUTAGE", value_name = "DURATION", value_parser = duration)]
    pub survive_shoot_outage: Option<Duration>,

    /// The same while the seed does not answer
    #[arg(long, env = "PERENNIAL_SURVIVE_SEED_OUTAGE", value_name = "DURATION", value_parser = duration)]
    pub survive_seed_outage: Option<Duration>,

    /// The same while no part of Perennial runs
    #[arg(long, env = "PERENNIAL_SURVIVE_PERENNIAL_OUTAGE", value_name = "DURATION", value_parser = duration)]
    pub survive_perennial_outage: Option<Duration>,

    /// The shortest life of the tokens that must survive it. Those that live shorter, by their annotation or
    /// because their shoot grants less, are told by `perennial budget`
    #[arg(
        long,
        env = "PERENNIAL_SURVIVE_LIFETIME",
        value_name = "DURATION",
        value_parser = duration,
        default_value = "12h"
    )]
    pub survive_lifetime: Duration,
}

impl SurviveArgs {
    /// What is to be survived.
    #[must_use]
    pub const fn budget(&self) -> Budget {
        Budget {
            shoot: self.survive_shoot_outage,
            seed: self.survive_seed_outage,
            perennial: self.survive_perennial_outage,
        }
    }

    /// The basis that follows from it, in seconds, where the operator wants tokens renewed by that one.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn basis(&self, basis_seconds: i64) -> Result<i64, Impossible> {
        let lifetime = i64::try_from(self.survive_lifetime.as_secs());
        self.budget().basis(basis_seconds, lifetime.unwrap_or(LIFETIME_DEFAULT_SECONDS))
    }
}
