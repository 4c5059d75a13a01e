//! How many calls at once and how many a second, by how it goes. Pure.
//!
//! [`Gate`] is one for each shoot and one for all of them, which stands for the seed. What an
//! operator sets is the most; the present limit lies under it while something answers badly:
//!
//! ```text
//! answer        calls at once        calls a second
//! quick         grows by 1/limit     –
//! slow          to three quarters    –
//! timed out     to 1                 –
//! throttled     to a half            to a half of what really went
//! time passes   –                    doubles in 10 s
//! ```
//!
//! Calls that were under way when a limit was cut say nothing new: only one made after it can cut it
//! again. No limit falls below 1. The wall clock may be set at any time: backwards, and it goes on
//! from there once [`Rate::set_back`] was told; forwards, and there is one burst.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

mod concurrency;
mod crowd;
mod rate;
mod usual;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use concurrency::Concurrency;
pub use crowd::Crowd;
pub use rate::Rate;
pub use usual::{PATIENCE_MAX, PATIENCE_MIN, PATIENCE_UNKNOWN, Usual};

/// What an operator allows; never below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Most {
    /// Calls at once.
    pub in_flight: usize,
    /// Calls a second.
    pub per_second: f64,
}

/// What an answer says of the one who gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Good, and as soon as usual.
    Quick,
    /// Good, and much later than usual, or an error that comes from too much work.
    Slow,
    /// None came.
    TimedOut,
    /// It asks to slow down.
    Throttled,
}

/// Number of a call, and of the newest there is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The call that was answered.
    pub call: u64,
    /// The last one that was made.
    pub newest: u64,
}

/// Both limits, and what is usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate {
    /// Calls at once.
    pub concurrency: Concurrency,
    /// Calls a second.
    pub rate: Rate,
    /// How long a good answer takes.
    pub usual: Usual,
}

impl Gate {
    /// Whether one more may go beside so many.
    #[must_use]
    pub fn admits(&self, now: Timestamp, in_flight: usize, most: Most) -> bool {
        in_flight < self.concurrency.limit(most.in_flight) && self.rate.admits(now, most.per_second)
    }

    /// What an answer changes.
    pub fn hear(&mut self, now: Timestamp, turn: Turn, answer: Answer, most: Most) {
        self.concurrency.hear(turn, answer, most.in_flight);
        if answer == Answer::Throttled {
            self.rate.throttled(now, turn, most.per_second);
        }
    }

    /// How many a second can be served at the present limits, where one takes `usual`.
    #[must_use]
    pub fn capacity(&self, now: Timestamp, usual: Duration, most: Most) -> f64 {
        let limit = self.concurrency.limit(most.in_flight) as f64;
        let by_time = limit / usual.max(Duration::from_millis(1)).as_secs_f64();
        by_time.min(self.rate.per_second(now, most.per_second))
    }
}

/// Seconds from one moment to another; none where the clock was set back.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    let elapsed: SignedDuration = to.duration_since(from);
    elapsed.as_secs_f64().max(0.0)
}
