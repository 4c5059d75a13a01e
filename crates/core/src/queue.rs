//! All Secrets in the order they fall due.
//!
//! A Secret *waits* for its moment, then is *ready*. The wall clock decides; whoever owns the
//! queue calls [`Queue::advance`] on a short tick, because a timer stands still while a machine
//! sleeps. Ready Secrets leave in turn by shoot, the most urgent of each shoot first, so one shoot
//! with many Secrets holds up nobody. Each urgency has a turn of its own: who is served for something
//! urgent loses no turn of the others.
//!
//! One take in [`OLDEST_EVERY`] goes to whoever has been ready longest, so that no flood of urgent
//! Secrets, such as thousands that fail again and again, starves what is ordinary.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use jiff::Timestamp;

use crate::{name::SecretRef, shoot::ShootId};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// One take in so many is by age and not by urgency. It costs the urgent a sixteenth of the rate.
pub const OLDEST_EVERY: u64 = 16;

/// How urgent a Secret is once it is ready. Lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// The token-issuer's own credential: without it nothing else of that shoot can be served.
    OwnCredential,
    /// An operator waits for it.
    Requested,
    /// Consumers have no usable token.
    NothingUsable,
    /// The token has less life left than it takes until every consumer has read the next one.
    Expiring,
    /// An ordinary renewal.
    Ordinary,
    /// Needs no token.
    Repair,
}

/// When a Secret is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Not before this moment.
    pub at: Timestamp,
    /// How urgent it is then.
    pub urgency: Urgency,
    /// By when it must be done; orders Secrets of the same urgency.
    pub deadline: Timestamp,
}

type Place = (Urgency, Timestamp, SecretRef);

/// The queue. One entry per Secret; a later `put` replaces an earlier one.
#[derive(Debug, Default)]
pub struct Queue {
    slots: HashMap<SecretRef, Slot, RandomState>,
    waiting: BTreeSet<(Timestamp, SecretRef)>,
    ready: BTreeMap<ShootId, Ready>,
    ready_len: usize,
    last_served: BTreeMap<Urgency, ShootId>,
    takes: u64,
}

/// What is ready of one shoot, in both orders.
#[derive(Debug, Default)]
struct Ready {
    by_urgency: BTreeSet<Place>,
    by_age: BTreeSet<(Timestamp, Place)>,
}

impl Queue {
    /// Puts a Secret into its slot, out of the one it had.
    pub fn put(&mut self, secret: SecretRef, slot: Slot) {
        self.remove(&secret);
        self.waiting.insert((slot.at, secret.clone()));
        self.slots.insert(secret, slot);
    }

    /// Takes a Secret out.
    pub fn remove(&mut self, secret: &SecretRef) {
        let Some(slot) = self.slots.remove(secret) else { return };
        self.waiting.remove(&(slot.at, secret.clone()));
        if let Some(ready) = self.ready.get_mut(&secret.namespace) {
            let place = (slot.urgency, slot.deadline, secret.clone());
            self.ready_len -= usize::from(ready.by_urgency.remove(&place));
            ready.by_age.remove(&(slot.at, place));
            if ready.by_urgency.is_empty() {
                self.ready.remove(&secret.namespace);
            }
        }
    }

    /// Makes ready what has fallen due by `now`. A clock that jumps back takes nothing back:
    /// whoever takes a Secret out decides about it anew.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.waiting.first()
            && *at <= now
        {
            let Some((_, secret)) = self.waiting.pop_first() else { return };
            let Some(slot) = self.slots.get(&secret) else { continue };
            let ready = self.ready.entry(secret.namespace.clone()).or_default();
            let place = (slot.urgency, slot.deadline, secret.clone());
            self.ready_len += usize::from(ready.by_urgency.insert(place.clone()));
            ready.by_age.insert((slot.at, place));
        }
    }

    /// Takes out the next ready Secret of a shoot that `admits`.
    pub fn take(&mut self, admits: impl Fn(&ShootId) -> bool) -> Option<SecretRef> {
        let secret = match (self.takes + 1) % OLDEST_EVERY {
            0 => self.oldest(&admits)?,
            _ => {
                let (urgency, secret) = self.next(&admits)?;
                self.last_served.insert(urgency, secret.namespace.clone());
                secret
            }
        };
        self.takes += 1;
        self.remove(&secret);
        Some(secret)
    }

    /// The first of the shoot whose first is the most urgent; among equals, of the one after the
    /// last served.
    fn next(&self, admits: &impl Fn(&ShootId) -> bool) -> Option<(Urgency, SecretRef)> {
        let mut best: Option<((Urgency, bool), &SecretRef)> = None;
        for (shoot, ready) in &self.ready {
            let Some((urgency, _, secret)) = ready.by_urgency.first() else { continue };
            let had_its_turn = self.last_served.get(urgency).is_some_and(|last| shoot <= last);
            let rank = (*urgency, had_its_turn);
            if best.is_none_or(|(first, _)| rank < first) && admits(shoot) {
                best = Some((rank, secret));
            }
        }
        best.map(|((urgency, _), secret)| (urgency, secret.clone()))
    }

    /// Whoever has been ready longest; the most urgent among equals.
    fn oldest(&self, admits: &impl Fn(&ShootId) -> bool) -> Option<SecretRef> {
        let admitted = self.ready.iter().filter(|(shoot, _)| admits(shoot));
        let (_, (_, _, secret)) = admitted.filter_map(|(_, ready)| ready.by_age.first()).min()?;
        Some(secret.clone())
    }

    /// How many of its shoot leave before a Secret that is ready.
    #[must_use]
    pub fn ahead_of(&self, secret: &SecretRef) -> Option<usize> {
        let slot = self.slots.get(secret)?;
        let place = (slot.urgency, slot.deadline, secret.clone());
        let ready = self.ready.get(&secret.namespace)?;
        let is_ready = ready.by_urgency.contains(&place);
        is_ready.then(|| ready.by_urgency.range(..place).count())
    }

    /// How many shoots have something ready.
    #[must_use]
    pub fn ready_shoots(&self) -> usize {
        self.ready.len()
    }

    /// The slot of a Secret.
    #[must_use]
    pub fn slot(&self, secret: &SecretRef) -> Option<Slot> {
        self.slots.get(secret).copied()
    }

    /// The earliest moment at which one that waits is ready.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Those that are ready and not taken yet, by shoot and urgency.
    pub fn ready(&self) -> impl Iterator<Item = &SecretRef> {
        self.ready.values().flat_map(|ready| &ready.by_urgency).map(|(_, _, secret)| secret)
    }

    /// Shoots that have something ready.
    pub fn shoots_ready(&self) -> impl Iterator<Item = &ShootId> {
        self.ready.keys()
    }

    /// How many are ready and not taken yet.
    #[must_use]
    pub const fn ready_len(&self) -> usize {
        self.ready_len
    }

    /// How many Secrets are in the queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
