//! The ServiceAccounts that access Secrets name: what is known of each (contract, section C).
//!
//! ```text
//! ObserveShoot ──► which accounts      list, watch (watch.rs) ─┐
//! IssueToken ───► uid of a new token ──► book (book.rs) ◄──────┴─ GET, where there is doubt
//!                                          └──► WatchShoots: first all, then changes
//! ```
//!
//! A watch may be behind, and a token that is thought lost costs another one. So what a watch says
//! counts at once only where it fits what is known; else one GET decides.

mod book;
mod metrics;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use perennial_core::{
    clock::Clock,
    inputs::LabelsHash,
    name::AccountRef,
    shoot::{AccountSeen, ShootId},
};
use tokio::sync::Notify;

use self::book::{Book, Published};
pub use self::{metrics::Metrics, watch::AccountWatch};
use crate::{
    changes::Changes,
    observe::{Error, Observe},
};

/// Most accounts of all shoots together, less than 1 KiB each: a Secret names one, and a fleet of
/// 1,200 shoots with 200 Secrets each has no more.
const OBSERVED_MAX: usize = 250_000;

/// What is known of all accounts. Shared; nothing waits while it is locked.
#[derive(Debug)]
pub struct Accounts {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Something was published.
    news: tokio::sync::watch::Sender<u64>,
    /// Other shoots are observed.
    shoots: tokio::sync::watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    books: BTreeMap<ShootId, Book>,
    observed: usize,
    changes: Changes<AccountRef>,
}

/// What is told of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its shoot.
    pub shoot: ShootId,
    /// Which one.
    pub account: AccountRef,
    /// What was seen.
    pub seen: AccountSeen,
}

impl Accounts {
    /// Nothing is observed yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (news, shoots) = Default::default();
        Self { clock, state: Mutex::default(), news, shoots }
    }

    /// From now on these accounts matter in that shoot, and no others.
    ///
    /// # Errors
    /// When there are too many in all; what was observed before still is.
    pub fn observe(&self, observe: Observe) -> Result<(), Error> {
        let Observe { shoot, accounts, .. } = observe;
        let mut state = self.lock();
        let before = state.books.get(&shoot).map_or(0, Book::len);
        if state.observed - before + accounts.len() > OBSERVED_MAX {
            return Err(Error::TooMany { what: "ServiceAccounts", max: OBSERVED_MAX });
        }
        state.observed = state.observed - before + accounts.len();
        let book = state.books.entry(shoot).or_default();
        let gone = book.observe(accounts);
        gone.into_iter().for_each(|version| state.changes.forget(version));
        drop(state);
        self.shoots.send_modify(|version| *version += 1);
        Ok(())
    }

    /// Whether it is being deleted, as far as is known: it would issue tokens that it refuses. Who
    /// asks has reason to doubt it, so it is looked at again.
    #[must_use]
    pub fn is_terminating(&self, shoot: &ShootId, account: &AccountRef) -> bool {
        let mut state = self.lock();
        state.books.get_mut(shoot).is_some_and(|book| book.is_terminating(account))
    }

    /// The shoot granted a token of this uid: the account is there. One that was `made` for it is as
    /// it was asked for, with the labels `wanted`.
    pub fn granted(
        &self,
        shoot: &ShootId,
        account: &AccountRef,
        uid: &str,
        wanted: &BTreeMap<String, String>,
        made: bool,
    ) {
        let labels = LabelsHash::of(wanted);
        let now = self.clock.now();
        self.update(shoot, |book| {
            book.granted(account, uid, labels, made, now).into_iter().collect()
        });
    }

    /// What is known of the accounts of one shoot.
    #[must_use]
    pub fn of(&self, shoot: &ShootId) -> Vec<Told> {
        let told = |(account, seen): (&AccountRef, &AccountSeen)| Told {
            shoot: shoot.clone(),
            account: account.clone(),
            seen: seen.clone(),
        };
        self.lock()
            .books
            .get(shoot)
            .map(|book| book.known().map(told).collect())
            .unwrap_or_default()
    }

    /// At most `max` changes after `cursor`, and the cursor behind them. Several changes of one
    /// account are its last one.
    #[must_use]
    pub fn since(&self, cursor: u64, max: usize) -> (Vec<Told>, u64) {
        let state = self.lock();
        let (changed, last) = state.changes.after(cursor, max);
        let told = changed.iter().filter_map(|changed| {
            let (shoot, account) = &**changed;
            let seen = state.books.get(shoot)?.seen(account)?.clone();
            Some(Told { shoot: shoot.clone(), account: account.clone(), seen })
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

    /// As if a watch had said so.
    #[cfg(test)]
    pub(crate) fn terminating_for_tests(&self, shoot: &ShootId, account: &AccountRef, uid: &str) {
        let state = perennial_core::shoot::AccountState::Terminating;
        let (account, uid) = (account.clone(), uid.into());
        let seen = perennial_kube::shoot::SeenAccount { account, uid, state };
        let now = self.clock.now();
        self.update(shoot, |book| book.heard(seen, now).into_iter().collect());
    }

    fn retain(&self, is_known: impl Fn(&ShootId) -> bool) {
        let State { books, observed, changes } = &mut *self.lock();
        books.retain(|shoot, book| {
            let stays = is_known(shoot);
            if !stays {
                *observed -= book.len();
                book.observe(BTreeSet::new()).into_iter().for_each(|gone| changes.forget(gone));
            }
            stays
        });
    }

    /// Changes the book of a shoot, and publishes what comes of it.
    fn update(&self, shoot: &ShootId, change: impl FnOnce(&mut Book) -> Vec<Published>) {
        let mut state = self.lock();
        let State { books, changes, .. } = &mut *state;
        let Some(book) = books.get_mut(shoot) else { return };
        let published = change(book);
        if published.is_empty() {
            return;
        }
        for Published { account, before } in published {
            let version = changes.note(shoot, account.clone(), before);
            book.set_version(&account, version);
        }
        drop(state);
        self.news.send_modify(|news| *news += 1);
    }

    /// Reads of the book of a shoot.
    fn with<T>(&self, shoot: &ShootId, read: impl FnOnce(&mut Book) -> T) -> Option<T> {
        self.lock().books.get_mut(shoot).map(read)
    }

    fn wake(&self, shoot: &ShootId) -> Option<Arc<Notify>> {
        self.with(shoot, |book| Arc::clone(&book.wake))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
