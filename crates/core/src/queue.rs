//! All Secrets in the order they fall due.
//!
//! A Secret *waits* for its moment, then is *ready*. The wall clock decides; whoever owns the
//! queue calls [`Queue::advance`] on a short tick, because a timer stands still while a machine
//! sleeps. Ready Secrets leave in turn by shoot, the most urgent of each shoot first, so one shoot
//! with many Secrets holds up nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::{name::SecretRef, shoot::ShootId};

#[cfg(test)]
mod tests;

/// How urgent a Secret is once it is ready. Lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// The token-issuer's own credential: without it nothing else of that shoot can be served.
    OwnCredential,
    /// Consumers have no usable token.
    NothingUsable,
    /// An ordinary renewal.
    Ordinary,
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
    slots: HashMap<SecretRef, Slot>,
    waiting: BTreeSet<(Timestamp, SecretRef)>,
    ready: BTreeMap<ShootId, BTreeSet<Place>>,
    last_served: Option<ShootId>,
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
        if let Some(places) = self.ready.get_mut(&secret.namespace) {
            places.remove(&(slot.urgency, slot.deadline, secret.clone()));
            if places.is_empty() {
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
            let place = (slot.urgency, slot.deadline, secret.clone());
            self.ready.entry(secret.namespace).or_default().insert(place);
        }
    }

    /// Takes out the next ready Secret of a shoot that `admits`. Shoots come in turn.
    pub fn take(&mut self, admits: impl Fn(&ShootId) -> bool) -> Option<SecretRef> {
        let shoot = self.next_shoot(&admits)?.clone();
        let (_, _, secret) = self.ready.get(&shoot)?.first()?.clone();
        self.last_served = Some(shoot);
        self.remove(&secret);
        Some(secret)
    }

    /// The shoot to serve: one with an own credential or an unusable token first, then the one
    /// after the last served.
    fn next_shoot(&self, admits: &impl Fn(&ShootId) -> bool) -> Option<&ShootId> {
        let heads = || {
            self.ready
                .iter()
                .filter(|(shoot, _)| admits(shoot))
                .filter_map(|(shoot, places)| places.first().map(|(urgency, ..)| (shoot, *urgency)))
        };
        let most_urgent = heads().map(|(_, urgency)| urgency).min()?;
        let of_that = || heads().filter(|(_, urgency)| *urgency == most_urgent);
        let after = |shoot: &ShootId| self.last_served.as_ref().is_none_or(|last| shoot > last);
        of_that()
            .find(|(shoot, _)| after(shoot))
            .or_else(|| of_that().next())
            .map(|(shoot, _)| shoot)
    }

    /// The slot of a Secret.
    #[must_use]
    pub fn slot(&self, secret: &SecretRef) -> Option<Slot> {
        self.slots.get(secret).copied()
    }

    /// How many are ready and not taken yet.
    #[must_use]
    pub fn ready_len(&self) -> usize {
        self.ready.values().map(BTreeSet::len).sum()
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
