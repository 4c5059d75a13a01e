//! What is to be published, and when it is looked at again. Pure: the moment is an argument.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{backoff::doubled, name::SecretRef};
use perennial_kube::{
    access::Seen,
    events::{Notice, REPEAT_MIN},
};

use super::trouble::{Finding, Trouble, of_seen};
use crate::{metrics::Metrics, store::Event};

/// Secrets that wait for their Event; what does not fit is looked at again after [`LATER`].
const WAITING_MAX: usize = 10_000;
const LATER: Duration = Duration::from_secs(60);
/// An Event whose words are no longer true is corrected at most once in this time, whoever edits the
/// Secret however fast.
pub(super) const REWORD_MIN: Duration = Duration::from_secs(10);
/// Pauses after a failure double from here, while the seed takes no Events.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The trouble of all Secrets. Holds nothing for a Secret without any.
#[derive(Debug, Default)]
pub(super) struct Desk {
    places: BTreeMap<SecretRef, Place>,
    waiting: VecDeque<SecretRef>,
    /// By name of the Event.
    told: HashMap<String, Told>,
    failures: u32,
    pause: Option<Wait>,
    tidied: Option<Wait>,
}

/// When an Event was last published or found to be there, and with which words.
#[derive(Debug)]
struct Told {
    at: Timestamp,
    message: String,
}

/// One Secret.
#[derive(Debug)]
struct Place {
    seen: Arc<Seen>,
    /// What its record says, to be published.
    of_record: Option<Trouble>,
    /// How its last renewal was refused, to be published.
    refused: Option<Trouble>,
    look_again: Option<Wait>,
    waits: bool,
}

/// A span on the wall clock. One that was set back ends it.
#[derive(Clone, Copy, Debug)]
struct Wait {
    from: Timestamp,
    until: Timestamp,
}

impl Wait {
    fn of(length: Duration, from: Timestamp) -> Self {
        Self { from, until: from.saturating_add(length).unwrap_or(Timestamp::MAX) }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now < self.from || now >= self.until
    }
}

impl Desk {
    /// What the store tells.
    pub(super) fn hear(&mut self, event: Event, now: Timestamp, metrics: &Metrics) {
        match event {
            Event::Upsert(seen) => self.look(seen, now, metrics),
            Event::Removed(secret) => drop(self.places.remove(&secret)),
            Event::SnapshotComplete => {}
        }
    }

    /// A renewal was refused.
    pub(super) fn refused(
        &mut self,
        seen: Arc<Seen>,
        trouble: Trouble,
        now: Timestamp,
        metrics: &Metrics,
    ) {
        let notice = notice(&seen, trouble.clone());
        if self.was_told_lately(&notice, now) {
            return;
        }
        let secret = seen.record.secret.clone();
        self.places.entry(secret.clone()).or_insert_with(|| Place::of(seen)).refused =
            Some(trouble);
        self.put(&secret, now, metrics);
    }

    /// Looks again at what was to be looked at again by now.
    pub(super) fn look_again(&mut self, now: Timestamp, metrics: &Metrics) {
        let due = |place: &Place| place.look_again.is_some_and(|wait| wait.is_over(now));
        let due = self.places.values().filter(|place| due(place));
        let due: Vec<_> = due.map(|place| Arc::clone(&place.seen)).collect();
        for seen in due {
            self.look(seen, now, metrics);
        }
        if self.tidied.is_none_or(|wait| wait.is_over(now)) {
            self.tidied = Some(Wait::of(LATER, now));
            self.told.retain(|_, told| is_within(REPEAT_MIN, told.at, now));
        }
    }

    /// The next notice to be published; none while the seed takes none.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Notice> {
        if self.pause.is_some_and(|pause| !pause.is_over(now)) {
            return None;
        }
        while let Some(secret) = self.waiting.front() {
            let Some(place) = self.places.get_mut(secret) else {
                self.waiting.pop_front();
                continue;
            };
            if let Some(trouble) = place.of_record.take().or_else(|| place.refused.take()) {
                return Some(notice(&place.seen, trouble));
            }
            place.waits = false;
            if place.look_again.is_none() {
                self.places.remove(secret);
            }
            self.waiting.pop_front();
        }
        None
    }

    /// There is an Event for this notice.
    pub(super) fn published(&mut self, notice: &Notice, now: Timestamp) {
        let told = Told { at: now, message: notice.message.clone() };
        self.told.insert(notice.event_name(), told);
        (self.failures, self.pause) = (0, None);
    }

    /// It could not be published; where it may be later, it waits for that. A refusal comes back
    /// with the next attempt at the renewal anyway.
    pub(super) fn failed(&mut self, notice: Notice, may_later: bool, now: Timestamp) {
        let pause = doubled(PAUSE_MIN, self.failures, PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(Wait::of(pause, now));
        if let Some(place) = self.places.get_mut(&notice.secret)
            && may_later
            && place.look_again.is_some()
        {
            place.look_again = Some(Wait::of(pause, now));
        }
    }

    fn look(&mut self, seen: Arc<Seen>, now: Timestamp, metrics: &Metrics) {
        let secret = seen.record.secret.clone();
        let finding = of_seen(&seen, now);
        if finding == Finding::Well && !self.places.contains_key(&secret) {
            return;
        }
        let place = self.places.entry(secret.clone()).or_insert_with(|| Place::of(seen.clone()));
        if place.seen.record.digest != seen.record.digest {
            place.refused = None; // it was another Secret, so to say
        }
        place.seen = seen;
        (place.of_record, place.look_again) = match finding {
            Finding::Well => (None, None),
            Finding::WellUntil(until) => (None, Some(Wait { from: now, until })),
            Finding::Wrong(trouble) => (Some(trouble), Some(Wait::of(REPEAT_MIN, now))),
        };
        let of_record = place.of_record.clone().map(|trouble| notice(&place.seen, trouble));
        if let Some(notice) = of_record.filter(|notice| self.was_told_lately(notice, now)) {
            self.silence(&secret, self.reword_at(&notice));
        }
        self.put(&secret, now, metrics);
    }

    /// What the record says is told already, or, in other words, was told a moment ago.
    fn silence(&mut self, secret: &SecretRef, reword_at: Option<Wait>) {
        if let Some(place) = self.places.get_mut(secret) {
            place.of_record = None;
            place.look_again = reword_at.or(place.look_again);
        }
    }

    /// When the Event may get the words of this notice, where it has others.
    fn reword_at(&self, notice: &Notice) -> Option<Wait> {
        let told = self.told.get(&notice.event_name())?;
        let others = notice.exact && told.message != notice.message;
        others.then(|| Wait::of(REWORD_MIN, told.at))
    }

    /// Lets a Secret wait for its Event where it has something to tell.
    fn put(&mut self, secret: &SecretRef, now: Timestamp, metrics: &Metrics) {
        let Some(place) = self.places.get_mut(secret) else { return };
        let tells = place.of_record.is_some() || place.refused.is_some();
        match (tells, place.waits) {
            (true, false) if self.waiting.len() >= WAITING_MAX => {
                (place.of_record, place.refused) = (None, None);
                place.look_again = Some(Wait::of(LATER, now));
                metrics.event("dropped");
            }
            (true, false) => {
                place.waits = true;
                self.waiting.push_back(secret.clone());
            }
            (false, false) if place.look_again.is_none() => drop(self.places.remove(secret)),
            (true | false, _) => {}
        }
    }

    fn was_told_lately(&self, notice: &Notice, now: Timestamp) -> bool {
        self.told.get(&notice.event_name()).is_some_and(|told| {
            let others = notice.exact && told.message != notice.message;
            is_within(if others { REWORD_MIN } else { REPEAT_MIN }, told.at, now)
        })
    }
}

impl Place {
    fn of(seen: Arc<Seen>) -> Self {
        Self { seen, of_record: None, refused: None, look_again: None, waits: false }
    }
}

/// Either way: a moment that lies ahead comes from a clock that was set back.
fn is_within(length: Duration, told: Timestamp, now: Timestamp) -> bool {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    now.duration_since(told).abs() < length
}

fn notice(seen: &Seen, trouble: Trouble) -> Notice {
    let Trouble { reason, key, message, exact } = trouble;
    let record = &seen.record;
    Notice {
        secret: record.secret.clone(),
        uid: record.uid.to_string(),
        reason,
        key,
        message,
        exact,
    }
}
