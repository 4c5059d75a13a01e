//! What is remembered of one Secret.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::storm::Memory;

use super::pace::{Pace, TOKENS_MAX};

/// A moment this far ahead of our clock is that of a clock which was set back since. It holds
/// nothing, or the Secret would wait until the clock is there again.
const CLOCK_STEP: SignedDuration = SignedDuration::from_secs(10);

/// It cannot see why a token is wanted, so the allowance is given whatever the cause.
const ASKED: bool = true;

/// The tokens that a Secret got.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub memory: Memory,
    granted_seconds: i64,
    /// The last [`TOKENS_MAX`], the latest last.
    moments: VecDeque<Timestamp>,
    /// Why the last one was not passed on, where it was not.
    pub dropped: Option<String>,
}

impl Entry {
    /// A Secret got its first token.
    pub(super) fn first(now: Timestamp, granted_seconds: i64) -> Self {
        let memory = Memory::new(now, 0);
        Self { memory, granted_seconds, moments: VecDeque::from([now]), dropped: None }
    }

    /// It got another one.
    pub(super) fn count(&mut self, now: Timestamp, granted_seconds: i64, pace: Pace) {
        let settled = self.has_lived(now, pace.settled_after(self.granted_seconds));
        let pause_max = pace.pause_max(self.granted_seconds);
        if self.moments.len() == TOKENS_MAX {
            self.moments.pop_front();
        }
        self.moments.push_back(now);
        self.memory = self.memory.next(now, settled, pause_max, ASKED);
        (self.granted_seconds, self.dropped) = (granted_seconds, None);
    }

    /// The moment before which it gets no other one; `None` when it may get one at once.
    pub(super) fn hold_until(&self, now: Timestamp, pace: Pace) -> Option<Timestamp> {
        let pause = self.memory.hold_until(now, pace.pause_max(self.granted_seconds), ASKED);
        pause.max(self.full_until(now, pace))
    }

    /// Where the last stretch is full of tokens: its end.
    fn full_until(&self, now: Timestamp, pace: Pace) -> Option<Timestamp> {
        let is_ahead = |moment: &Timestamp| moment.duration_since(now) > CLOCK_STEP;
        if self.moments.len() < TOKENS_MAX || self.moments.iter().any(is_ahead) {
            return None;
        }
        let first = self.moments.front()?;
        first.checked_add(pace.stretch()).ok().filter(|until| *until > now)
    }

    /// Whether forgetting it changes nothing, but that a streak which is over starts from zero.
    pub(super) fn is_spent(&self, now: Timestamp, pace: Pace) -> bool {
        let settled = self.has_lived(now, pace.settled_after(self.granted_seconds));
        let pause_max = pace.pause_max(self.granted_seconds);
        let next = self.memory.next(now, settled, pause_max, ASKED);
        next.streak + next.spent <= 1
            && self.has_lived(now, pace.stretch())
            && self.hold_until(now, pace).is_none()
    }

    fn has_lived(&self, now: Timestamp, least: Duration) -> bool {
        let age = now.duration_since(self.memory.at);
        SignedDuration::try_from(least).is_ok_and(|least| age >= least)
    }
}
