//! What is known of keys and issuers, which tokens that makes outdated, and when each is replaced.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::Marks;
use crate::{
    reason::Reason,
    record::{Held, Record},
    window::place_of,
};

/// Over how long the tokens of a withdrawn key are replaced. With a probe a minute the first poll
/// without the key is 60 s behind its end, the third 120 s later, and the scheduler hears of it
/// at once: 60 + 120 + 90 = 270 s, which leaves 30 s of the five minutes for the renewals.
const KEY_SPREAD: Duration = Duration::from_secs(90);
/// Pause before the first token of a former issuer is replaced: API servers that are rolled over
/// issue as both for a while.
const ISSUER_PAUSE: Duration = Duration::from_secs(120);
/// Over how long the tokens of a former issuer are replaced. They work until somebody takes their
/// issuer away, so there is time.
const ISSUER_SPREAD: Duration = Duration::from_secs(300);
const _: () = assert!(60 + 120 + KEY_SPREAD.as_secs() + 30 <= 5 * 60);

/// A moment that has passed by any clock.
const AT_ONCE: Timestamp = Timestamp::UNIX_EPOCH;
/// Two API servers that sign with two keys by turns, and a few tokens, may look like a rotation again
/// and again. So a token of our own that was issued for one is not replaced for the next one sooner.
const ROTATIONS_APART: SignedDuration = SignedDuration::from_hours(1);

/// `iat` is whole seconds of the shoot's clock, which is known to 2 s, and a poll takes up to 20 s:
/// a token that is younger than a settled set by less may have been signed before.
const SIGNED_TOLERANCE: SignedDuration = SignedDuration::from_secs(25);
/// An `iat` further ahead of the shoot's clock is a token from the future, which testifies nothing.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// The key set of a shoot, as all that poll it see it together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet<'a> {
    /// Ids in the set of any of them.
    pub ids: BTreeSet<&'a str>,
    /// Since when it is the same for each of them, by our clock.
    pub settled_since: Option<Timestamp>,
    /// The shoot's clock minus ours.
    pub clock_offset: Option<SignedDuration>,
    /// Ids that were in the set before, as far as anybody remembers; some may be in it again.
    pub known: BTreeSet<&'a str>,
}

/// A token that is to be replaced although it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// [`Reason::KeyWithdrawn`], [`Reason::KeyRotated`] or [`Reason::IssuerChanged`].
    pub reason: Reason,
    /// When, by our clock: each token of a shoot at another moment.
    pub at: Timestamp,
}

/// Why it cannot be told whether the key of a token that is not in the key set was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// The set has not been the same long enough.
    NotSettled,
    /// Nobody who remembers has ever seen it in the set.
    NeverPublished,
    /// The newest token of the shoot is signed by a key that is not in the set either.
    NewestNotPublished,
    /// It has signed a token after it left the set.
    StillSigns,
}

/// What of keys and issuers of a shoot is withdrawn or former, and since when we know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    withdrawn: BTreeMap<String, Timestamp>,
    successor: Option<(String, Timestamp)>,
    /// The key that signs by now, and when it did last, by the shoot's clock.
    next_key: Option<(String, Timestamp)>,
}

impl Rotation {
    /// What is to be said at `now`; what was said before keeps its moment.
    #[must_use]
    pub fn review(&self, now: Timestamp, keys: &KeySet<'_>, marks: &Marks) -> Self {
        // A clock that was set back must not put a moment off for hours.
        let begun = |before: Option<Timestamp>| before.map_or(now, |before| before.min(now));
        let gone = keys.known.difference(&keys.ids);
        let withdrawn = gone
            .filter(|id| untold(now, keys, marks, id).is_none())
            .map(|id| ((*id).to_owned(), begun(self.withdrawn.get(*id).copied())))
            .collect();
        let successor = keys.horizon(now).and_then(|until| marks.successor(until)).map(|issuer| {
            let before = self.successor.as_ref().filter(|(before, _)| before == issuer);
            (issuer.to_owned(), begun(before.map(|(_, since)| *since)))
        });
        let next_key = keys.horizon(now).and_then(|until| marks.next_key(until));
        // Where it stays the same key, the moment is of no interest.
        let next_key = next_key.map(|(key, last)| {
            let before = self.next_key.as_ref().filter(|(before, _)| before == key);
            before.cloned().unwrap_or_else(|| (key.to_owned(), last))
        });
        Self { withdrawn, successor, next_key }
    }

    /// Whether nothing is withdrawn or former. It stays so while all tokens are of one key and issuer
    /// and no key has left the set.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.withdrawn.is_empty() && self.successor.is_none() && self.next_key.is_none()
    }

    /// Whether a token of this key and issuer is surely not [outdated](Self::outdated), for a look that
    /// costs next to nothing.
    #[must_use]
    pub fn spares(&self, key_id: Option<&str>, issuer: &str, first: bool) -> bool {
        let may_be_former = first && self.next_key.is_some();
        let is_withdrawn = self.withdrawn.contains_key(key_id.unwrap_or_default());
        !may_be_former
            && !is_withdrawn
            && self.successor.as_ref().is_none_or(|(successor, _)| successor == issuer)
    }

    /// Whether, and when, this token is to be replaced. `first` is for the one that is needed for
    /// all others.
    #[must_use]
    pub fn outdated(&self, record: &Record, first: bool) -> Option<Outdated> {
        let Held::Token(claims) = &record.held else { return None };
        let at = |since: Timestamp, pause: Duration, spread: Duration, cause: &str| {
            let seed = format!("{} {cause}", record.uid);
            let place = if first { 0.0 } else { place_of(seed.as_bytes()) };
            since.checked_add(pause + spread.mul_f64(place)).unwrap_or(since)
        };
        let key = claims.key_id.as_deref().unwrap_or_default();
        if let Some(since) = self.withdrawn.get(key) {
            let at = at(*since, Duration::ZERO, KEY_SPREAD, key);
            return Some(Outdated { reason: Reason::KeyWithdrawn, at });
        }
        if first && self.is_of_a_former_key(record) {
            return Some(Outdated { reason: Reason::KeyRotated, at: AT_ONCE });
        }
        // Somebody else's token may be meant to have another issuer. And a token that was issued for
        // this very reason is not replaced for it again: where two issue by turns, luck decides.
        let note = record.issued.as_ref().filter(|note| note.reason != Reason::IssuerChanged)?;
        debug_assert_eq!(note.iss, claims.issuer, "a note belongs to its token");
        let (successor, since) = self.successor.as_ref()?;
        (claims.issuer != *successor).then(|| {
            let at = at(*since, ISSUER_PAUSE, ISSUER_SPREAD, successor);
            Outdated { reason: Reason::IssuerChanged, at }
        })
    }

    /// The token that reaches the shoot must not be the last one of an old key: whoever drops that key
    /// would shut us out, and with a bootstrap credential that has ended for good.
    fn is_of_a_former_key(&self, record: &Record) -> bool {
        let (Held::Token(claims), Some(note), Some((key, signed_at))) =
            (&record.held, &record.issued, &self.next_key)
        else {
            return false;
        };
        let was_just_done = note.reason == Reason::KeyRotated
            && signed_at.duration_since(claims.issued_at) < ROTATIONS_APART;
        claims.key_id.as_deref() != Some(key.as_str())
            && claims.issued_at < *signed_at
            && !was_just_done
    }

    /// Why it is not told of the key of this token that it was withdrawn; `None` where it is, or
    /// where the key is in the set.
    #[must_use]
    pub fn untold(
        now: Timestamp,
        keys: &KeySet<'_>,
        marks: &Marks,
        record: &Record,
    ) -> Option<Untold> {
        let key = record.held.claims()?.key_id.as_deref()?;
        if keys.ids.is_empty() || keys.ids.contains(key) {
            return None;
        }
        untold(now, keys, marks, key)
    }
}

impl KeySet<'_> {
    /// Tokens issued after it, by the shoot's clock, are from the future.
    fn horizon(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_add(self.clock_offset?).ok()?.checked_add(FUTURE_TOLERANCE).ok()
    }
}

fn untold(now: Timestamp, keys: &KeySet<'_>, marks: &Marks, key: &str) -> Option<Untold> {
    let (Some(settled), Some(offset), Some(until)) =
        (keys.settled_since, keys.clock_offset, keys.horizon(now))
    else {
        return Some(Untold::NotSettled);
    };
    let newest = marks.newest_keys(until);
    let tolerated = settled.checked_add(offset + SIGNED_TOLERANCE).unwrap_or(settled);
    if !keys.known.contains(key) {
        Some(Untold::NeverPublished)
    } else if newest.is_empty() || !newest.iter().all(|key| keys.ids.contains(key)) {
        Some(Untold::NewestNotPublished)
    } else {
        let signed_since = marks.last_signed(key, until).is_some_and(|last| last > tolerated);
        signed_since.then_some(Untold::StillSigns)
    }
}

#[cfg(test)]
mod tests;
