//! What is known of the generations in one namespace of a shoot. Pure: nothing is called here.
//!
//! A Secret with a uid comes, and goes, and never comes back. So of each uid it is enough to know
//! that it is gone, whoever says so and in whatever order; and a watch that is behind does no harm.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use perennial_core::generation::{Family, Generation, GenerationsSeen, Number, parts};

use crate::shoot::generations::SeenGeneration;

/// Uids that are remembered as gone; a watch that is behind by more is a broken one.
const GONE_MAX: usize = 256;

/// The generations in one namespace.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By [`Family::id`].
    families: BTreeMap<String, Entry>,
    gone: VecDeque<Box<str>>,
    /// When the last whole list began.
    listed_at: Option<Timestamp>,
    observed: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// Where somebody asked for it.
    observed: Option<Family>,
    present: BTreeMap<Number, Present>,
    /// When it was last seen to change.
    at: Option<Timestamp>,
    version: Option<u64>,
}

#[derive(Clone, Debug)]
struct Present {
    generation: Generation,
    /// When a token was bound to it, or it was made, by ourselves.
    granted_at: Option<Timestamp>,
    /// Whether a list or watch said so. Until then one of another uid is older.
    told: bool,
}

/// A family of which there is news.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) family: Family,
    /// The version that it had.
    pub(super) before: Option<u64>,
}

impl Book {
    /// How many families are observed.
    pub(super) const fn len(&self) -> usize {
        self.observed
    }

    /// From now on these are observed. Gives back the versions of those that no longer are, and
    /// those that are new and already known.
    pub(super) fn observe(&mut self, families: BTreeSet<Family>) -> (Vec<u64>, Vec<Published>) {
        let wanted: BTreeMap<_, _> = families.into_iter().map(|f| (f.id(), f)).collect();
        self.observed = wanted.len();
        let mut gone = Vec::new();
        self.families.retain(|id, entry| {
            if !wanted.contains_key(id) {
                gone.extend(entry.version.take());
                entry.observed = None;
            }
            entry.observed.is_some() || !entry.present.is_empty() || wanted.contains_key(id)
        });
        let mut new = Vec::new();
        for (id, family) in wanted {
            let entry = self.families.entry(id).or_default();
            if entry.observed.replace(family.clone()).is_none() && self.listed_at.is_some() {
                new.push(Published { family, before: None });
            }
        }
        (gone, new)
    }

    /// What is known of all that are observed; nothing before the first list.
    pub(super) fn known(&self) -> impl Iterator<Item = (&Family, GenerationsSeen)> {
        let seen = |entry| Some((Entry::observed(entry)?, self.seen_of(entry)?));
        self.families.values().filter_map(seen)
    }

    pub(super) fn seen(&self, family: &Family) -> Option<GenerationsSeen> {
        self.seen_of(self.families.get(&family.id())?)
    }

    /// Whether none is there that is this new, as far as is known.
    pub(super) fn lacks(&self, family: &Family, least: Number) -> bool {
        let seen = self.seen(family);
        seen.is_some_and(|seen| seen.newest().is_none_or(|newest| newest.number < least))
    }

    pub(super) fn set_version(&mut self, family: &Family, version: u64) {
        if let Some(entry) = self.families.get_mut(&family.id()) {
            entry.version = Some(version);
        }
    }

    /// A token was bound to it by ourselves.
    pub(super) fn granted(
        &mut self,
        family: &Family,
        generation: Generation,
        now: Timestamp,
    ) -> Option<Published> {
        let entry = self.families.get_mut(&family.id())?;
        if self.gone.contains(&generation.uid) {
            return None; // it went meanwhile
        }
        let number = generation.number;
        if let Some(held) = entry.present.get_mut(&number)
            && held.generation.uid == generation.uid
        {
            held.granted_at = Some(now);
            return None;
        }
        let present = Present { generation, granted_at: Some(now), told: false };
        entry.present.insert(number, present);
        entry.at = Some(now);
        self.published(&family.id())
    }

    /// A watch says that it is there, and how.
    pub(super) fn heard(&mut self, seen: &SeenGeneration, now: Timestamp) -> Option<Published> {
        if seen.terminating {
            return self.heard_gone(seen, now);
        }
        let (id, generation) = read(seen)?;
        if self.gone.contains(&generation.uid) {
            return None; // the watch is behind
        }
        let number = generation.number;
        let entry = self.families.entry(id.to_owned()).or_default();
        let held = entry.present.get(&number);
        if held.is_some_and(|held| held.generation.uid != generation.uid && !held.told) {
            return None; // the watch is behind
        }
        let is_news = held.is_none_or(|held| held.generation != generation);
        let same = held.filter(|held| held.generation.uid == generation.uid);
        let granted_at = same.and_then(|held| held.granted_at);
        entry.present.insert(number, Present { generation, granted_at, told: true });
        if !is_news {
            return None;
        }
        entry.at = Some(now);
        self.published(id)
    }

    /// It is gone, or will be: a watch says so, or we deleted it.
    pub(super) fn heard_gone(
        &mut self,
        seen: &SeenGeneration,
        now: Timestamp,
    ) -> Option<Published> {
        let (id, number) = parts(seen.name.as_str())?;
        self.gone(id, number, &seen.uid, now)
    }

    pub(super) fn gone(
        &mut self,
        id: &str,
        number: Number,
        uid: &str,
        now: Timestamp,
    ) -> Option<Published> {
        if !self.gone.iter().any(|gone| **gone == *uid) {
            if self.gone.len() == GONE_MAX {
                self.gone.pop_front();
            }
            self.gone.push_back(uid.into());
        }
        let entry = self.families.get_mut(id)?;
        entry.present.get(&number).filter(|held| *held.generation.uid == *uid)?;
        entry.present.remove(&number);
        entry.at = Some(now);
        let published = self.published(id);
        self.families.retain(|_, entry| entry.observed.is_some() || !entry.present.is_empty());
        published
    }

    /// A list is whole that began at `begun`. All that are observed are told anew: that one is still
    /// not there is news, because a token may have come and gone between. Says also whether it left
    /// a doubt, and another list has to follow.
    pub(super) fn listed(
        &mut self,
        found: &[SeenGeneration],
        begun: Timestamp,
    ) -> (Vec<Published>, bool) {
        let mut before = std::mem::take(&mut self.families);
        for entry in before.values_mut() {
            // A token came while the list was under way.
            entry.present.retain(|_, held| {
                held.told = false;
                held.granted_at.is_some_and(|at| at >= begun)
            });
        }
        before.retain(|_, entry| entry.observed.is_some() || !entry.present.is_empty());
        self.families = before;
        for seen in found.iter().filter(|seen| !seen.terminating) {
            let Some((id, generation)) = read(seen) else { continue };
            if self.gone.contains(&generation.uid) {
                continue;
            }
            let entry = self.families.entry(id.to_owned()).or_default();
            let held = entry.present.get_mut(&generation.number);
            match held.filter(|held| held.generation.uid != generation.uid) {
                Some(_) => {} // the granted one is newer
                None => {
                    let number = generation.number;
                    let present = Present { generation, granted_at: None, told: true };
                    entry.present.insert(number, present);
                }
            }
        }
        self.listed_at = Some(begun);
        let in_doubt = |entry: &Entry| entry.present.values().any(|held| !held.told);
        let is_doubtful = self.families.values().any(in_doubt);
        let mut published = Vec::new();
        for entry in self.families.values_mut() {
            entry.at = Some(begun);
            let family = entry.observed.clone();
            published.extend(family.map(|family| Published { family, before: entry.version }));
        }
        (published, is_doubtful)
    }

    fn seen_of(&self, entry: &Entry) -> Option<GenerationsSeen> {
        let listed_at = self.listed_at?;
        entry.observed.as_ref()?;
        let present = entry.present.values().map(|held| held.generation.clone());
        Some(GenerationsSeen { present: present.collect(), at: entry.at.unwrap_or(listed_at) })
    }

    /// Nothing is told before the first list.
    fn published(&self, id: &str) -> Option<Published> {
        let entry = self.families.get(id)?;
        let family = entry.observed.clone().filter(|_| self.listed_at.is_some())?;
        Some(Published { family, before: entry.version })
    }
}

impl Entry {
    const fn observed(&self) -> Option<&Family> {
        self.observed.as_ref()
    }
}

fn read(seen: &SeenGeneration) -> Option<(&str, Generation)> {
    let (id, number) = parts(seen.name.as_str())?;
    Some((id, Generation { number, uid: seen.uid.clone(), grace: seen.grace, made: seen.made }))
}

#[cfg(test)]
mod tests;
