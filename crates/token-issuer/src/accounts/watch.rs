//! The watch of the accounts of one shoot: what it says goes into the book, what the book doubts is
//! looked at.

use std::{collections::BTreeMap, future, pin::Pin, sync::Arc, time::Duration};

use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered},
};
use jiff::Timestamp;
use perennial_core::{
    failure::{self, Failure as _, Kind},
    name::AccountRef,
    shoot::ShootId,
};
use perennial_kube::{
    Error, call,
    shoot::{AccountChange, SeenAccount},
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{self, Sleep},
};
use tracing::debug;

use super::{Accounts, Metrics, book::Doubt};
use crate::{follow::Follow, probe::Probes, shoot::Shoot};

/// Lists and looks at once, over all shoots. At the start of a fleet each shoot is listed once.
const CALLS_MAX: usize = 32;
/// For so long a watch may settle a doubt before it is looked at. An account that IssueToken makes
/// is told of within milliseconds.
const CALM: Duration = Duration::from_millis(500);
/// Pause after a look that failed.
const CALM_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// As many doubts at once are settled by one list: it has 200 accounts in an answer.
const LOOKS_MAX: usize = 50;

/// Watches the accounts that are observed.
#[derive(Debug)]
pub struct AccountWatch {
    accounts: Arc<Accounts>,
    probes: Arc<Probes>,
    calls: Semaphore,
    metrics: Metrics,
}

impl AccountWatch {
    /// What it sees goes into `accounts`.
    #[must_use]
    pub fn new(accounts: Arc<Accounts>, probes: Arc<Probes>, metrics: Metrics) -> Self {
        Self { accounts, probes, calls: Semaphore::new(CALLS_MAX), metrics }
    }
}

impl Follow for AccountWatch {
    const WHAT: &'static str = "ServiceAccounts";
    type Place = ShootId;

    fn wanted(&self) -> Vec<ShootId> {
        let state = self.accounts.lock();
        let observed = state.books.iter().filter(|(_, book)| book.len() > 0);
        observed.map(|(shoot, _)| shoot.clone()).collect()
    }

    fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.accounts.shoots.subscribe()
    }

    fn retain(&self, is_known: impl Fn(&ShootId) -> bool) {
        self.accounts.retain(is_known);
    }

    async fn follow(&self, shoot: &ShootId, client: &dyn Shoot) -> Error {
        let Some(wake) = self.accounts.wake(shoot) else { return future::pending().await };
        let mut round = Round {
            watch: self,
            shoot,
            client,
            changes: client.watch_accounts(),
            list: None,
            looks: FuturesUnordered::new(),
            calm: None,
            is_whole: false,
        };
        loop {
            if let Err(error) = round.step(&wake).await {
                self.metrics.failures.inc();
                // The probe finds out whether another credential is taken.
                if error.kind() == Kind::TimedOut || error.code() == Some(401) {
                    self.probes.soon(shoot);
                }
                return error;
            }
        }
    }
}

/// A list that has begun.
struct List<'a> {
    begun: Timestamp,
    found: BTreeMap<AccountRef, SeenAccount>,
    _permit: Option<SemaphorePermit<'a>>,
}

type Look = (AccountRef, Timestamp, Result<Option<SeenAccount>, Error>);

struct Round<'a> {
    watch: &'a AccountWatch,
    shoot: &'a ShootId,
    client: &'a dyn Shoot,
    changes: BoxStream<'static, AccountChange>,
    list: Option<List<'a>>,
    looks: FuturesUnordered<BoxFuture<'a, Look>>,
    /// At its end the calm doubts are looked at.
    calm: Option<Pin<Box<Sleep>>>,
    /// Whether the first list is in.
    is_whole: bool,
}

impl<'a> Round<'a> {
    /// Waits for the next thing to happen.
    async fn step(&mut self, wake: &Notify) -> Result<(), Error> {
        self.look_at_doubts(Doubt::Urgent);
        if self.calm.is_none() && self.list.is_none() && self.has_calm_doubts() {
            self.calm = Some(Box::pin(time::sleep(CALM)));
        }
        let calm = async {
            match &mut self.calm {
                Some(calm) => calm.await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            change = next(&mut self.changes, self.list.is_some()) => self.heard(change?).await?,
            Some(look) = self.looks.next(), if !self.looks.is_empty() => self.looked(look)?,
            () = calm => {
                self.calm = None;
                self.look_at_doubts(Doubt::Calm);
            }
            () = wake.notified() => {}
        }
        Ok(())
    }

    async fn heard(&mut self, change: AccountChange) -> Result<(), Error> {
        let accounts = &self.watch.accounts;
        match change {
            AccountChange::ListBegins => {
                let permit = self.watch.calls.acquire().await.ok();
                accounts.with(self.shoot, |book| book.list_begins());
                let (begun, found) = (accounts.clock.now(), BTreeMap::new());
                self.list = Some(List { begun, found, _permit: permit });
            }
            AccountChange::Listed(seen) => {
                let observed = accounts.with(self.shoot, |book| book.is_observed(&seen.account));
                if let (Some(true), Some(list)) = (observed, &mut self.list) {
                    list.found.insert(seen.account.clone(), seen);
                }
            }
            AccountChange::ListComplete => {
                let Some(list) = self.list.take() else { return Ok(()) };
                accounts.update(self.shoot, |book| book.listed(list.found, list.begun));
                self.is_whole = true;
                self.watch.metrics.lists.inc();
            }
            AccountChange::Upsert(seen) => {
                let now = accounts.clock.now();
                accounts.update(self.shoot, |book| book.heard(seen, now).into_iter().collect());
            }
            AccountChange::Removed(seen) => {
                accounts.with(self.shoot, |book| book.heard_removed(&seen));
            }
            AccountChange::Trouble(error) => return self.failed(error),
        }
        Ok(())
    }

    fn looked(&mut self, (account, begun, found): Look) -> Result<(), Error> {
        let accounts = &self.watch.accounts;
        match found {
            Ok(found) => {
                let read = |book: &mut super::Book| book.read(&account, found, begun);
                accounts.update(self.shoot, |book| read(book).into_iter().collect());
                Ok(())
            }
            Err(error) => {
                accounts.with(self.shoot, |book| book.not_read(&account));
                self.calm = Some(Box::pin(time::sleep(CALM_AFTER_FAILURE)));
                self.failed(error)
            }
        }
    }

    /// What passes by itself is waited for; a refusal ends the watch, for a longer pause.
    fn failed(&mut self, error: Error) -> Result<(), Error> {
        self.list = None;
        if matches!(error.code(), Some(401 | 403)) {
            return Err(error);
        }
        self.watch.metrics.failures.inc();
        if matches!(error.kind(), Kind::Unavailable | Kind::TimedOut) {
            self.watch.probes.soon(self.shoot);
        }
        debug!(shoot = %self.shoot, "watch of ServiceAccounts: {}", failure::chain(&error));
        Ok(())
    }

    fn has_calm_doubts(&self) -> bool {
        let look = |book: &mut super::Book| book.has_doubts(Doubt::Calm);
        self.watch.accounts.with(self.shoot, look).unwrap_or_default()
    }

    /// While a list is under way it settles them.
    fn look_at_doubts(&mut self, least: Doubt) {
        if self.list.is_some() || !self.is_whole {
            return;
        }
        let accounts = self.watch.accounts.with(self.shoot, |book| book.ask(least));
        let accounts = accounts.unwrap_or_default();
        if accounts.len() > LOOKS_MAX {
            self.changes = self.client.watch_accounts();
            return;
        }
        let looks = accounts.into_iter().map(|account| self.look(account));
        self.looks.extend(looks.collect::<Vec<_>>());
    }

    fn look(&self, account: AccountRef) -> BoxFuture<'a, Look> {
        let (watch, client) = (self.watch, self.client);
        Box::pin(async move {
            let _permit = watch.calls.acquire().await;
            watch.metrics.looks.inc();
            let begun = watch.accounts.clock.now();
            let found = client.look_at_account(&account).await;
            (account, begun, found)
        })
    }
}

/// The next change. One call of a list has the limit of every call; a watch may be silent for as
/// long as nothing changes.
async fn next(
    changes: &mut BoxStream<'static, AccountChange>,
    listing: bool,
) -> Result<AccountChange, Error> {
    let timed_out =
        || Error::TimedOut { operation: "list ServiceAccounts".to_owned(), limit: call::LIMIT };
    let change = match listing {
        true => time::timeout(call::LIMIT, changes.next()).await.map_err(|_| timed_out())?,
        false => changes.next().await,
    };
    match change {
        Some(change) => Ok(change),
        None => future::pending().await, // it never ends
    }
}
