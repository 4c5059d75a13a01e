//! Counts for metrics.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use perennial_core::foresight::Foreseen;

use super::{
    Fleet, budget::Survival, entry::Standing, limits, ownership::Sharing, pauses::PauseStats,
    schedule::State,
};

/// What there is of what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Secrets by state.
    pub secrets: BTreeMap<State, usize>,
    /// Orders under way.
    pub in_flight: usize,
    /// Ready and not ordered yet.
    pub ready: usize,
    /// Secrets past their latest moment of renewal, and some seconds more, that still hold the
    /// token they should not.
    pub overdue: usize,
    /// Whether nothing is ordered, because this scheduler only decides and shows.
    pub audit: bool,
    /// Whether nothing is ordered, because the fleet is stopped.
    pub stopped: bool,
    /// Secrets whose token was signed by a key that is not in the key set of their shoot, where it
    /// cannot be told whether it was withdrawn.
    pub keys_untold: usize,
    /// The limits at present.
    pub limits: limits::View,
    /// What will not be done in time at the present rate.
    pub foreseen: Foreseen,
    /// Whether the seed and the token-issuer are away, and how many shoots are whose probe says
    /// otherwise: each gets one order at a time.
    pub outages: [usize; 3],
    /// Paused shoots and their tokens.
    pub paused: PauseStats,
    /// Renewals that are planned for the next hour.
    pub planned_next_hour: usize,
    /// Whether every token survives what is to be survived; `None` where nothing is.
    pub budget: Option<Survival>,
    /// Which part of the fleet this replica serves.
    pub sharing: Sharing,
}

const HOUR_SECONDS: i64 = 60 * 60;

/// Secrets for each second between two looks at all of them.
const LOOKED_AT_IN_A_SECOND: usize = 10_000;
/// Longest time between two looks.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// How often so many Secrets are looked at, to count them or to see how far a campaign is: once a second, and
/// less often where there are more than 10,000. A look at 30,000 takes some 40 ms on a slow machine; each second
/// that was more than the renewals (docs/benchmarks.md).
#[must_use]
pub fn look_interval(secrets: usize) -> Duration {
    let seconds = u64::try_from(1 + secrets / LOOKED_AT_IN_A_SECOND).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(LOOK_INTERVAL_MAX)
}

impl Fleet {
    /// Counts everything once; the cost grows with the number of Secrets.
    #[must_use]
    pub fn stats(&self, now: Timestamp) -> Stats {
        let mut stats = Stats {
            in_flight: self.flights.len(),
            ready: self.queue.ready_len(),
            audit: self.settings.audit,
            stopped: self.switch.stopped().is_some(),
            keys_untold: self.keys_untold(now),
            limits: self.limits(now),
            foreseen: self.foresee(now),
            outages: self.outages.counts(),
            paused: self.pause_stats(now),
            planned_next_hour: usize::try_from(self.planned_within(now, HOUR_SECONDS))
                .unwrap_or(usize::MAX),
            sharing: self.sharing(),
            budget: self.settings.budget.is_set().then(|| self.survival(now, None)),
            ..Stats::default()
        };
        for (shoot, _, entry) in self.members.all() {
            *stats.secrets.entry(State::of(&entry.standing)).or_default() += 1;
            // What is left alone until later is not late.
            let is_fresh = matches!(entry.standing, Standing::Fresh { until } if until > now);
            stats.overdue += usize::from(!is_fresh && self.is_overdue(now, shoot, entry));
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_with_the_number_of_secrets_and_never_too_rare() {
        let seconds = |secrets| look_interval(secrets).as_secs();
        assert_eq!([0, 9_999, 10_000, 30_000].map(seconds), [1, 1, 2, 4]);
        assert_eq!([90_000, 1_000_000, usize::MAX].map(seconds), [10, 10, 10]);
    }
}
