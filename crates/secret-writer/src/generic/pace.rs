//! How soon one Secret may be tried again (contract, B12). Pure.
//!
//! Two who each put another document into one Secret would do so as fast as the seed lets them. So
//! every write makes the pause before the next one longer, whatever the reason; one that comes
//! after a while of peace comes at once.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{backoff::doubled, failure::Kind};

/// Pauses double from here.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause, after ten writes in a row: six writes an hour.
const PAUSE_MAX: Duration = Duration::from_secs(10 * 60);
/// Longest pause while the seed is away: nobody is served meanwhile, and it may be back.
const PAUSE_MAX_AWAY: Duration = Duration::from_secs(30);
/// After so long without a write the next one is the first again. Longer than the longest pause, or
/// a stranger who writes as rarely would never be slowed down.
const PEACE: Duration = Duration::from_secs(60 * 60);
const _: () = assert!(PEACE.as_secs() > PAUSE_MAX.as_secs());

/// The tries at one Secret.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    writes: u32,
    failures: u32,
    away: bool,
    last: Option<Timestamp>,
}

impl Pace {
    /// Whether it may be tried now. A clock that was set back ends every pause.
    pub(super) fn admits(&self, now: Timestamp) -> bool {
        let Some(last) = self.last else { return true };
        now < last || elapsed(last, now) >= self.pause()
    }

    /// It was written.
    pub(super) fn written(&mut self, now: Timestamp) {
        if self.last.is_some_and(|last| elapsed(last, now) >= PEACE) {
            self.writes = 0;
        }
        (self.writes, self.failures) = (self.writes.saturating_add(1), 0);
        self.last = Some(now);
    }

    /// It was tried in vain.
    pub(super) fn failed(&mut self, kind: Kind, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.away = kind.retryable();
        self.last = Some(now);
    }

    /// Writes without an hour of peace between them.
    pub(super) const fn writes(&self) -> u32 {
        self.writes
    }

    pub(super) fn pause(&self) -> Duration {
        let bound = if self.away { PAUSE_MAX_AWAY } else { PAUSE_MAX };
        let after = |tries: u32, bound| match tries.checked_sub(1) {
            Some(doublings) => doubled(PAUSE_MIN, doublings, bound),
            None => Duration::ZERO,
        };
        after(self.writes, PAUSE_MAX).max(after(self.failures, bound))
    }
}

fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::at;

    /// How often a Secret is written in so many seconds by somebody who always has a reason to.
    fn writes_in(seconds: i64, pace: &mut Pace) -> u32 {
        let mut count = 0;
        for now in (0..seconds).map(at) {
            if pace.admits(now) {
                pace.written(now);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn e_a_fight_without_end_costs_six_writes_an_hour() {
        let mut pace = Pace::default();
        let first_hour = writes_in(3_600, &mut pace);
        assert_eq!(first_hour, 15, "0, 1, 3, 7, … 1,023 s, then every 600 s");
        let day = writes_in(25 * 3_600, &mut Pace::default());
        assert_eq!(day - first_hour, 24 * 6);
    }

    #[test]
    fn e_a_change_after_a_while_of_peace_is_written_at_once() {
        let mut pace = Pace::default();
        for minute in 0..4 {
            assert!(pace.admits(at(minute * 60)), "the changes of a maker at work: {minute}");
            pace.written(at(minute * 60));
        }
        assert!(!pace.admits(at(181)));
        pace.written(at(180 + 3_600));
        assert_eq!(pace.writes(), 1);
    }

    #[test]
    fn e_a_seed_that_is_back_is_tried_within_half_a_minute_and_a_refusal_seldom() {
        let pause = |kind| {
            let mut pace = Pace::default();
            (0..20).for_each(|try_| pace.failed(kind, at(try_)));
            pace.pause()
        };
        assert_eq!(pause(Kind::Unavailable), PAUSE_MAX_AWAY);
        assert_eq!(pause(Kind::Denied), PAUSE_MAX);
    }

    #[test]
    fn e_a_clock_that_is_set_back_silences_nobody() {
        let mut pace = Pace::default();
        pace.written(at(10_000));
        assert!(!pace.admits(at(10_000)) && pace.admits(at(1)));
    }
}
