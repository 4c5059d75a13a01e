//! No storm, whatever the reason (contract B12).
//!
//! A token that lived to its planned moment is *settled*; the next one costs nothing. A token that
//! had to be replaced sooner counts into a streak: the first replacement comes at once, the next
//! ones at intervals that double from 10 s up to the ordinary renewal. The memory stands on the
//! Secret, so no restart resets it, and scheduler and secret-writer judge by it alike.
//!
//! With a streak that never ends the tokens come at 0, 0, 10, 30, 70, 150, 310 and 630 s: eight in
//! the first twenty minutes.

mod early;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use early::Early;

/// First pause between two corrective tokens.
pub const PAUSE_MIN: Duration = Duration::from_secs(10);
/// A token that lived this many times as long as the pause before its replacement ends the streak:
/// somebody corrected a Secret twice a day, and nobody fights over it. With 16, a stranger who
/// comes back at any fixed interval gets at most eight tokens in twenty minutes.
const SETTLED_PAUSES: u32 = 16;
/// How far the clocks of two processes of ours may be apart.
const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(10);
/// Beyond it pauses do not grow: 10 s × 2^24 is more than five years.
const STREAK_MAX: u32 = 24;

/// What is remembered of the last token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// When it was written.
    pub at: Timestamp,
    /// How many in a row were replaced before their planned moment, up to it.
    pub streak: u32,
}

impl Memory {
    /// The moment before which no other token may be issued, `None` when one may come at once.
    /// `ordinary` is the shortest ordinary interval between two renewals of this Secret.
    ///
    /// A memory of the future is that of a clock that ran ahead. It holds nothing: the Secret would
    /// wait until the clock is there, for years perhaps. The next token is noted with the right
    /// moment, so this costs one.
    #[must_use]
    pub fn hold_until(self, now: Timestamp, ordinary: Duration) -> Option<Timestamp> {
        if self.at.duration_since(now) > CLOCKS_APART_MAX {
            return None;
        }
        let until = self.at.checked_add(self.pause(ordinary)?).ok()?;
        (until > now).then_some(until)
    }

    /// The streak to note beside the next token, issued at `now`; `settled` when the last token
    /// lived to its planned moment.
    #[must_use]
    pub fn next_streak(self, now: Timestamp, settled: bool, ordinary: Duration) -> u32 {
        let age = now.duration_since(self.at);
        let quiet = self
            .pause(ordinary)
            .is_some_and(|pause| age >= pause.saturating_mul(SETTLED_PAUSES as i32));
        match (settled, quiet) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => self.streak.saturating_add(1),
        }
    }

    /// Whether this one, noted by our clock just now, takes the place of `held`. Memory never goes
    /// back; but one that is ahead of us comes from before our clock was set back, and holds
    /// nothing: to keep it would be to forget every token from here on.
    #[must_use]
    pub fn replaces(self, held: Self) -> bool {
        self.at >= held.at || held.at.duration_since(self.at) > CLOCKS_APART_MAX
    }

    fn pause(self, ordinary: Duration) -> Option<SignedDuration> {
        let doublings = self.streak.checked_sub(1)?.min(STREAK_MAX);
        let pause = PAUSE_MIN.saturating_mul(1 << doublings).min(ordinary);
        SignedDuration::try_from(pause).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::at;

    const ORDINARY: Duration = Duration::from_secs(12 * 3_600 * 72 / 100);
    const TWENTY_MINUTES: i64 = 20 * 60;

    /// Moments at which tokens are issued when each is spoilt at once or at the next multiple of
    /// `period`.
    fn tokens_under_attack(period: i64) -> Vec<i64> {
        let mut issued = vec![0];
        let mut memory = Memory { at: at(0), streak: 0 };
        loop {
            let last = *issued.last().unwrap();
            let spoilt = if period == 0 { last } else { (last / period + 1) * period };
            let next = memory
                .hold_until(at(spoilt), ORDINARY)
                .map_or(spoilt, |t| t.as_second().max(spoilt));
            if next > TWENTY_MINUTES {
                return issued;
            }
            issued.push(next);
            memory = Memory { at: at(next), streak: memory.next_streak(at(next), false, ORDINARY) };
        }
    }

    #[test]
    fn b12_an_endless_fight_costs_eight_tokens_in_twenty_minutes() {
        assert_eq!(tokens_under_attack(0), [0, 0, 10, 30, 70, 150, 310, 630]);
    }

    proptest! {
        #[test]
        fn b12_no_rhythm_of_a_stranger_gets_more(period in 0_i64..1_300) {
            prop_assert!(tokens_under_attack(period).len() <= 8, "{:?}", tokens_under_attack(period));
        }

        #[test]
        fn a_pause_never_exceeds_the_ordinary_interval(
            streak in any::<u32>(), ordinary in 1_u64..100_000,
        ) {
            let hold = Memory { at: at(0), streak }.hold_until(at(0), Duration::from_secs(ordinary));
            prop_assert!(hold.is_none_or(|t| t <= at(ordinary as i64)));
        }
    }

    #[test]
    fn a_memory_of_the_future_holds_nothing() {
        let memory = Memory { at: at(100_000), streak: 3 };
        assert_eq!(memory.hold_until(at(0), ORDINARY), None);
        assert_eq!(memory.hold_until(at(99_995), ORDINARY), Some(at(100_040)));
        assert_eq!(memory.hold_until(at(100_040), ORDINARY), None);
    }

    #[test]
    fn a_memory_takes_the_place_of_an_older_one_and_of_one_from_the_future() {
        let memory = |seconds| Memory { at: at(seconds), streak: 1 };
        assert!(memory(100).replaces(memory(50)));
        assert!(!memory(100).replaces(memory(105)), "two processes, two clocks");
        assert!(memory(100).replaces(memory(100_000)), "the clock was set back");
    }

    #[test]
    fn a_settled_token_ends_the_streak() {
        let memory = Memory { at: at(0), streak: 7 };
        assert_eq!(memory.next_streak(at(30_000), true, ORDINARY), 0);
    }
}
