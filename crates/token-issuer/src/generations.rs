//! The generations that revocable tokens are bound to: what is known of each family (contract,
//! section D).
//!
//! ```text
//! ObserveShoot ──► which families         list, watch, one a namespace (watch.rs) ─┐
//! IssueToken, RevokeGeneration ──► what we did ourselves ──► book (book.rs) ◄──────┘
//!                                                              └──► WatchShoots
//! ```

mod book;
mod metrics;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use perennial_core::{
    clock::Clock,
    generation::{Family, Generation, GenerationsSeen, Number},
    name::Namespace,
    shoot::ShootId,
};

use self::book::{Book, Published};
pub use self::{
    metrics::Metrics,
    watch::{GenerationWatch, InNamespace},
};
use crate::{changes::Changes, observe::Error, shoot::generations::SeenGeneration};

/// Most families of all shoots together, as for accounts.
const OBSERVED_MAX: usize = 250_000;
/// Most namespaces of one shoot that are watched, each by a watch of its own. An API server admits
/// 250 streams on a connection: these, 64 targets, 64 requests for tokens, and the accounts.
pub const WATCHED_MAX: usize = 32;

/// What is known of all generations. Shared; nothing waits while it is locked.
#[derive(Debug)]
pub struct Generations {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Something was published.
    news: tokio::sync::watch::Sender<u64>,
    /// Other places are observed.
    places: tokio::sync::watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    books: BTreeMap<InNamespace, Book>,
    changes: Changes<Family>,
}

/// What is told of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its shoot.
    pub shoot: ShootId,
    /// Which one.
    pub family: Family,
    /// What was seen.
    pub seen: GenerationsSeen,
}

impl Generations {
    /// Nothing is observed yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (news, places) = Default::default();
        Self { clock, state: Mutex::default(), news, places }
    }

    /// From now on these families matter in that shoot, and no others. Gives back how many of their
    /// namespaces are more than can be watched.
    ///
    /// # Errors
    /// When there are too many in all; what was observed before still is.
    pub fn observe(&self, shoot: &ShootId, families: BTreeSet<Family>) -> Result<usize, Error> {
        let mut wanted: BTreeMap<InNamespace, BTreeSet<Family>> = BTreeMap::new();
        for family in families {
            let (shoot, namespace) = (shoot.clone(), family.namespace.clone());
            wanted.entry(InNamespace { shoot, namespace }).or_default().insert(family);
        }
        let more = wanted.len().saturating_sub(WATCHED_MAX);
        let mut state = self.lock();
        let others = state.books.iter().filter(|(place, _)| place.shoot != *shoot);
        let others: usize = others.map(|(_, book)| book.len()).sum();
        if others + wanted.values().map(BTreeSet::len).sum::<usize>() > OBSERVED_MAX {
            return Err(Error::TooMany { what: "families of generations", max: OBSERVED_MAX });
        }
        let mut wanted: BTreeMap<_, _> = wanted.into_iter().take(WATCHED_MAX).collect();
        let State { books, changes } = &mut *state;
        books.retain(|place, book| {
            let stays = place.shoot != *shoot || wanted.contains_key(place);
            if !stays {
                book.observe(BTreeSet::new()).0.into_iter().for_each(|gone| changes.forget(gone));
            }
            stays
        });
        while let Some((place, families)) = wanted.pop_first() {
            let book = books.entry(place).or_default();
            let (gone, new) = book.observe(families);
            gone.into_iter().for_each(|version| changes.forget(version));
            publish(shoot, book, changes, new);
        }
        drop(state);
        self.places.send_modify(|version| *version += 1);
        self.news.send_modify(|version| *version += 1);
        Ok(more)
    }

    /// Whether none is there that is this new, as far as is known.
    #[must_use]
    pub fn lacks(&self, shoot: &ShootId, family: &Family, least: Number) -> bool {
        let state = self.lock();
        state.books.get(&place(shoot, family)).is_some_and(|book| book.lacks(family, least))
    }

    /// A token was bound to this one by ourselves.
    pub fn granted(&self, shoot: &ShootId, family: &Family, generation: Generation) {
        let now = self.clock.now();
        self.update(&place(shoot, family), |book| book.granted(family, generation, now));
    }

    /// We deleted this one.
    pub fn deleted(&self, shoot: &ShootId, family: &Family, number: Number, uid: &str) {
        let now = self.clock.now();
        self.update(&place(shoot, family), |book| book.gone(&family.id(), number, uid, now));
    }

    /// What is known of the families of one shoot.
    #[must_use]
    pub fn of(&self, shoot: &ShootId) -> Vec<Told> {
        let state = self.lock();
        let books = state.books.iter().filter(|(place, _)| place.shoot == *shoot);
        let told = |(family, seen): (&Family, GenerationsSeen)| Told {
            shoot: shoot.clone(),
            family: family.clone(),
            seen,
        };
        books.flat_map(|(_, book)| book.known().map(told)).collect()
    }

    /// At most `max` changes after `cursor`, and the cursor behind them. Several changes of one
    /// family are its last one.
    #[must_use]
    pub fn since(&self, cursor: u64, max: usize) -> (Vec<Told>, u64) {
        let state = self.lock();
        let (changed, last) = state.changes.after(cursor, max);
        let told = changed.iter().filter_map(|changed| {
            let (shoot, family) = &**changed;
            let seen = state.books.get(&place(shoot, family))?.seen(family)?;
            Some(Told { shoot: shoot.clone(), family: family.clone(), seen })
        });
        (told.collect(), last)
    }

    /// The cursor behind all changes so far.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.lock().changes.version()
    }

    /// Wakes on every change.
    #[must_use]
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn observed(&self) -> Vec<InNamespace> {
        let state = self.lock();
        let observed = state.books.iter().filter(|(_, book)| book.len() > 0);
        observed.map(|(place, _)| place.clone()).collect()
    }

    fn retain(&self, is_known: impl Fn(&ShootId) -> bool) {
        let State { books, changes } = &mut *self.lock();
        books.retain(|place, book| {
            let stays = is_known(&place.shoot);
            if !stays {
                book.observe(BTreeSet::new()).0.into_iter().for_each(|gone| changes.forget(gone));
            }
            stays
        });
    }

    /// A list is whole; whether another one has to follow.
    fn listed(&self, place: &InNamespace, found: &[SeenGeneration], begun: Timestamp) -> bool {
        let mut is_doubtful = false;
        self.update(place, |book| {
            let (published, doubtful) = book.listed(found, begun);
            is_doubtful = doubtful;
            published
        });
        is_doubtful
    }

    /// Changes the book of a namespace, and publishes what comes of it.
    fn update<P: IntoIterator<Item = Published>>(
        &self,
        place: &InNamespace,
        change: impl FnOnce(&mut Book) -> P,
    ) {
        let mut state = self.lock();
        let State { books, changes } = &mut *state;
        let Some(book) = books.get_mut(place) else { return };
        let before = changes.version();
        let published = change(book);
        publish(&place.shoot, book, changes, published);
        if changes.version() != before {
            drop(state);
            self.news.send_modify(|news| *news += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn publish(
    shoot: &ShootId,
    book: &mut Book,
    changes: &mut Changes<Family>,
    published: impl IntoIterator<Item = Published>,
) {
    for Published { family, before } in published {
        let version = changes.note(shoot, family.clone(), before);
        book.set_version(&family, version);
    }
}

fn place(shoot: &ShootId, family: &Family) -> InNamespace {
    let namespace: Namespace = family.namespace.clone();
    InNamespace { shoot: shoot.clone(), namespace }
}
