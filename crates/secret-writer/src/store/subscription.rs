//! Followers of the store.
//!
//! A follower holds no queue of records. It has a place in the ordered set while it gets the whole
//! of it, and after that the names of the Secrets that changed since it last looked; what it is
//! given is always the latest record. So a slow follower costs one name for each changed Secret,
//! and gets fewer events, never old ones.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    ops::Bound,
    sync::Arc,
};

use perennial_core::name::SecretRef;
use perennial_kube::access::Seen;
use tokio::sync::Notify;

use super::{State, Store};

/// Each scheduler replica follows one secret-writer, and an operator may look on.
const SUBSCRIBERS_MAX: usize = 64;

/// What a follower is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A Secret that is new or has changed.
    Upsert(Arc<Seen>),
    /// A Secret that is gone or no longer ours.
    Removed(SecretRef),
    /// The whole set has been told.
    SnapshotComplete,
}

/// More followers than we serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {SUBSCRIBERS_MAX} watches already")]
pub struct TooManySubscribers;

/// One follower; it is forgotten when dropped.
#[derive(Debug)]
pub struct Subscription {
    store: Store,
    id: u64,
    woken: Arc<Notify>,
}

impl Subscription {
    pub(super) const fn new(store: Store, id: u64, woken: Arc<Notify>) -> Self {
        Self { store, id, woken }
    }

    /// The next event, as soon as there is one. Nothing is lost when this is dropped while it
    /// waits.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.store.lock().next_event(self.id) {
                return event;
            }
            // A wake-up that came since the look is kept by `Notify`.
            self.woken.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.store.lock().subscribers.followers.remove(&self.id);
    }
}

#[derive(Debug, Default)]
pub(super) struct Subscribers {
    followers: BTreeMap<u64, Follower>,
    next_id: u64,
}

#[derive(Debug)]
struct Follower {
    place: Place,
    changed: VecDeque<SecretRef>,
    /// The same names, so that each stands in the queue once.
    queued: HashSet<SecretRef>,
    woken: Arc<Notify>,
}

#[derive(Debug)]
enum Place {
    /// In the whole set, after this one.
    Snapshot(Option<SecretRef>),
    Changes,
}

impl Subscribers {
    pub(super) fn add(&mut self) -> Result<(u64, Arc<Notify>), TooManySubscribers> {
        if self.followers.len() >= SUBSCRIBERS_MAX {
            return Err(TooManySubscribers);
        }
        let id = self.next_id;
        self.next_id += 1;
        let woken = Arc::new(Notify::new());
        let follower = Follower {
            place: Place::Snapshot(None),
            changed: VecDeque::new(),
            queued: HashSet::new(),
            woken: Arc::clone(&woken),
        };
        self.followers.insert(id, follower);
        Ok((id, woken))
    }

    pub(super) fn changed(&mut self, secret: &SecretRef) {
        for follower in self.followers.values_mut() {
            follower.changed(secret);
        }
    }

    pub(super) fn wake(&self) {
        self.followers.values().for_each(|follower| follower.woken.notify_one());
    }
}

impl Follower {
    fn changed(&mut self, secret: &SecretRef) {
        let still_to_come = match &self.place {
            Place::Snapshot(None) => true,
            Place::Snapshot(Some(last)) => secret > last,
            Place::Changes => false,
        };
        if !still_to_come && self.queued.insert(secret.clone()) {
            self.changed.push_back(secret.clone());
            self.woken.notify_one();
        }
    }
}

impl State {
    fn next_event(&mut self, id: u64) -> Option<Event> {
        let follower = self.subscribers.followers.get_mut(&id)?;
        match &mut follower.place {
            Place::Snapshot(_) if !self.complete => None,
            Place::Snapshot(last) => {
                let begin = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let next = self.entries.range((begin, Bound::Unbounded)).next();
                let Some((secret, entry)) = next else {
                    follower.place = Place::Changes;
                    return Some(Event::SnapshotComplete);
                };
                *last = Some(secret.clone());
                Some(Event::Upsert(Arc::clone(&entry.seen)))
            }
            Place::Changes => {
                let secret = follower.changed.pop_front()?;
                follower.queued.remove(&secret);
                Some(match self.entries.get(&secret) {
                    Some(entry) => Event::Upsert(Arc::clone(&entry.seen)),
                    None => Event::Removed(secret),
                })
            }
        }
    }
}
