//! The fleet as engine and operators share it: one lock, held for moments and never across an
//! await, and those who watch.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{
    clock::Clock,
    generation::Number,
    name::{Namespace, SecretRef},
};
use tokio::sync::{Notify, watch};

use perennial_fleet::{
    Fleet, Settings, explain::Explanation, request, revocation::progress::Progress,
    schedule::Schedule, stop::Switch,
};

/// Most who watch at once.
const WATCHERS_MAX: usize = 64;
/// Changes that one who watches has not taken yet. They are kept once per Secret, so only a fleet
/// larger than this, or one that is made and deleted without end, gets there.
const CHANGES_MAX: usize = 200_000;

/// The fleet, for engine and service.
#[derive(Debug)]
pub struct Board {
    fleet: Mutex<Fleet>,
    clock: Arc<dyn Clock>,
    watchers: Mutex<Vec<Weak<Watcher>>>,
    switch: watch::Sender<Switch>,
    pauses: watch::Sender<u64>,
    campaigns: watch::Sender<u64>,
}

impl Board {
    /// A board with an empty fleet.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let fleet = Mutex::new(Fleet::new(settings));
        let switch = watch::Sender::default();
        let (pauses, campaigns) = (watch::Sender::default(), watch::Sender::default());
        Arc::new(Self { fleet, clock, watchers: Mutex::default(), switch, pauses, campaigns })
    }

    /// There may be other replicas: nothing is ordered before it is known which.
    pub fn share(&self) {
        let _ = self.update(|fleet, now| fleet.share(now));
    }

    /// Changes the fleet and tells those who watch. Gives back what `change` does, and the
    /// requests that it dismissed.
    pub(crate) fn update<R>(
        &self,
        change: impl FnOnce(&mut Fleet, Timestamp) -> R,
    ) -> (R, Vec<(SecretRef, request::Error)>) {
        let mut fleet = lock(&self.fleet);
        let result = change(&mut fleet, self.clock.now());
        let effects = fleet.take_effects();
        self.switch.send_if_modified(|held| {
            let is_new = held != fleet.switch();
            if is_new {
                held.clone_from(fleet.switch());
            }
            is_new
        });
        let revision = fleet.pauses_revision();
        self.pauses.send_if_modified(|held| mem::replace(held, revision) != revision);
        let revision = fleet.campaigns_revision();
        self.campaigns.send_if_modified(|held| mem::replace(held, revision) != revision);
        drop(fleet);
        if !effects.changed.is_empty() {
            self.tell(&effects.changed);
        }
        (result, effects.dismissed)
    }

    /// Looks at the fleet.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Fleet, Timestamp) -> R) -> R {
        look(&lock(&self.fleet), self.clock.now())
    }

    /// Follows whether orders may leave.
    #[must_use]
    pub fn follow_switch(&self) -> watch::Receiver<Switch> {
        self.switch.subscribe()
    }

    /// Follows which shoots are paused: another number whenever others are.
    #[must_use]
    pub fn follow_pauses(&self) -> watch::Receiver<u64> {
        self.pauses.subscribe()
    }

    /// Follows which campaigns there are: another number whenever there are others.
    #[must_use]
    pub fn follow_campaigns(&self) -> watch::Receiver<u64> {
        self.campaigns.subscribe()
    }

    /// The schedule of one Secret.
    #[must_use]
    pub fn schedule(&self, secret: &SecretRef) -> Option<Schedule> {
        self.read(|fleet, now| fleet.schedule(now, secret))
    }

    /// Why it is that.
    #[must_use]
    pub fn explain(&self, secret: &SecretRef) -> Option<Explanation> {
        self.read(|fleet, now| fleet.explain(now, secret))
    }

    /// What is said of a Secret that is not here.
    #[must_use]
    pub fn missing(&self, secret: &SecretRef) -> request::Error {
        self.read(|fleet, _| fleet.missing(secret))
    }

    /// Has tokens revoked, see [`Fleet::revoke`].
    ///
    /// # Errors
    /// When nothing can be revoked.
    pub fn revoke(
        &self,
        secret: &SecretRef,
        generation: Number,
        grace: Option<Duration>,
    ) -> Result<Number, request::Error> {
        // Nothing is decided before the next tick, so nobody is dismissed by it.
        self.update(|fleet, now| fleet.revoke(now, secret, generation, grace)).0
    }

    /// How far a revocation is and when that is so, see [`Fleet::revocation`].
    #[must_use]
    pub fn revocation(
        &self,
        secret: &SecretRef,
    ) -> Option<(Timestamp, Result<Progress, request::Error>)> {
        self.read(|fleet, now| fleet.revocation(now, secret).map(|progress| (now, progress)))
    }

    /// A page of schedules, see [`Fleet::schedules`].
    #[must_use]
    pub fn schedules(
        &self,
        namespace: Option<&Namespace>,
        after: Option<&SecretRef>,
        count: usize,
    ) -> Vec<Schedule> {
        self.read(|fleet, now| fleet.schedules(now, namespace, after, count))
    }

    /// Begins to collect changes, of one namespace or of all; `None` when too many do.
    #[must_use]
    pub fn watch(&self, namespace: Option<Namespace>) -> Option<Arc<Watcher>> {
        let mut watchers = lock(&self.watchers);
        watchers.retain(|watcher| watcher.strong_count() > 0);
        if watchers.len() >= WATCHERS_MAX {
            return None;
        }
        let watcher = Arc::new(Watcher { namespace, ..Watcher::default() });
        watchers.push(Arc::downgrade(&watcher));
        Some(watcher)
    }

    fn tell(&self, changed: &BTreeSet<SecretRef>) {
        let watchers = lock(&self.watchers);
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.note(changed));
    }
}

/// Collects what changed until it is taken.
#[derive(Debug, Default)]
pub struct Watcher {
    namespace: Option<Namespace>,
    changed: Mutex<BTreeSet<SecretRef>>,
    woken: Notify,
}

/// More changed than can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSlow;

impl Watcher {
    fn note(&self, changed: &BTreeSet<SecretRef>) {
        let ours = |secret: &&SecretRef| {
            self.namespace.as_ref().is_none_or(|namespace| secret.namespace == *namespace)
        };
        let mut kept = lock(&self.changed);
        if kept.len() <= CHANGES_MAX {
            kept.extend(changed.iter().filter(ours).cloned());
        }
        if !kept.is_empty() {
            self.woken.notify_one();
        }
    }

    /// Waits for changes and takes them. One task at a time.
    ///
    /// # Errors
    /// When they were not taken in time and some are lost.
    pub async fn changes(&self) -> Result<BTreeSet<SecretRef>, TooSlow> {
        loop {
            let changed = mem::take(&mut *lock(&self.changed));
            match changed.len() {
                0 => self.woken.notified().await,
                count if count > CHANGES_MAX => return Err(TooSlow),
                _ => return Ok(changed),
            }
        }
    }
}

/// A panic while the lock was held ends the process anyway: the supervisor sees it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
