//! Clocks that are moved by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use perennial_core::clock::Clock;

/// A clock that stands still until it is moved. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>); // microseconds since the epoch

impl ManualClock {
    /// A clock that stands at `now`, to the microsecond.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_microsecond())))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).expect("tests advance by less than 292,000 years");
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    /// Moves it to `now`, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst))
            .expect("it is only ever set to a Timestamp")
    }
}

/// A clock that runs like another one and can be put forward. Clones are the same clock.
///
/// Where real sockets and timers are at work a clock that stands still would hold up whatever
/// waits a second; this one goes on, and jumps over the hours between two renewals.
#[derive(Clone, Debug)]
pub struct ShiftedClock {
    inner: Arc<dyn Clock>,
    ahead: Arc<AtomicI64>, // microseconds
}

impl ShiftedClock {
    /// A clock that shows what `inner` shows.
    #[must_use]
    pub fn new(inner: Arc<dyn Clock>) -> Self {
        Self { inner, ahead: Arc::default() }
    }

    /// A clock of its own that is `by` ahead of this one, or behind it.
    #[must_use]
    pub fn skewed(&self, by: SignedDuration) -> Self {
        let by = i64::try_from(by.as_micros()).expect("tests skew by less than 292,000 years");
        Self { inner: Arc::new(self.clone()), ahead: Arc::new(AtomicI64::new(by)) }
    }

    /// Puts it forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).expect("tests advance by less than 292,000 years");
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_micros(self.ahead.load(Ordering::SeqCst));
        self.inner.now().saturating_add(ahead).expect("a duration has no calendar units")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_by_hand_and_for_every_clone() {
        let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let clock = ManualClock::at(noon);
        let clone = clock.clone();
        assert_eq!(clone.now(), noon);

        clock.advance(Duration::from_secs(90));
        assert_eq!(clone.now().to_string(), "2026-11-23T12:01:30Z");

        clone.set(noon);
        assert_eq!(clock.now(), noon);
    }

    #[test]
    fn a_shifted_clock_runs_ahead_of_its_inner_one() {
        let inner = ManualClock::at("2026-11-23T12:00:00Z".parse().unwrap());
        let clock = ShiftedClock::new(Arc::new(inner.clone()));
        assert_eq!(clock.now(), inner.now());

        clock.advance(Duration::from_secs(10 * 3_600));
        inner.advance(Duration::from_secs(1));
        assert_eq!(clock.now().to_string(), "2026-11-23T22:00:01Z");
        let behind = clock.skewed(SignedDuration::from_hours(-13));
        assert_eq!(behind.now().to_string(), "2026-11-23T09:00:01Z");
    }
}
