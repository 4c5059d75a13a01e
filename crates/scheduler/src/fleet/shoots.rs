//! What all token-issuers together say of shoots.
//!
//! Each token-issuer is a *source*. A shoot is as its best witness says: one that reaches it
//! counts more than one that does not. What a source said before its stream broke is stale: it
//! says nothing of reach any more, but the clock of a shoot does not change because a stream did.

use std::collections::{BTreeMap, BTreeSet};

use perennial_core::{
    decision::ShootView,
    shoot::{Reach, ShootId, ShootStatus},
};

use super::feed::{Event, ShootEvent};

#[derive(Debug, Default)]
pub(super) struct Shoots {
    sources: BTreeMap<usize, Source>,
    merged: BTreeMap<ShootId, ShootStatus>,
    has_been_whole: bool,
}

#[derive(Debug, Default)]
struct Source {
    feed: Feed,
    generation: u64,
    held: BTreeMap<ShootId, Held>,
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

    pub(super) fn hear(&mut self, source: usize, event: ShootEvent) -> Touched {
        let held = self.sources.entry(source).or_default();
        let mut touched = Touched::default();
        match event {
            Event::Upsert(status) => {
                let (shoot, generation) = (status.shoot.clone(), held.generation);
                held.held.insert(shoot.clone(), Held { generation, status });
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
                held.held.retain(|_, shoot| shoot.generation == generation);
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
        let held = self.sources.values().flat_map(|source| source.held.keys());
        let shoots: BTreeSet<_> = held.chain(self.merged.keys()).cloned().collect();
        shoots.iter().for_each(|shoot| self.merge(shoot, touched));
    }

    fn merge(&mut self, shoot: &ShootId, touched: &mut Touched) {
        let before = self.merged.get(shoot);
        let after = self.witness(shoot);
        let reads = |status: Option<&ShootStatus>| {
            status.map(|s| (s.reach, s.credential, s.clock_offset, s.detail.clone()))
        };
        let reaches = |status: Option<&ShootStatus>| {
            status.is_some_and(|status| status.reach == Reach::Reachable)
        };
        if reads(before) != reads(after.as_ref()) {
            touched.shoots.insert(shoot.clone());
        }
        if reaches(after.as_ref()) && !reaches(before) {
            touched.returned.push(shoot.clone());
        }
        match after {
            Some(status) => self.merged.insert(shoot.clone(), status),
            None => self.merged.remove(shoot),
        };
    }

    /// The best of what the live sources say; where none is whole, the clock of a stale one.
    fn witness(&self, shoot: &ShootId) -> Option<ShootStatus> {
        let (mut live, mut stale) = (None::<&ShootStatus>, None::<&ShootStatus>);
        for source in self.sources.values() {
            let Some(held) = source.held.get(shoot) else { continue };
            let is_live = source.feed != Feed::Closed && held.generation == source.generation;
            let best = if is_live { &mut live } else { &mut stale };
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

fn weight(status: &ShootStatus) -> (u8, Option<jiff::Timestamp>) {
    let reach = match status.reach {
        Reach::Unknown => 0,
        Reach::Unreachable => 1,
        Reach::Reachable => 2,
    };
    (reach, status.checked_at)
}
