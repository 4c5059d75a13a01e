//! No storm, whatever the reason (contract B12).
//!
//! A token that lived to its planned moment is *settled*; the next one costs nothing. One that is
//! needed sooner comes in one of two ways:
//!
//! * at once, out of an *allowance* of eight, where it was asked for on the Secret (an edit, a
//!   removed timestamp), or where the last token stood for [`CALM`]: what that one corrected was
//!   settled, this is something new;
//! * else by the *ladder*: the first at once, the next ones at intervals that double from 10 s up
//!   to the ordinary renewal. So is everything once the allowance is spent.
//!
//! Somebody who strikes back at once never has the allowance: his tokens come at 0, 0, 10, 30, 70,
//! 150, 310 and 630 s, eight in the first twenty minutes. With any rhythm it is eight more.
//! The memory stands on the Secret, so no restart resets it, and scheduler and secret-writer judge
//! by it alike.

mod early;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use early::Early;

/// Tokens that come at once beside the ladder. Eight edits in a row are those of a person at work;
/// with the eight of the ladder a Secret gets sixteen in twenty minutes.
pub const AT_ONCE_MAX: u32 = 8;
/// A token that stood this long was no part of a fight: a controller that strikes back does so in
/// milliseconds. Notes are cut to whole seconds, so it may be one second less.
const CALM: SignedDuration = SignedDuration::from_secs(2);
/// A token that lived this long brings the whole allowance back. Not sooner: in twenty minutes
/// nobody gets it twice.
const ALLOWANCE_BACK_AFTER: SignedDuration = SignedDuration::from_mins(20);
/// First pause between two corrective tokens of the ladder.
pub const PAUSE_MIN: Duration = Duration::from_secs(10);
/// A token that lived this many times as long as the pause before its replacement ends the streak:
/// somebody corrected a Secret twice a day, and nobody fights over it. With 16, a stranger who
/// comes back at any fixed interval gets at most eight tokens in twenty minutes by the ladder.
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
    /// How many came by the ladder, up to it.
    pub streak: u32,
    /// How many came out of the allowance, up to it.
    pub spent: u32,
    /// Until when it stood as it was written; `None` where it stands, as far as the Secret tells.
    pub stood_until: Option<Timestamp>,
}

impl Memory {
    /// That of a token which was written then and stands, with nothing spent.
    #[must_use]
    pub const fn new(at: Timestamp, streak: u32) -> Self {
        Self { at, streak, spent: 0, stood_until: None }
    }

    /// The same where the token never stood, or nobody knows how long.
    #[must_use]
    pub fn spoilt(self) -> Self {
        Self { stood_until: Some(self.at), ..self }
    }

    /// The moment before which no other token may be issued, `None` when one may come at once.
    /// `ordinary` is the shortest ordinary interval between two renewals of this Secret; `asked`
    /// says that the Secret itself asks for another.
    ///
    /// A memory of the future is that of a clock that ran ahead. It holds nothing: the Secret would
    /// wait until the clock is there, for years perhaps. The next token is noted with the right
    /// moment, so this costs one.
    #[must_use]
    pub fn hold_until(self, now: Timestamp, ordinary: Duration, asked: bool) -> Option<Timestamp> {
        if self.at.duration_since(now) > CLOCKS_APART_MAX || self.may_come_at_once(now, asked) {
            return None;
        }
        let until = self.at.checked_add(self.pause(ordinary)?).ok()?;
        let calm_at = self.at.checked_add(CALM).ok().filter(|_| {
            self.stood_until.is_none() && self.spent_by(now) < AT_ONCE_MAX // if it stands till then
        });
        let until = calm_at.map_or(until, |calm_at| until.min(calm_at));
        (until > now).then_some(until)
    }

    /// What to note beside the next token, issued at `now`; `settled` when the last token lived to
    /// its planned moment.
    #[must_use]
    pub fn next(self, now: Timestamp, settled: bool, ordinary: Duration, asked: bool) -> Self {
        if settled {
            return Self::new(now, 0);
        }
        let age = now.duration_since(self.at);
        let quiet = self
            .pause(ordinary)
            .is_some_and(|pause| age >= pause.saturating_mul(SETTLED_PAUSES as i32));
        let (streak, spent) = (if quiet { 0 } else { self.streak }, self.spent_by(now));
        match self.may_come_at_once(now, asked) {
            true => Self { spent: spent + 1, ..Self::new(now, streak) },
            false => Self { spent, ..Self::new(now, streak.saturating_add(1)) },
        }
    }

    /// Whether this one, noted by our clock just now, takes the place of `held`. Memory never goes
    /// back; but one that is ahead of us comes from before our clock was set back, and holds
    /// nothing: to keep it would be to forget every token from here on.
    #[must_use]
    pub fn replaces(self, held: Self) -> bool {
        self.at >= held.at || held.at.duration_since(self.at) > CLOCKS_APART_MAX
    }

    fn may_come_at_once(self, now: Timestamp, asked: bool) -> bool {
        let stood = self.stood_until.unwrap_or(now).duration_since(self.at);
        self.spent_by(now) < AT_ONCE_MAX && (asked || stood >= CALM)
    }

    fn spent_by(self, now: Timestamp) -> u32 {
        let is_back = now.duration_since(self.at) >= ALLOWANCE_BACK_AFTER;
        if is_back { 0 } else { self.spent.min(AT_ONCE_MAX) } // a note is no more than a text
    }

    fn pause(self, ordinary: Duration) -> Option<SignedDuration> {
        let doublings = self.streak.checked_sub(1)?.min(STREAK_MAX);
        let pause = PAUSE_MIN.saturating_mul(1 << doublings).min(ordinary);
        SignedDuration::try_from(pause).ok()
    }
}

#[cfg(test)]
mod tests;
