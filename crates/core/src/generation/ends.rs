//! Until when older generations live: each as it was promised, whatever is revoked afterwards.
//!
//! ```text
//! revoked up to 1, 12 s    ├───────────┤ 1 goes
//! revoked up to 2, 45 s        ├──────────────────────────────┤ 2 goes, and not 1 with it
//! ```
//!
//! A promise is kept or shortened, never prolonged.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Noted, Number};

/// Most ends of one Secret that differ, with the last one. Where there are more, the two that are nearest in time become
/// the earlier of them. Each takes 50 bytes of a note.
pub const ENDS_MAX: usize = 4;

/// All generations up to one go at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// The newest that goes.
    pub up_to: Number,
    /// When, by our clock.
    pub until: Timestamp,
}

impl End {
    /// The token's own generation and newer ones never go.
    fn at_most(self, up_to: Number) -> Self {
        Self { up_to: self.up_to.min(up_to), ..self }
    }
}

/// The ends of the older generations of one Secret: the older one goes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<End>")]
pub struct Ends(Vec<End>);

impl Ends {
    /// One more promise. What goes sooner by another one goes by that.
    pub fn add(&mut self, end: End) {
        if end.up_to == 0 || self.of(end.up_to).is_some_and(|until| until <= end.until) {
            return;
        }
        self.0.retain(|other| other.up_to > end.up_to || other.until < end.until);
        let place = self.0.partition_point(|other| other.up_to < end.up_to);
        self.0.insert(place, end);
        while self.0.len() > ENDS_MAX {
            self.merge_nearest();
        }
    }

    /// All of another one.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|end| self.add(*end));
    }

    /// The same, with all that are over as one: else they would take the place of those that are not.
    #[must_use]
    pub fn settled(mut self, now: Timestamp) -> Self {
        let over = self.0.partition_point(|end| end.until <= now);
        if let Some((first, last)) = self.0.first().copied().zip(over.checked_sub(1)) {
            self.0[last].until = first.until;
            self.0.drain(..last);
        }
        self
    }

    /// When a generation goes; `None` where nothing was promised of it.
    #[must_use]
    pub fn of(&self, generation: Number) -> Option<Timestamp> {
        self.0.iter().find(|end| end.up_to >= generation).map(|end| end.until)
    }

    /// All generations up to this one are to be gone by now; 0 where none is.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Number {
        let over = self.0.iter().take_while(|end| end.until <= now);
        over.last().map_or(0, |end| end.up_to)
    }

    /// The next moment after `now` at which one goes.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().map(|end| end.until).find(|until| *until > now)
    }

    /// Each of them, the oldest generation first.
    pub fn iter(&self) -> impl Iterator<Item = End> + '_ {
        self.0.iter().copied()
    }

    /// Whether nothing is promised.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn merge_nearest(&mut self) {
        let apart = |at: &usize| self.0[at + 1].until.duration_since(self.0[*at].until);
        let Some(nearest) = (0..self.0.len().saturating_sub(1)).min_by_key(apart) else { return };
        let earlier = self.0.remove(nearest);
        self.0[nearest].until = earlier.until;
    }
}

impl From<Vec<End>> for Ends {
    fn from(all: Vec<End>) -> Self {
        all.into_iter().collect()
    }
}

impl FromIterator<End> for Ends {
    fn from_iter<I: IntoIterator<Item = End>>(all: I) -> Self {
        let mut ends = Self::default();
        all.into_iter().for_each(|end| ends.add(end));
        ends
    }
}

impl Noted {
    /// What was noted of older generations. `usual` is the end of those of which nothing is.
    #[must_use]
    pub fn ends(&self, usual: Option<Timestamp>) -> Ends {
        let up_to = self.number.saturating_sub(1);
        let last = self.older_until.or(usual).map(|until| End { up_to, until });
        self.sooner.iter().chain(last).map(|end| end.at_most(up_to)).collect()
    }

    /// The same with these ends as well, at that moment.
    #[must_use]
    pub fn with(self, now: Timestamp, ends: Ends) -> Self {
        let up_to = self.number.saturating_sub(1);
        let mut all = self.ends(None).settled(now);
        // One that names more must not hide one that is kept, and then go itself.
        ends.settled(now).iter().for_each(|end| all.add(end.at_most(up_to)));
        let older_until = all.of(up_to);
        let sooner = all.iter().filter(|end| end.up_to < up_to).collect();
        Self { older_until, sooner, ..self }
    }
}

#[cfg(test)]
mod tests;
