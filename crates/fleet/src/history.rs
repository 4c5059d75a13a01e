//! The last attempts at one Secret, for whoever asks why. Nothing is decided by them.
//!
//! Fleets have 100,000 Secrets, so this is what it costs: nothing until the first attempt, 32 bytes
//! for each that is kept, so 32 where all goes well. What went wrong is kept once for attempts in a row that failed
//! alike: a Secret that fails for a day keeps its message once, 48 bytes and the text.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use perennial_core::{failure::Kind, reason::Reason};

use super::attempts::Fault;

/// Attempts that are kept of one Secret.
pub const ATTEMPTS_KEPT_MAX: usize = 8;
/// Of those that went well, which tell little.
pub const WELL_KEPT_MAX: usize = 1;
/// Longest message that is kept, in characters. Those of API servers are cut to 600 before they are
/// put into a sentence of ours.
pub const MESSAGE_CHARS_MAX: usize = 1_000;

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, unique in the life of a fleet.
    pub number: u64,
    at_milliseconds: i64,
    /// Why it was made.
    pub reason: Reason,
    took_milliseconds: u32,
    trouble: Option<Arc<Trouble>>,
}

/// What went wrong in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Class of the failure.
    pub kind: Kind,
    /// Stable, upper-case name of what went wrong.
    pub code: Box<str>,
    /// What went wrong, in words; at most [`MESSAGE_CHARS_MAX`] characters.
    pub message: Box<str>,
}

impl Attempt {
    pub(super) fn ended(number: u64, at: Timestamp, took: Duration, reason: Reason) -> Self {
        let took_milliseconds = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let at_milliseconds = at.as_millisecond();
        Self { number, at_milliseconds, reason, took_milliseconds, trouble: None }
    }

    /// When it was ordered, whole milliseconds.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_milliseconds)
            .expect("these are the milliseconds of a moment")
    }

    /// From the order to its end, whole milliseconds.
    #[must_use]
    pub const fn took(&self) -> Duration {
        Duration::from_millis(self.took_milliseconds as u64)
    }

    /// What went wrong; `None` where the token was written.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_deref()
    }
}

impl Trouble {
    fn of(fault: &Fault) -> Self {
        let message: String = fault.message.chars().take(MESSAGE_CHARS_MAX).collect();
        Self { kind: fault.kind, code: fault.reason.as_str().into(), message: message.into() }
    }
}

/// The last attempts, at most [`ATTEMPTS_KEPT_MAX`].
#[derive(Debug, Default)]
pub(super) struct History(Vec<Attempt>);

impl History {
    pub(super) fn keep(&mut self, attempt: Attempt, fault: Option<&Fault>) {
        let trouble = fault.map(|fault| self.trouble(fault));
        let went_well = |attempt: &Attempt| attempt.trouble.is_none();
        let is_one_too_many =
            trouble.is_none() && self.0.iter().filter(|a| went_well(a)).count() == WELL_KEPT_MAX;
        if let Some(oldest) = self.0.iter().position(went_well).filter(|_| is_one_too_many) {
            self.0.remove(oldest);
        } else if self.0.len() == ATTEMPTS_KEPT_MAX {
            self.0.remove(0);
        }
        self.0.reserve_exact(1);
        self.0.push(Attempt { trouble, ..attempt });
    }

    /// What went wrong, the same one as last time where it is the same.
    pub(super) fn trouble(&self, fault: &Fault) -> Arc<Trouble> {
        let trouble = Trouble::of(fault);
        let last = self.0.last().and_then(|attempt| attempt.trouble.as_ref());
        last.filter(|last| ***last == trouble).map_or_else(|| Arc::new(trouble), Arc::clone)
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Attempt> {
        self.0.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;
    use crate::{
        entry::Entry,
        fixtures::{at, fault},
    };

    fn attempt(number: u64) -> Attempt {
        Attempt::ended(number, at(0), Duration::from_millis(40), Reason::Due)
    }

    #[test]
    fn only_the_last_eight_are_kept_and_the_newest_comes_first() {
        let mut history = History::default();
        (0..20).for_each(|number| history.keep(attempt(number), Some(&fault(Kind::Denied))));
        let numbers: Vec<_> = history.newest_first().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, [19, 18, 17, 16, 15, 14, 13, 12]);
    }

    #[test]
    fn of_those_that_went_well_the_last_is_kept_beside_what_failed() {
        let mut history = History::default();
        for number in 0..20 {
            let fault = (number % 5 == 0).then(|| fault(Kind::Denied));
            history.keep(attempt(number), fault.as_ref());
        }
        let numbers: Vec<_> = history.newest_first().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, [19, 15, 10, 5, 0]);
    }

    #[test]
    fn attempts_that_failed_alike_share_their_words_and_these_are_bounded() {
        let mut history = History::default();
        let refused = Fault { message: "ä".repeat(5_000), ..fault(Kind::Denied) };
        (0..3).for_each(|number| history.keep(attempt(number), Some(&refused)));
        let troubles: Vec<_> = history.0.iter().map(|a| a.trouble.clone().unwrap()).collect();
        assert!(troubles.iter().all(|trouble| Arc::ptr_eq(trouble, &troubles[0])));
        assert_eq!(troubles[0].message.chars().count(), MESSAGE_CHARS_MAX);
        history.keep(attempt(3), Some(&fault(Kind::Unavailable)));
        assert_eq!(history.0[3].trouble().unwrap().kind, Kind::Unavailable);
    }

    #[test]
    fn a_secret_costs_what_the_documentation_says() {
        assert_eq!(size_of::<Attempt>(), 32);
        assert_eq!(size_of::<Trouble>(), 40);
        assert!(size_of::<Entry>() <= 512, "{} bytes a Secret", size_of::<Entry>());
    }
}
