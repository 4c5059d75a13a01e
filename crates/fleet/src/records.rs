//! What the record stream says.

use std::{collections::BTreeMap, num::NonZeroU64, time::Duration};

use jiff::Timestamp;
use perennial_core::{
    digest::Digest,
    name::{AccountRef, SecretRef},
    record::Record,
};

use super::{
    Fleet, RecordsFeed,
    attempts::RECORD_WAIT,
    entry::{Entry, Standing},
    feed::{Event, RecordEvent},
    named,
};

impl Fleet {
    /// What the secret-writer says of access Secrets.
    pub fn hear_of_records(&mut self, now: Timestamp, event: RecordEvent) {
        match event {
            Event::Opened => {
                self.generation += 1;
                self.records_stale();
            }
            Event::Upsert(record) => self.upsert(now, record),
            Event::Removed(secret) => {
                self.forget(&secret);
                self.review(now, &secret.namespace);
            }
            Event::Complete => {
                let unseen = |entry: &Entry| entry.generation != self.generation;
                let gone = self.members.all().filter(|(_, _, entry)| unseen(entry));
                let gone: Vec<_> = gone.map(|(shoot, name, _)| named(shoot, name)).collect();
                gone.iter().for_each(|secret| self.forget(secret));
                self.records = RecordsFeed::Whole;
                self.review_all(now);
            }
            Event::Lost => self.records_stale(),
        }
    }

    fn records_stale(&mut self) {
        if self.records == RecordsFeed::Whole {
            self.records = RecordsFeed::Stale;
        }
    }

    fn upsert(&mut self, now: Timestamp, mut record: Record) {
        self.members.share_texts(&mut record);
        let (secret, generation) = (record.secret.clone(), self.generation);
        match self.members.get_mut(&secret) {
            Some(entry) if entry.kept.is(&record) => {
                entry.generation = generation;
                return;
            }
            Some(entry) if entry.kept.has_uid(&record.uid) => {
                let before = entry.record();
                entry.generation = generation;
                if named_in_shoot(&before) != named_in_shoot(&record) {
                    self.observations.changed(&secret.namespace);
                }
                if repaired_to(&before) != repaired_to(&record) {
                    entry.attempts.asks_for_repair();
                }
                self.unmark(&secret);
                if let Some(entry) = self.members.get_mut(&secret) {
                    entry.take_over(now, record);
                }
            }
            // Deleted and made anew: nothing of the old one counts.
            Some(_) | None => {
                self.forget(&secret);
                self.observations.changed(&secret.namespace);
                self.members.insert(&secret, Entry::new(record, generation));
                if let Some(flight) = self.flights.get(&secret) {
                    let (reason, since) = (flight.reason, flight.since);
                    self.stand(now, &secret, Standing::Renewing { reason, since });
                }
            }
        }
        self.effects.changed.insert(secret.clone());
        self.mark(&secret);
        self.settle(now, &secret);
        self.members.get_mut(&secret).into_iter().for_each(Entry::absolve);
        self.review(now, &secret.namespace);
    }
}

/// What it names in its shoot: an account, perhaps a target, and whether it has generations; and
/// whether it has labels for the account, see [`super::speakers`].
fn named_in_shoot(record: &Record) -> Option<(&AccountRef, Option<&SecretRef>, bool, bool)> {
    let inputs = record.inputs.as_ref().ok()?;
    let has_labels = !inputs.account_labels.is_empty();
    Some((&inputs.account, inputs.target.as_ref(), inputs.revocable, has_labels))
}

/// What a Secret asks for that needs no token.
fn repaired_to(record: &Record) -> Option<(&BTreeMap<String, String>, bool)> {
    let inputs = record.inputs.as_ref().ok()?;
    Some((&inputs.account_labels, inputs.inject_ca))
}

impl Entry {
    /// A good token is there: whatever failed before is over.
    pub(super) fn absolve(&mut self) {
        if matches!(self.standing, Standing::Fresh { .. }) {
            self.attempts.settled();
        }
    }

    /// Takes a record from the stream in place of the one it has.
    fn take_over(&mut self, now: Timestamp, record: Record) {
        if self.superseded.is_some() && self.superseded == NonZeroU64::new(record.digest.short()) {
            // The stream lags behind our own renewal, or somebody put the old state back. Which of
            // the two shows within moments; an order now would be refused as ABORTED.
            self.attempts.await_record(now, RECORD_WAIT);
        } else {
            self.attempts.record_changed();
        }
        self.kept = record.into();
    }

    /// Takes the record that a renewal answered with, unless the stream has already shown that
    /// write or a later one.
    pub(super) fn take_answer(&mut self, answer: Record, ordered: &Digest) {
        let written = |record: &Record| record.memory.map(|memory| (memory.at, memory.streak));
        let stream_moved = *self.kept.digest() != *ordered;
        let stream_knows = stream_moved && written(&self.record()) >= written(&answer);
        self.superseded = NonZeroU64::new(ordered.short()).filter(|_| *ordered != answer.digest);
        if !stream_knows {
            self.kept = answer.into();
        }
    }

    /// Whether the stream has shown another record since the order was given.
    pub(super) fn has_moved_from(&self, ordered: &Digest) -> bool {
        *self.kept.digest() != *ordered
    }

    /// How long to wait for a record that is known to be on its way.
    pub(super) const fn record_wait(moved: bool) -> Duration {
        if moved { Duration::ZERO } else { RECORD_WAIT }
    }
}
