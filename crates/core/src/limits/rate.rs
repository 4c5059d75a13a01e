use jiff::Timestamp;

use super::{Turn, seconds_between};

/// A rate that was cut is twice as high after this, in seconds: from 5 to 500 a second takes 70 s.
const DOUBLES_IN: f64 = 10.0;
/// No throttle cuts below this: a single 429 in a quiet time must not make everybody wait for seconds.
/// Whoever cannot bear five calls a second says so with Retry-After, which is obeyed.
const CUT_MIN: f64 = 5.0;
/// What really went is counted over about so many seconds.
const COUNTED: f64 = 5.0;
/// So many seconds' worth may go at once after a rest.
const BURST: f64 = 1.0;

/// Calls a second: a bucket of tokens that fills at a rate which adapts.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    per_second: f64,
    /// Calls that may go at once.
    left: f64,
    /// Calls of the last seconds, the older the less.
    went: f64,
    /// When the others were true.
    at: Timestamp,
    cut_at: u64,
}

impl Default for Rate {
    fn default() -> Self {
        let full = f64::INFINITY;
        Self { per_second: full, left: full, went: 0.0, at: Timestamp::MIN, cut_at: 0 }
    }
}

impl Rate {
    /// Whether one may go now.
    #[must_use]
    pub fn admits(&self, now: Timestamp, most: f64) -> bool {
        self.passed(now, most).left >= 1.0
    }

    /// One goes. To be asked first.
    pub fn spend(&mut self, now: Timestamp, most: f64) {
        *self = self.passed(now, most);
        self.left = (self.left - 1.0).max(0.0);
        self.went += 1.0;
    }

    /// The clock was set back to `now`: what was true later is true now.
    pub fn set_back(&mut self, now: Timestamp) {
        self.at = self.at.min(now);
    }

    /// The present rate, from 1 to `most`.
    #[must_use]
    pub fn per_second(&self, now: Timestamp, most: f64) -> f64 {
        self.passed(now, most).per_second
    }

    /// A half of what went lately: a half of a limit that nobody came near would change nothing.
    pub(super) fn throttled(&mut self, now: Timestamp, turn: Turn, most: f64) {
        if turn.call <= self.cut_at {
            return;
        }
        self.cut_at = turn.newest;
        *self = self.passed(now, most);
        let halved = self.per_second.min(self.went / COUNTED) / 2.0;
        self.per_second = halved.max(CUT_MIN).min(most).max(1.0);
        self.left = self.left.min(self.burst());
    }

    /// The same at a later moment; until [`Self::set_back`] is called, no time passes at an earlier one.
    fn passed(&self, now: Timestamp, most: f64) -> Self {
        let seconds = seconds_between(self.at, now);
        let doubled = (seconds / DOUBLES_IN).min(64.0).exp2();
        let mut next = *self;
        next.per_second = (self.per_second * doubled).min(most).max(1.0);
        next.left = (self.left + next.per_second * seconds).min(next.burst());
        next.went = self.went * (1.0 - seconds / COUNTED).max(0.0);
        next.at = now;
        next
    }

    fn burst(&self) -> f64 {
        (self.per_second * BURST).max(1.0)
    }
}
