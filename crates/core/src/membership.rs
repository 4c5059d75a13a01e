//! Which replicas of the scheduler there are, and which of them serves which shoot.
//!
//! Each replica renews a Lease of its own and reads those of the others. Clocks of machines are never
//! compared: a replica is *live* while its Lease was seen to change lately, by the clock of whoever
//! looks. Who serves a shoot follows from the names of the live ones alone ([`owner`]), so replicas
//! that see the same Leases agree without a word.
//!
//! ```text
//! a crash:  Lease changes for the last time ─ 6 s LIVE ─► counted out ─ ≤ 2 s until the next look ─► 8 s
//! a crash, and back under its name just before that: 8 s, and it joins anew ─ 5 s SETTLE, ≤ 2 s ─► 15 s
//! a joiner: makes its Lease ─ ≤ 2 s ─► the others look and let go of its shoots
//!                          └─ 5 s SETTLE ──────────────► it begins to order
//! a leaver: deletes its Lease ─ ≤ 2 s ─► the others look and take its shoots
//! ```
//!
//! Two replicas may believe for moments that they serve the same shoot. That is allowed to happen: the
//! secret-writer renews a Secret once at a time and only as it was seen, so the second order of the two
//! is worth nothing (docs/replicas.md).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{name::ReplicaName, shoot::ShootId};

/// A replica renews its Lease, and looks at those of the others, this often.
pub const BEAT: Duration = Duration::from_secs(2);
/// A Lease that was not seen to change for so long is that of a dead replica: three beats. With the beat
/// until that is noticed, and the time in which who is back joins, 15 s: what a hand-over may take at most.
pub const LIVE: Duration = Duration::from_secs(6);
const _: () = assert!(LIVE.as_secs() + BEAT.as_secs() + SETTLE.as_secs() + BEAT.as_secs() <= 15);
/// A replica that joins orders nothing before the others had two beats to see it, and a call a second.
pub const SETTLE: Duration = Duration::from_secs(5);
/// Who stood still for longer looks at Leases before it orders: its last look was up to a beat and a call
/// of a second before that, and in [`SETTLE`] after it another one may begin to order for its shoots.
pub const STILL: Duration = Duration::from_secs(SETTLE.as_secs() - BEAT.as_secs() - 1);
/// Most that a Lease grows old between two looks: a beat, and a call that takes its time.
const COUNTED: Duration = Duration::from_secs(BEAT.as_secs() + 3);
/// A Lease that nobody renews is deleted by whoever saw it unchanged for so long.
pub const BURIED: Duration = Duration::from_secs(60 * 60);

/// Who serves a shoot: of all, the one whose hash with it is the greatest (rendezvous hashing). When a
/// replica comes or goes, only the shoots that it serves change hands. `None` where there is nobody.
#[must_use]
pub fn owner<'a>(
    shoot: &ShootId,
    replicas: impl IntoIterator<Item = &'a ReplicaName>,
) -> Option<&'a ReplicaName> {
    replicas.into_iter().max_by_key(|replica| (weight(shoot, replica), *replica))
}

/// The same in every process and every version: replicas of two versions share shoots while one is
/// rolled out.
fn weight(shoot: &ShootId, replica: &ReplicaName) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(replica.as_str());
    hasher.update([0]); // in no name
    hasher.update(shoot.as_str());
    let hash = hasher.finalize();
    hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// What a replica knows of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Who looks.
    pub me: ReplicaName,
    /// All that are live, and who looks.
    pub live: BTreeSet<ReplicaName>,
    /// Whether the others had time to see who looks.
    pub is_settled: bool,
}

impl View {
    /// Who serves a shoot.
    #[must_use]
    pub fn owner(&self, shoot: &ShootId) -> &ReplicaName {
        owner(shoot, &self.live).unwrap_or(&self.me)
    }

    /// Whether who looks serves a shoot now.
    #[must_use]
    pub fn is_mine(&self, shoot: &ShootId) -> bool {
        self.is_settled && (self.live.len() < 2 || *self.owner(shoot) == self.me)
    }
}

/// Watches Leases by a clock that never goes back: `now` is the time since some start of its own.
#[derive(Debug)]
pub struct Watcher {
    me: ReplicaName,
    /// What a Lease said last, and for how long it was seen to say so.
    seen: BTreeMap<ReplicaName, (String, Duration)>,
    looked: Option<Duration>,
    joined: Option<Duration>,
    tried: Option<Duration>,
}

impl Watcher {
    /// Who has seen nobody yet.
    #[must_use]
    pub const fn new(me: ReplicaName) -> Self {
        Self { me, seen: BTreeMap::new(), looked: None, joined: None, tried: None }
    }

    /// To be called with every beat, whether the seed answers or not. Who did not call for as long as a
    /// joiner waits was asleep: one may have joined and settled meanwhile, so it joins anew.
    pub fn beat(&mut self, now: Duration) {
        let last = self.tried.replace(now);
        if last.is_some_and(|last| now.saturating_sub(last) >= SETTLE) {
            self.joined = None;
            self.seen.clear();
        }
    }

    /// All Leases as they are now, each with a text that is another one whenever it was renewed.
    pub fn look(
        &mut self,
        now: Duration,
        leases: impl IntoIterator<Item = (ReplicaName, String)>,
    ) -> View {
        // Time in which nobody could look makes no Lease old: those who could not renew theirs live.
        let gap = self.looked.map_or(Duration::ZERO, |looked| now.saturating_sub(looked));
        self.looked = Some(now);
        let counted = gap.min(COUNTED);
        let mut before = std::mem::take(&mut self.seen);
        for (name, version) in leases {
            let same = before.remove(&name).filter(|(known, _)| *known == version);
            let age = same.map_or(Duration::ZERO, |(_, age)| age.saturating_add(counted));
            self.seen.insert(name, (version, age));
        }
        let is_live = |(_, age): &(String, Duration)| *age < LIVE;
        let live = self.seen.iter().filter(|(_, seen)| is_live(seen)).map(|(name, _)| name.clone());
        let live: BTreeSet<_> = live.chain([self.me.clone()]).collect();
        let joined = *self.joined.get_or_insert(now);
        let is_settled = live.len() == 1 || now.saturating_sub(joined) >= SETTLE;
        View { me: self.me.clone(), live, is_settled }
    }

    /// Leases of others that nobody has renewed for [`BURIED`].
    pub fn buried(&self) -> impl Iterator<Item = &ReplicaName> {
        let old = self.seen.iter().filter(|(_, (_, age))| *age >= BURIED);
        old.map(|(name, _)| name).filter(|name| **name != self.me)
    }
}

/// Time that never goes back, from a clock that may. A clock that is set back counts as one beat; one
/// that jumps ahead as what it jumps, like a process that stood still.
#[derive(Debug)]
pub struct Reckoning {
    last: Timestamp,
    sum: Duration,
}

impl Reckoning {
    /// Zero, now.
    #[must_use]
    pub const fn begin(now: Timestamp) -> Self {
        Self { last: now, sum: Duration::ZERO }
    }

    /// The time since the begin.
    pub fn at(&mut self, now: Timestamp) -> Duration {
        let step = Duration::try_from(now.duration_since(self.last)).unwrap_or(BEAT);
        self.last = now;
        self.sum = self.sum.saturating_add(step);
        self.sum
    }
}

#[cfg(test)]
mod tests;
