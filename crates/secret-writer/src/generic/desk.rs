//! The Secrets for generic kubeconfigs, and what is to be done about each. Pure: the moment is an
//! argument, and so is what should stand in a Secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{
    failure::Failure as _,
    name::{Namespace, SecretRef},
};
use perennial_kube::{
    Error,
    events::{Notice, REPEAT_MIN},
    generic::{Content, Generic, Outcome},
};

use super::{pace::Pace, trouble};

/// An Event that could not be published is tried again after this.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// All Secrets that are known.
#[derive(Debug, Default)]
pub(super) struct Desk {
    places: BTreeMap<SecretRef, Place>,
    /// To be looked at.
    dirty: BTreeSet<SecretRef>,
    /// Counts the whole sets that the watch began to tell.
    generation: u64,
}

/// One Secret.
#[derive(Debug)]
struct Place {
    seen: Generic,
    /// Generation in which the watch last told it.
    told_in: u64,
    /// `seen` is an answer to a call of ours, which the watch tells later.
    is_ahead: bool,
    in_flight: bool,
    /// What we wrote last.
    wrote: Option<Content>,
    pace: Pace,
    standing: Standing,
    /// An Event to be published.
    notice: Option<Notice>,
    /// Name of the Event that was last tried, when, and when it may be again.
    told: Option<(String, Timestamp, Duration)>,
}

/// How a Secret stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What should stand there does.
    Current,
    /// Nobody knows yet where its shoot is.
    Waiting,
    /// It is to be written when its pause is over.
    Pausing,
    /// It cannot be written.
    Obstructed,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Current, Self::Waiting, Self::Pausing, Self::Obstructed];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Waiting => "waiting",
            Self::Pausing => "pausing",
            Self::Obstructed => "obstructed",
        }
    }
}

/// A call to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Write { secret: SecretRef, document: String },
    Tell(Notice),
}

/// What the watch tells.
impl Desk {
    pub(super) fn begin_snapshot(&mut self) {
        self.generation += 1;
        // A seed restored from a backup tells older versions, and is right.
        self.places.values_mut().for_each(|place| place.is_ahead = false);
    }

    pub(super) fn complete_snapshot(&mut self) {
        let generation = self.generation;
        self.places.retain(|_, place| place.told_in == generation);
    }

    pub(super) fn upsert(&mut self, seen: Generic) {
        let secret = seen.secret.clone();
        let generation = self.generation;
        let place = self.places.entry(secret.clone()).or_insert_with(|| Place::of(seen.clone()));
        place.told_in = generation;
        let held = &place.seen.resource_version;
        if place.is_ahead && seen.resource_version.is_older_than(held) {
            return; // the past
        }
        if place.seen.uid != seen.uid {
            (place.wrote, place.told) = (None, None);
        }
        (place.seen, place.is_ahead) = (seen, false);
        self.dirty.insert(secret);
    }

    pub(super) fn remove(&mut self, secret: &SecretRef) {
        self.places.remove(secret);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// What else may change something.
impl Desk {
    /// Another word of where a shoot is.
    pub(super) fn shoot_changed(&mut self, shoot: &Namespace) {
        let of_shoot = self.places.keys().filter(|secret| secret.namespace == *shoot);
        self.dirty.extend(of_shoot.cloned());
    }

    pub(super) fn all_changed(&mut self) {
        self.dirty.extend(self.places.keys().cloned());
    }

    /// Looks again at what pauses, and at trouble that stays.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        let due = self.places.iter().filter(|(_, place)| match place.standing {
            Standing::Pausing => place.pace.admits(now),
            Standing::Obstructed => !place.was_told_lately(now),
            Standing::Current | Standing::Waiting => false,
        });
        self.dirty.extend(due.map(|(secret, _)| secret.clone()));
    }

    /// A write came to its end.
    pub(super) fn written(
        &mut self,
        secret: &SecretRef,
        outcome: Result<Outcome, Error>,
        now: Timestamp,
    ) {
        let Some(place) = self.places.get_mut(secret) else { return };
        place.in_flight = false;
        self.dirty.insert(secret.clone());
        match outcome {
            Ok(Outcome::Written(seen)) => {
                place.pace.written(now);
                place.wrote = seen.held;
                (place.seen, place.is_ahead) = (seen, true);
            }
            Ok(Outcome::Current(seen) | Outcome::Obstructed(seen)) => {
                (place.seen, place.is_ahead) = (seen, true);
            }
            Ok(Outcome::Gone) => drop(self.places.remove(secret)),
            Err(error) => {
                place.pace.failed(error.kind(), now);
                if let Some(notice) = trouble::refused(&place.seen, &error) {
                    place.tell(notice, now);
                }
            }
        }
    }

    /// An Event was published, or could not be.
    pub(super) fn told(&mut self, notice: &Notice, done: bool, now: Timestamp) {
        if let Some(place) = self.places.get_mut(&notice.secret) {
            let again = if done { REPEAT_MIN } else { TELL_AGAIN };
            place.told = Some((notice.event_name(), now, again));
        }
    }

    /// How many Secrets stand how.
    pub(super) fn count(&self) -> [(Standing, usize); 4] {
        let of = |standing| self.places.values().filter(|p| p.standing == standing).count();
        Standing::ALL.map(|standing| (standing, of(standing)))
    }
}

/// What is to be done.
impl Desk {
    /// The next call, where there is one. `document` says what should stand in the Secrets of a
    /// shoot.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        document: impl Fn(&Namespace) -> Option<String>,
    ) -> Option<Job> {
        while let Some(secret) = self.dirty.first().cloned() {
            let Some(place) = self.places.get_mut(&secret) else {
                self.dirty.remove(&secret);
                continue;
            };
            if let Some(document) = place.look(now, document(&secret.namespace)) {
                place.in_flight = true;
                self.dirty.remove(&secret);
                return Some(Job::Write { secret, document });
            }
            if let Some(notice) = place.notice.take() {
                return Some(Job::Tell(notice));
            }
            self.dirty.remove(&secret);
        }
        None
    }
}

impl Place {
    fn of(seen: Generic) -> Self {
        Self {
            seen,
            told_in: 0,
            is_ahead: false,
            in_flight: false,
            wrote: None,
            pace: Pace::default(),
            standing: Standing::Waiting,
            notice: None,
            told: None,
        }
    }

    /// Compares what stands there with what should, and says what is to be written.
    fn look(&mut self, now: Timestamp, document: Option<String>) -> Option<String> {
        if self.in_flight {
            return None; // looked at again at its end
        }
        let Some(document) = document else {
            self.standing = Standing::Waiting;
            return None;
        };
        if self.seen.held == Some(Content::of(document.as_bytes())) {
            self.standing = Standing::Current;
            return None;
        }
        if self.seen.obstacle.is_some() {
            self.standing = Standing::Obstructed;
            if let Some(notice) = trouble::obstructed(&self.seen) {
                self.tell(notice, now);
            }
            return None;
        }
        self.standing = Standing::Pausing;
        let by_somebody_else = self.wrote.is_some() && self.seen.held != self.wrote;
        if by_somebody_else && let Some(notice) = trouble::contested(&self.seen, &self.pace) {
            self.tell(notice, now);
        }
        self.pace.admits(now).then_some(document)
    }

    /// Has an Event published, unless it was lately.
    fn tell(&mut self, notice: Notice, now: Timestamp) {
        let is_known = self.told.as_ref().is_some_and(|(name, ..)| *name == notice.event_name());
        if !is_known || !self.was_told_lately(now) {
            // Remembered from here on: looks while it is being published must not repeat it.
            self.told = Some((notice.event_name(), now, TELL_AGAIN));
            self.notice = Some(notice);
        }
    }

    fn was_told_lately(&self, now: Timestamp) -> bool {
        self.told.as_ref().is_some_and(|(_, at, again)| {
            let passed = Duration::try_from(now.duration_since(*at)).unwrap_or(Duration::MAX);
            passed < *again // a clock that was set back is no silence
        })
    }
}
