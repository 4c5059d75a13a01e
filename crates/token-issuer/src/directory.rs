//! The shoots that are known, and for each of them at most two live clients.
//!
//! A shoot is known as long as one of its two Secrets is there (contract, section F). Which
//! credential is in use follows what the shoot answers ([`entry`]); a client is made anew only when
//! the data of its Secret changed, and the credential is kept nowhere else ([`access`]).

mod access;
mod entry;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{
    kubeconfig::Connection,
    shoot::{Hibernation, Reach, ShootId, ShootStatus},
};
use perennial_kube::shoot_secrets::{ConnectionError, Names, Which};
use tokio::sync::watch;

use self::{access::Access, entry::Entry};
pub use self::{
    access::Endpoint,
    entry::{Candidate, KeysSeen, Purpose, Sight},
};
use crate::shoot::{Connect, Shoot};

/// All shoots. Shared by everything in the token-issuer; nothing waits while it is locked.
pub struct Directory {
    names: Names,
    connect: Arc<dyn Connect>,
    key_withdrawn_after: Duration,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    shoots: BTreeMap<ShootId, Entry>,
    version: u64,
    /// Those known when the first lists were in and not looked at yet; `None` before.
    unseen: Option<BTreeSet<ShootId>>,
}

/// The ways to a shoot for one call.
#[derive(Clone, Debug)]
pub struct Ways {
    /// In the order to try. May be empty: see `obstacle`.
    pub candidates: Vec<Candidate>,
    /// Why there are none and what to do; empty where there are some.
    pub obstacle: String,
    /// Whether the bootstrap credential is in use although there is an own one.
    pub is_recovering: bool,
    generation: u64,
}

/// A status with what a stream needs beside it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What was last seen.
    pub status: ShootStatus,
    /// Address of its API server; empty where no Secret says it.
    pub address: String,
    /// Where a call succeeded last; `None` until one did.
    pub proved: Option<Arc<Endpoint>>,
    /// Grows with every change that others are told of.
    pub version: u64,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Directory {
    /// An empty directory. `names` are those of the two Secrets, for texts; a key set that looks
    /// have shown unchanged for `key_withdrawn_after` is settled.
    #[must_use]
    pub fn new(names: Names, connect: Arc<dyn Connect>, key_withdrawn_after: Duration) -> Self {
        let changed = watch::Sender::new(0);
        Self { names, connect, key_withdrawn_after, state: Mutex::default(), changed }
    }

    /// The names of the two Secrets.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// A Secret is there. Says whether it brought anything new.
    pub fn upsert(
        &self,
        shoot: &ShootId,
        which: Which,
        connection: &Result<Connection, ConnectionError>,
    ) -> bool {
        let is_known = |state: &State| {
            let access = state.shoots.get(shoot).and_then(|entry| entry.access(which));
            access.is_some_and(|access| access.is_of(connection))
        };
        if is_known(&self.lock()) {
            return false;
        }
        // Certificates are parsed here, which takes too long for the lock.
        let access = Access::open(connection, self.connect.as_ref());
        let mut state = self.lock();
        let new = || Entry::new(shoot.clone(), self.key_withdrawn_after);
        let entry = state.shoots.entry(shoot.clone()).or_insert_with(new);
        entry.set(which, Some(access));
        self.tell(&mut state, shoot);
        true
    }

    /// A Secret is gone. Says whether the shoot is gone with it.
    pub fn remove(&self, shoot: &ShootId, which: Which) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.shoots.get_mut(shoot) else { return false };
        entry.set(which, None);
        let gone = entry.is_gone();
        if gone {
            state.shoots.remove(shoot);
            state.looked_at(shoot);
        }
        self.tell(&mut state, shoot);
        gone
    }

    /// What the own Secret of a shoot says of hibernation. Gives back what it said before, where that
    /// was something else.
    pub fn hibernate(&self, shoot: &ShootId, hibernation: &Hibernation) -> Option<Hibernation> {
        let mut state = self.lock();
        let entry = state.shoots.get_mut(shoot)?;
        let before = entry.hibernate(hibernation)?;
        if entry.status.hibernated {
            state.looked_at(shoot); // nobody waits for it
        }
        self.tell(&mut state, shoot);
        Some(before)
    }

    /// Whether a shoot hibernates.
    #[must_use]
    pub fn is_hibernated(&self, shoot: &ShootId) -> bool {
        self.lock().shoots.get(shoot).is_some_and(|entry| entry.status.hibernated)
    }

    /// The first lists of both Secrets are in.
    pub fn complete(&self) {
        let mut state = self.lock();
        let unknown =
            |entry: &Entry| entry.status.reach == Reach::Unknown && !entry.status.hibernated;
        let unseen = state.shoots.iter().filter(|(_, entry)| unknown(entry));
        state.unseen = Some(unseen.map(|(shoot, _)| shoot.clone()).collect());
        self.changed.send_modify(|version| *version += 1);
    }

    /// Whether the first lists of both Secrets are in.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lock().unseen.is_some()
    }

    /// How many of the shoots of the first lists have not been looked at; `None` before those.
    #[must_use]
    pub fn unseen_count(&self) -> Option<usize> {
        self.lock().unseen.as_ref().map(BTreeSet::len)
    }

    /// Whether a shoot is known.
    #[must_use]
    pub fn knows(&self, shoot: &ShootId) -> bool {
        self.lock().shoots.contains_key(shoot)
    }

    /// The ways to a shoot; `None` where it is not known.
    #[must_use]
    pub fn ways(&self, shoot: &ShootId, purpose: Purpose) -> Option<Ways> {
        let state = self.lock();
        let entry = state.shoots.get(shoot)?;
        let candidates = entry.candidates(purpose);
        let obstacle = match candidates.is_empty() {
            true => entry.no_way_in(&self.names),
            false => String::new(),
        };
        let (is_recovering, generation) = (entry.is_recovering(), entry.generation);
        Some(Ways { candidates, obstacle, is_recovering, generation })
    }

    /// The client in use, while the shoot is reached.
    #[must_use]
    pub fn client_in_use(&self, shoot: &ShootId) -> Option<Arc<dyn Shoot>> {
        self.lock().shoots.get(shoot).and_then(Entry::client_in_use)
    }

    /// Whether a shoot is not known to be out of reach.
    #[must_use]
    pub fn is_reached(&self, shoot: &ShootId) -> bool {
        let state = self.lock();
        let may_answer =
            |entry: &Entry| entry.status.reach != Reach::Unreachable && !entry.status.hibernated;
        state.shoots.get(shoot).is_some_and(may_answer)
    }

    /// The addresses of a shoot, the own one first.
    #[must_use]
    pub fn endpoints(&self, shoot: &ShootId) -> Vec<Endpoint> {
        self.lock().shoots.get(shoot).map(Entry::endpoints).unwrap_or_default()
    }

    /// A client for this endpoint with a token that is nobody's yet.
    ///
    /// # Errors
    /// When the token cannot be sent.
    pub fn connect(
        &self,
        connection: &Connection,
    ) -> Result<Arc<dyn Shoot>, perennial_kube::Error> {
        self.connect.connect(connection)
    }

    /// A call that went these ways succeeded with this credential.
    pub fn worked(&self, shoot: &ShootId, ways: &Ways, which: Which, now: Timestamp) {
        self.update(shoot, ways, |entry| entry.worked(which, now));
    }

    /// The shoot knows our own token, or answered 401 to it.
    pub fn own_is_known(&self, shoot: &ShootId, ways: &Ways, known: bool) {
        self.update(shoot, ways, |entry| entry.own_is_known(known));
    }

    /// A probe that went these ways ended. Returns how the shoot was reached before and is now,
    /// unless its connections changed meanwhile.
    pub fn seen(
        &self,
        shoot: &ShootId,
        ways: &Ways,
        sight: Sight,
        now: Timestamp,
    ) -> Option<(ShootStatus, ShootStatus)> {
        self.lock().looked_at(shoot);
        self.update(shoot, ways, |entry| entry.seen(sight, now))
    }

    /// What is known of all shoots, ordered by their namespace.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let listed = |entry: &Entry| Listed {
            status: entry.status.clone(),
            address: entry.address().to_owned(),
            proved: entry.proved.clone(),
            version: entry.version,
        };
        self.lock().shoots.values().map(listed).collect()
    }

    /// Wakes on every change that others are told of.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn update(
        &self,
        shoot: &ShootId,
        ways: &Ways,
        change: impl FnOnce(&mut Entry) -> bool,
    ) -> Option<(ShootStatus, ShootStatus)> {
        let mut state = self.lock();
        let entry = state.shoots.get_mut(shoot)?;
        if entry.generation != ways.generation {
            return None;
        }
        let before = entry.status.clone();
        let to_be_told = change(entry);
        let after = entry.status.clone();
        if to_be_told {
            self.tell(&mut state, shoot);
        }
        Some((before, after))
    }

    fn tell(&self, state: &mut State, shoot: &ShootId) {
        state.version += 1;
        if let Some(entry) = state.shoots.get_mut(shoot) {
            entry.version = state.version;
        }
        self.changed.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn looked_at(&mut self, shoot: &ShootId) {
        if let Some(unseen) = &mut self.unseen {
            unseen.remove(shoot);
        }
    }
}
