//! What all token-issuers together say of shoots.
//!
//! Each token-issuer is a *source*. A shoot is as its best witness says: one that reaches it
//! counts more than one that does not. What a source said before its stream broke is stale: it
//! says nothing of reach any more, but the clock of a shoot does not change because a stream did.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::ShootView,
    generation::{Family, GenerationsSeen},
    name::{AccountRef, SecretName, SecretRef},
    shoot::{AccountSeen, Reach, ShootId, ShootStatus},
    signing::KeySet,
    target::TargetSeen,
};

use super::{
    by_name::ByName,
    feed::{Event, ShootEvent},
};

/// How far the clocks of two token-issuers may be apart.
const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(10);
/// Most keys of one shoot that are remembered. Beyond, a new one is not, so its withdrawal is not
/// noticed; an API server has a handful.
const KEYS_KNOWN_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Shoots {
    sources: BTreeMap<usize, Source>,
    merged: ByName<ShootId, ShootStatus>,
    /// See [`ShootStatus::speakers`]; where there are any.
    speakers: BTreeMap<ShootId, BTreeMap<AccountRef, SecretName>>,
    /// Ids that were in a key set since this scheduler runs, or a token-issuer that it heard.
    keys_known: ByName<ShootId, BTreeSet<String>>,
    has_been_whole: bool,
}

#[derive(Debug, Default)]
struct Source {
    feed: Feed,
    generation: u64,
    held: ByName<ShootId, Held>,
}

impl Source {
    /// What it says of a shoot, if its stream has said it.
    fn live(&self, shoot: &ShootId) -> Option<&ShootStatus> {
        let held = self.held.get(shoot)?;
        let is_live = self.feed != Feed::Closed && held.generation == self.generation;
        is_live.then_some(&held.status)
    }
}

#[derive(Debug)]
struct Held {
    generation: u64,
    status: ShootStatus,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Feed {
    #[default]
    Closed,
    Filling,
    Whole,
}

/// What an event changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Shoots whose state reads differently now.
    pub shoots: BTreeSet<ShootId>,
    /// Those of them that answer again, or for the first time.
    pub returned: Vec<ShootId>,
    /// Those that this source has to be told of: it did not know them, or it may have forgotten.
    pub learned: Vec<ShootId>,
    /// Shoots nobody names are affected too: they may have become missing, or unknown.
    pub all: bool,
}

impl Shoots {
    /// Whether every source that could be reached has sent its first whole set, and there was one.
    pub(super) const fn has_been_whole(&self) -> bool {
        self.has_been_whole
    }

    /// What is known of a shoot.
    pub(super) fn view(&self, shoot: &ShootId) -> ShootView<'_> {
        match self.merged.get(shoot) {
            Some(status) => ShootView::Seen(status),
            None if self.is_whole() => ShootView::Missing,
            None => ShootView::Unknown,
        }
    }

    /// How far the clock of a shoot is ahead of ours; none where that is not known.
    pub(super) fn clock_offset(&self, shoot: &ShootId) -> SignedDuration {
        self.merged
            .get(shoot)
            .map_or(SignedDuration::ZERO, |seen| clock_offset(ShootView::Seen(seen)))
    }

    pub(super) fn knows(&self, shoot: &ShootId) -> bool {
        self.merged.contains(shoot)
    }

    /// The key set of a shoot as all see it together who reach it: behind each token-issuer may be
    /// another replica of its API server.
    pub(super) fn key_set(&self, shoot: &ShootId) -> KeySet<'_> {
        let live = self.sources.values().filter_map(|source| source.live(shoot));
        let reaching = || live.clone().filter(|status| status.reach == Reach::Reachable);
        let settled = reaching().map(|status| status.key_history.settled_since);
        let known = self.keys_known.get(shoot).into_iter().flatten();
        KeySet {
            ids: reaching().flat_map(|status| &status.key_ids).map(String::as_str).collect(),
            // One of them that has not settled is less than any that has.
            settled_since: settled.min().flatten().and_then(|_| {
                reaching().filter_map(|status| status.key_history.settled_since).max()
            }),
            clock_offset: self.merged.get(shoot).and_then(|status| status.clock_offset),
            known: known.map(String::as_str).collect(),
        }
    }

    /// Whether each key that is known of a shoot is surely in its key set.
    pub(super) fn has_every_key(&self, shoot: &ShootId) -> bool {
        let live = self.sources.values().filter_map(|source| source.live(shoot));
        let mut reaching = live.filter(|status| status.reach == Reach::Reachable);
        let has = |status: &ShootStatus, key: &String| status.key_ids.contains(key);
        match (reaching.next(), self.keys_known.get(shoot)) {
            (Some(first), Some(known)) => known.iter().all(|key| has(first, key)),
            (_, known) => known.is_none_or(BTreeSet::is_empty),
        }
    }

    pub(super) fn hear(&mut self, source: usize, event: ShootEvent) -> Touched {
        let held = self.sources.entry(source).or_default();
        let mut touched = Touched::default();
        match event {
            Event::Upsert(mut status) => {
                let (shoot, generation) = (status.shoot.clone(), held.generation);
                // A token-issuer that was just started has not looked yet; the clock is still the same.
                let before = held.held.get(&shoot).and_then(|held| held.status.clock_offset);
                status.clock_offset = status.clock_offset.or(before);
                let known = self.keys_known.get_or_default(&shoot);
                let ids = status.key_ids.iter().chain(&status.key_history.retired);
                for id in ids {
                    if known.len() < KEYS_KNOWN_MAX {
                        known.insert(id.clone());
                    }
                }
                let before = held.held.insert(shoot.clone(), Held { generation, status });
                if before.is_none_or(|before| before.generation != generation) {
                    touched.learned.push(shoot.clone());
                }
                self.merge(&shoot, &mut touched);
            }
            Event::Removed(shoot) => {
                held.held.remove(&shoot);
                self.merge(&shoot, &mut touched);
            }
            Event::Opened => {
                held.feed = Feed::Filling;
                held.generation += 1;
                self.merge_all(&mut touched);
            }
            Event::Complete => {
                held.feed = Feed::Whole;
                let generation = held.generation;
                held.held.retain(|shoot| shoot.generation == generation);
                self.merge_all(&mut touched);
            }
            Event::Lost => {
                held.feed = Feed::Closed;
                self.merge_all(&mut touched);
            }
        }
        let filling = self.sources.values().any(|source| source.feed == Feed::Filling);
        self.has_been_whole |= self.is_whole() && !filling;
        touched
    }

    fn is_whole(&self) -> bool {
        self.sources.values().any(|source| source.feed == Feed::Whole)
    }

    fn merge_all(&mut self, touched: &mut Touched) {
        touched.all = true;
        let held = self.sources.values().flat_map(|source| source.held.names());
        let shoots: BTreeSet<_> = held.chain(self.merged.names()).cloned().collect();
        shoots.iter().for_each(|shoot| self.merge(shoot, touched));
    }

    fn merge(&mut self, shoot: &ShootId, touched: &mut Touched) {
        let before = self.merged.get(shoot);
        let after = self.witness(shoot);
        let reaches = |status: Option<&ShootStatus>| {
            status.is_some_and(|status| status.reach == Reach::Reachable && !status.hibernated)
        };
        if before.map(reads) != after.as_ref().map(reads) {
            touched.shoots.insert(shoot.clone());
        }
        if reaches(after.as_ref()) && !reaches(before) {
            touched.returned.push(shoot.clone());
        }
        let before = self.merged.remove(shoot);
        let Some(mut status) = after else {
            self.keys_known.remove(shoot);
            return;
        };
        if let Some(before) = before {
            (status.accounts, status.targets) = (before.accounts, before.targets);
            status.generations = before.generations;
        }
        status.speakers = self.speakers.get(shoot).cloned().unwrap_or_default();
        self.merged.insert(shoot.clone(), status);
    }

    /// What was seen of an account counts whatever becomes of the stream: it was true when it was
    /// seen, and a token made after that is not judged by it. Says whether it is news.
    pub(super) fn hear_of_account(
        &mut self,
        shoot: &ShootId,
        account: &AccountRef,
        seen: AccountSeen,
    ) -> bool {
        let status = self.merged.get_mut(shoot);
        status.is_some_and(|status| take_in(&mut status.accounts, account, seen, |seen| seen.at))
    }

    /// What was seen of a target; as with accounts.
    pub(super) fn hear_of_target(
        &mut self,
        shoot: &ShootId,
        target: &SecretRef,
        seen: TargetSeen,
    ) -> bool {
        let status = self.merged.get_mut(shoot);
        status.is_some_and(|status| take_in(&mut status.targets, target, seen, |seen| seen.at))
    }

    /// What was seen of generations; as with accounts.
    pub(super) fn hear_of_generations(
        &mut self,
        shoot: &ShootId,
        family: &Family,
        seen: GenerationsSeen,
    ) -> bool {
        let status = self.merged.get_mut(shoot);
        status.is_some_and(|status| take_in(&mut status.generations, family, seen, |seen| seen.at))
    }

    /// Forgets what was seen of targets and generations that nobody names any more.
    pub(super) fn keep(
        &mut self,
        shoot: &ShootId,
        targets: &BTreeSet<SecretRef>,
        families: &BTreeSet<Family>,
    ) {
        if let Some(status) = self.merged.get_mut(shoot) {
            status.targets.retain(|target, _| targets.contains(target));
            status.generations.retain(|family, _| families.contains(family));
        }
    }

    /// Says which Secret speaks for an account that several name. Gives back whether that is news.
    pub(super) fn speak(
        &mut self,
        shoot: &ShootId,
        speakers: BTreeMap<AccountRef, SecretName>,
    ) -> bool {
        let is_news = self.speakers.get(shoot).is_none_or(|before| *before != speakers);
        if let Some(status) = self.merged.get_mut(shoot) {
            status.speakers.clone_from(&speakers);
        }
        match speakers.is_empty() {
            true => self.speakers.remove(shoot).is_some(),
            false => {
                self.speakers.insert(shoot.clone(), speakers);
                is_news
            }
        }
    }

    /// Token-issuers whose stream is open and knows this shoot.
    pub(super) fn sources_of(&self, shoot: &ShootId) -> Vec<usize> {
        let knows = |source: &Source| source.live(shoot).is_some();
        self.sources.iter().filter(|(_, source)| knows(source)).map(|(number, _)| *number).collect()
    }

    /// The best of what the live sources say; where none is whole, the clock of a stale one.
    fn witness(&self, shoot: &ShootId) -> Option<ShootStatus> {
        let (mut live, mut stale) = (None::<&ShootStatus>, None::<&ShootStatus>);
        for source in self.sources.values() {
            let Some(held) = source.held.get(shoot) else { continue };
            let best = if source.live(shoot).is_some() { &mut live } else { &mut stale };
            if best.is_none_or(|best| weight(&held.status) > weight(best)) {
                *best = Some(&held.status);
            }
        }
        let without_reach = |status: &ShootStatus| ShootStatus {
            reach: Reach::Unknown,
            detail: "the stream of the token-issuer is down".to_owned(),
            ..status.clone()
        };
        live.cloned().or_else(|| stale.filter(|_| !self.is_whole()).map(without_reach))
    }
}

/// How far the clock of a shoot is ahead of ours; none where that is not known.
pub(super) fn clock_offset(view: ShootView<'_>) -> SignedDuration {
    match view {
        ShootView::Seen(status) => status.clock_offset.unwrap_or(SignedDuration::ZERO),
        ShootView::Missing | ShootView::Unknown => SignedDuration::ZERO,
    }
}

/// Takes what was seen, and says whether it is news.
fn take_in<K: Clone + Ord, V: PartialEq>(
    held: &mut BTreeMap<K, V>,
    key: &K,
    seen: V,
    at: impl Fn(&V) -> Timestamp,
) -> bool {
    let before = held.get(key);
    if before.is_some_and(|before| is_newer(at(before), at(&seen)) || *before == seen) {
        return false;
    }
    held.insert(key.clone(), seen);
    true
}

/// What of a state somebody decides by or shows.
fn reads(status: &ShootStatus) -> impl PartialEq + '_ {
    let ShootStatus { reach, credential, detail, clock_offset, key_ids, key_history, .. } = status;
    let ways = (reach, status.hibernated, credential, &status.own_refused, &status.ca);
    (ways, clock_offset, detail, key_ids, key_history)
}

/// Whether what is held is later than what is said now. Clocks of two token-issuers are a few seconds
/// apart; one that is further ahead was set back since.
fn is_newer(held: Timestamp, said: Timestamp) -> bool {
    let ahead = held.duration_since(said);
    ahead.is_positive() && ahead <= CLOCKS_APART_MAX
}

fn weight(status: &ShootStatus) -> (u8, Option<Timestamp>) {
    let reach = match status.reach {
        Reach::Unknown => 0,
        Reach::Unreachable | Reach::Refused => 1,
        Reach::Reachable => 2,
    };
    (reach, status.checked_at)
}
