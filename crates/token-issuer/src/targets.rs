//! Targets that matter, in all shoots, as they were last seen.
//!
//! The scheduler tells which ones matter ([`Targets::set`]), [`follow`] watches each of them, and
//! every stream of WatchShoots asks for what is new to it ([`Targets::news`]). Of a target nothing
//! is kept but claims, a SHA-256 and the hash of its CA.

pub mod follow;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use perennial_core::{
    name::SecretRef,
    shoot::ShootId,
    target::{TargetSeen, TargetState},
};
use tokio::sync::watch;

/// Most targets of one shoot that are watched, each by a watch of its own: RBAC and the API server
/// know no list of names. An API server admits 250 streams on a connection, and at most 64 requests
/// for tokens are under way there. Of those beyond, the note on the access Secret is believed.
pub const WATCHED_MAX: usize = 64;

/// All of them. Nothing waits while it is locked.
#[derive(Debug)]
pub struct Targets {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    shoots: BTreeMap<ShootId, BTreeMap<SecretRef, Option<Told>>>,
    version: u64,
}

#[derive(Debug)]
struct Told {
    seen: TargetSeen,
    version: u64,
}

/// What a stream has not sent yet.
pub type News = (ShootId, SecretRef, TargetSeen);

impl Default for Targets {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Targets {
    /// From now on these targets matter in that shoot, and no others. Gives back how many of them
    /// are more than can be watched.
    pub fn set(&self, shoot: &ShootId, targets: &BTreeSet<SecretRef>) -> usize {
        let mut state = self.lock();
        let mut held = state.shoots.remove(shoot).unwrap_or_default();
        let watched = targets.iter().take(WATCHED_MAX);
        let now: BTreeMap<_, _> =
            watched.map(|target| (target.clone(), held.remove(target).flatten())).collect();
        if !now.is_empty() {
            state.shoots.insert(shoot.clone(), now);
        }
        self.tell(&mut state);
        targets.len().saturating_sub(WATCHED_MAX)
    }

    /// Forgets the shoots that are not known any more.
    pub fn keep_shoots(&self, is_known: impl Fn(&ShootId) -> bool) {
        self.lock().shoots.retain(|shoot, _| is_known(shoot));
    }

    /// Those that matter.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<(ShootId, SecretRef)> {
        let state = self.lock();
        let of = |(shoot, targets): (&ShootId, &BTreeMap<SecretRef, _>)| {
            let shoot = shoot.clone();
            let targets: Vec<_> = targets.keys().cloned().collect();
            targets.into_iter().map(move |target| (shoot.clone(), target))
        };
        state.shoots.iter().flat_map(of).collect()
    }

    /// One was seen. Nobody is told of one that is as it was.
    pub fn saw(&self, shoot: &ShootId, target: &SecretRef, seen: TargetState, at: Timestamp) {
        let mut state = self.lock();
        let version = state.version + 1;
        let Some(told) = state.shoots.get_mut(shoot).and_then(|targets| targets.get_mut(target))
        else {
            return; // no longer of interest
        };
        if told.as_ref().is_some_and(|told| told.seen.state == seen) {
            return;
        }
        *told = Some(Told { seen: TargetSeen { state: seen, at }, version });
        self.tell(&mut state);
    }

    /// What changed after `version`, and the version to ask from next.
    #[must_use]
    pub fn news(&self, version: u64, admits: impl Fn(&ShootId) -> bool) -> (Vec<News>, u64) {
        let state = self.lock();
        let mut news = Vec::new();
        for (shoot, targets) in state.shoots.iter().filter(|(shoot, _)| admits(shoot)) {
            let told = targets.iter().filter_map(|(target, told)| Some((target, told.as_ref()?)));
            let new = told.filter(|(_, told)| told.version > version);
            news.extend(
                new.map(|(target, told)| (shoot.clone(), target.clone(), told.seen.clone())),
            );
        }
        (news, state.version)
    }

    /// Wakes on every change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self, state: &mut State) {
        state.version += 1;
        self.changed.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
