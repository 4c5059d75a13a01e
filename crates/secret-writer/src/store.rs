//! The records of all access Secrets, fed by the watch and by the answers of our own patches.
//!
//! The watch tells everything in order, but late. The answer of a patch, or a look taken for one,
//! may be ahead of it; then what the watch still says of that Secret is the past, and is ignored
//! until it has caught up. Because only such a look can be ahead, the watch is believed in all
//! other cases, also when its versions jump back (a seed restored from a backup).
//!
//! Nothing here waits or calls anybody: every method holds the lock for one small change.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use perennial_core::{clock::Clock, name::SecretRef, record::Record, storm::Memory};
use perennial_kube::access::{ResourceVersion, Seen};

mod subscription;

use subscription::Subscribers;
pub use subscription::{Event, Subscription, TooManySubscribers};

/// The records. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<SecretRef, Entry>,
    /// Counts the whole sets that the watch began to tell.
    generation: u64,
    /// Whether the first of them is in.
    complete: bool,
    subscribers: Subscribers,
}

#[derive(Debug)]
struct Entry {
    seen: Arc<Seen>,
    /// Generation in which the watch last told it.
    told_in: u64,
    /// Generation in which a look of our own last got ahead of the watch.
    ahead_in: Option<u64>,
}

impl Store {
    /// Nothing was told yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock }
    }

    /// The watch begins to tell the whole set.
    pub fn begin_snapshot(&self) {
        self.lock().generation += 1;
    }

    /// The watch has told the whole set: what it did not tell is gone.
    pub fn complete_snapshot(&self) {
        let mut state = self.lock();
        let generation = state.generation;
        let untold = |entry: &Entry| entry.told_in != generation;
        let gone: Vec<_> = state
            .entries
            .iter()
            .filter(|(_, entry)| untold(entry))
            .map(|(secret, _)| secret.clone())
            .collect();
        for secret in &gone {
            state.entries.remove(secret);
            state.subscribers.changed(secret);
        }
        state.complete = true;
        state.subscribers.wake();
    }

    /// The watch tells a Secret.
    pub fn upsert(&self, seen: Seen) {
        let mut state = self.lock();
        let generation = state.generation;
        let held = state.entries.get_mut(&seen.record.secret);
        if let Some(entry) = held {
            entry.told_in = generation;
            if entry.is_ahead_of(&seen.resource_version, generation) {
                return;
            }
        }
        state.put(seen, None, self.clock.now());
    }

    /// The watch tells that a Secret is gone or no longer ours, as of `version`.
    pub fn remove(&self, secret: &SecretRef, version: &ResourceVersion) {
        let mut state = self.lock();
        let generation = state.generation;
        let Some(entry) = state.entries.get(secret) else { return };
        if !entry.is_ahead_of(version, generation) {
            state.entries.remove(secret);
            state.subscribers.changed(secret);
        }
    }

    /// A look of our own, perhaps ahead of the watch. One at a Secret that is not in the store is
    /// dropped: it may be gone since, and nobody would ever take it out again.
    pub fn learn(&self, seen: Seen) {
        let mut state = self.lock();
        let generation = state.generation;
        let held = state.entries.get(&seen.record.secret);
        if held
            .is_some_and(|entry| entry.seen.resource_version.is_older_than(&seen.resource_version))
        {
            state.put(seen, Some(generation), self.clock.now());
        }
    }

    /// The answer of a write of ours. What it notes against a storm is true of this moment, also
    /// where our clock was set back since the token before.
    pub fn written(&self, seen: Seen) {
        if let Some(memory) = seen.record.memory {
            self.note(&seen.record.secret, &seen.record.uid, memory, false);
        }
        self.learn(seen);
    }

    /// A token was issued for the Secret just now, and nothing says that it was written (B12).
    pub fn remember(&self, secret: &SecretRef, uid: &str, memory: Memory) {
        self.note(secret, uid, memory, true);
    }

    fn note(&self, secret: &SecretRef, uid: &str, memory: Memory, in_vain: bool) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(secret).filter(|e| e.seen.record.uid == uid) else {
            return;
        };
        if entry.seen.record.memory.is_none_or(|held| memory.replaces(held)) {
            let seen = Arc::make_mut(&mut entry.seen);
            (seen.record.memory, seen.in_vain) = (Some(memory), in_vain);
            state.subscribers.changed(secret);
        }
    }

    /// One Secret.
    #[must_use]
    pub fn get(&self, secret: &SecretRef) -> Option<Arc<Seen>> {
        self.lock().entries.get(secret).map(|entry| Arc::clone(&entry.seen))
    }

    /// Up to `size` Secrets that follow `after`, ordered by namespace and name, of one namespace
    /// or of all.
    #[must_use]
    pub fn page(
        &self,
        namespace: Option<&str>,
        after: Option<&SecretRef>,
        size: usize,
    ) -> Vec<Arc<Seen>> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.lock();
        let entries = state.entries.range((begin, Bound::Unbounded));
        let wanted = entries.filter(|(secret, _)| {
            namespace.is_none_or(|namespace| secret.namespace.as_str() == namespace)
        });
        wanted.take(size).map(|(_, entry)| Arc::clone(&entry.seen)).collect()
    }

    /// Whether the first whole set is in. Until then a Secret that is not here may exist.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lock().complete
    }

    /// How many Secrets there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().entries.len()
    }

    /// Follows the records: the whole set first, then every change. It waits for the first whole
    /// set of the watch.
    ///
    /// # Errors
    /// When too many follow already.
    pub fn subscribe(&self) -> Result<Subscription, TooManySubscribers> {
        let (id, woken) = self.lock().subscribers.add()?;
        Ok(Subscription::new(self.clone(), id, woken))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, mut seen: Seen, ahead_in: Option<u64>, now: Timestamp) {
        let secret = seen.record.secret.clone();
        let told_in = match self.entries.get(&secret) {
            Some(held) => {
                carry_memory(&mut seen, &held.seen, now);
                carry_other_writer(&mut seen.record, &held.seen.record);
                held.told_in
            }
            None => self.generation,
        };
        if seen.record.memory.is_none() {
            seen.record.other_writer = None; // we never served it: whoever made it is no stranger
        }
        let entry = Entry { seen: Arc::new(seen), told_in, ahead_in };
        let record = Arc::clone(&entry.seen);
        let before = self.entries.insert(secret, entry);
        // Unrelated edits change the version only; nobody needs to hear of them.
        if before.is_none_or(|before| before.seen.record != record.record) {
            self.subscribers.changed(&record.record.secret);
        }
    }
}

impl Entry {
    /// Whether what the watch says as of `version` is the past.
    fn is_ahead_of(&self, version: &ResourceVersion, generation: u64) -> bool {
        self.ahead_in == Some(generation) && version.is_older_than(&self.seen.resource_version)
    }
}

/// The memory against a storm outlives a note that a stranger removed or set back, for as long as
/// it is the same Secret and we live (B12).
///
/// A token that is not there as we wrote it has not been since this change, by our clock; where it
/// was gone before, since then.
fn carry_memory(new: &mut Seen, old: &Seen, now: Timestamp) {
    let at = |seen: &Seen| seen.record.memory.map(|memory| memory.at);
    if new.record.uid == old.record.uid && at(new) < at(old) {
        // Notes are cut to whole seconds: that of the same token is there by now.
        let seconds = |seen: &Seen| at(seen).map(Timestamp::as_second);
        new.in_vain = old.in_vain && seconds(new) < seconds(old);
        new.record.memory = old.record.memory;
    }
    let same_token = |memory: Memory| {
        let held = old.record.memory.filter(|_| new.record.uid == old.record.uid);
        held.filter(|held| held.at.as_second() == memory.at.as_second())
    };
    new.record.memory = new.record.memory.map(|memory| {
        let stood_until = match (new.record.holds(memory), same_token(memory)) {
            (true, _) => None,
            (false, Some(held)) => Some(held.stood_until.unwrap_or(now)),
            (false, None) => Some(memory.at),
        };
        Memory { stood_until, ..memory }
    });
}

/// Another writer's moment moves with everything that it writes on the Secret. As long as the
/// digest stays the token was not written anew, and what was noted first holds; else each of its
/// unrelated edits would be news for those who follow, and end their pauses.
fn carry_other_writer(new: &mut Record, old: &Record) {
    if new.digest == old.digest {
        new.other_writer.clone_from(&old.other_writer);
    }
}

#[cfg(test)]
mod tests;
