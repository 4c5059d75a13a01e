//! WatchShoots and ListShoots: the whole set, a mark, then every change.
//!
//! A stream remembers which version of each shoot it has sent, and compares on every wake-up. So
//! changes that come faster than a caller reads fall together, and a stream costs no more than one
//! entry a shoot. A new `checked_at` alone is no change: it would send every shoot once a minute
//! for nothing; ListShoots shows it.
//!
//! The observed accounts and generations of a shoot follow it when it is new to the stream, then each change.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use perennial_core::{
    clock::Clock,
    failure::{Failure, Kind},
    shoot::ShootId,
};
use perennial_process::supervise::Shutdown;
use perennial_proto::issuer::v1::{
    Connection, Shoot, SnapshotComplete, WatchShootsResponse, watch_shoots_response::Event,
};
use perennial_rpc::convert::{self, ConvertError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};

use crate::{
    accounts::{self, Accounts},
    directory::{Directory, Endpoint, Listed},
    generations::{self, Generations},
    targets::Targets,
};

/// Most streams at once: two a replica of the scheduler, and a few operators.
const STREAMS_MAX: usize = 64;
/// Most changes of accounts, and of generations, that are taken at once.
const NEWS_AT_ONCE: usize = 256;
/// After such a silence a stream says what time it is: a caller whose clock was set hears of it.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the name of a shoot.
    #[error(transparent)]
    Request(#[from] ConvertError),
    /// A list that is not whole yet would be taken for the whole.
    #[error("the token-issuer is starting and does not know the shoots yet; try again")]
    Starting,
    /// As many streams are open as are admitted.
    #[error("{STREAMS_MAX} streams are open already; close one, or try again")]
    Busy,
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Request(_) => Kind::Invalid,
            Self::Starting => Kind::Unavailable,
            Self::Busy => Kind::Throttled,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Request(_) => "REQUEST_INVALID",
            Self::Starting => "STARTING",
            Self::Busy => "STREAMS_BUSY",
        }
    }
}

/// Which shoots a caller wants, and what of them.
#[derive(Clone, Debug)]
pub struct Filter {
    shoots: Option<BTreeSet<ShootId>>,
    with_connection: bool,
}

impl Filter {
    /// Those of the list; all where it is empty.
    ///
    /// # Errors
    /// When one is not a namespace.
    pub fn parse(shoots: &[String], with_connection: bool) -> Result<Self, Error> {
        if shoots.is_empty() {
            return Ok(Self { shoots: None, with_connection });
        }
        let parsed = shoots.iter().map(|shoot| convert::parsed("shoots", shoot));
        Ok(Self { shoots: Some(parsed.collect::<Result<_, _>>()?), with_connection })
    }

    fn message(&self, listed: &Listed) -> Shoot {
        let proved = listed.proved.as_ref().filter(|_| self.with_connection);
        let connection = |endpoint: &Arc<Endpoint>| Connection {
            server: endpoint.server().to_owned(),
            ca_pem: endpoint.ca_pem().to_vec(),
            tls_server_name: endpoint.tls_server_name().unwrap_or_default().to_owned(),
        };
        Shoot {
            connection: proved.map(connection),
            ..convert::shoot_to_proto(&listed.status, &listed.address)
        }
    }

    fn admits(&self, shoot: &ShootId) -> bool {
        self.shoots.as_ref().is_none_or(|shoots| shoots.contains(shoot))
    }
}

/// Answers watches and lists.
#[derive(Clone, Debug)]
pub struct Watches {
    directory: Arc<Directory>,
    accounts: Arc<Accounts>,
    generations: Arc<Generations>,
    targets: Arc<Targets>,
    clock: Arc<dyn Clock>,
    streams: Arc<Semaphore>,
}

impl Watches {
    /// Watches and lists of these.
    #[must_use]
    pub fn new(
        directory: Arc<Directory>,
        accounts: Arc<Accounts>,
        generations: Arc<Generations>,
        targets: Arc<Targets>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        Self { directory, accounts, generations, targets, clock, streams }
    }

    /// The state of shoots once.
    ///
    /// # Errors
    /// Before the first lists of the seed are in.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Shoot>, Error> {
        if !self.directory.is_complete() {
            return Err(Error::Starting);
        }
        let listed = self.directory.list();
        let admitted = listed.iter().filter(|listed| filter.admits(&listed.status.shoot));
        Ok(admitted.map(|listed| filter.message(listed)).collect())
    }

    /// A stream that ends at shutdown. The mark comes when the first lists of the seed are in.
    ///
    /// # Errors
    /// When too many are open.
    pub fn watch(
        &self,
        filter: Filter,
        shutdown: Shutdown,
    ) -> Result<impl Stream<Item = WatchShootsResponse> + Send + use<>, Error> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Error::Busy)?;
        let watch = Watch {
            changed: self.directory.subscribe(),
            directory: Arc::clone(&self.directory),
            news: self.accounts.subscribe(),
            cursor: self.accounts.cursor(),
            accounts: Arc::clone(&self.accounts),
            generations_news: self.generations.subscribe(),
            generations_cursor: self.generations.cursor(),
            generations: Arc::clone(&self.generations),
            replay: VecDeque::new(),
            targets_changed: self.targets.subscribe(),
            targets: Arc::clone(&self.targets),
            targets_sent: 0,
            filter,
            shutdown,
            sent: BTreeMap::new(),
            queue: VecDeque::new(),
            looked: false,
            mark: Mark::NotYet,
            _permit: permit,
        };
        let clock = Arc::clone(&self.clock);
        Ok(stream::unfold((watch, clock), |(mut watch, clock)| async {
            let event = watch.next_or_silence().await?;
            let sent_at = Some(convert::timestamp(clock.now()));
            Some((WatchShootsResponse { event, sent_at }, (watch, clock)))
        }))
    }
}

struct Watch {
    directory: Arc<Directory>,
    changed: watch::Receiver<u64>,
    accounts: Arc<Accounts>,
    news: watch::Receiver<u64>,
    /// Changes of accounts up to here were sent.
    cursor: u64,
    generations: Arc<Generations>,
    generations_news: watch::Receiver<u64>,
    /// Changes of generations up to here were sent.
    generations_cursor: u64,
    /// Shoots that are new here: all their accounts and generations are to be sent.
    replay: VecDeque<ShootId>,
    targets: Arc<Targets>,
    targets_changed: watch::Receiver<u64>,
    /// Version of the targets up to which they were sent.
    targets_sent: u64,
    filter: Filter,
    shutdown: Shutdown,
    /// Version of each shoot that was sent.
    sent: BTreeMap<ShootId, u64>,
    /// Not more than two events a shoot, and one a target; or what is observed of one shoot.
    queue: VecDeque<Event>,
    looked: bool,
    mark: Mark,
    _permit: OwnedSemaphorePermit,
}

/// The mark that the whole set was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    NotYet,
    Due,
    Sent,
}

impl Watch {
    /// The next event, or none where there was none for so long; ends at shutdown.
    async fn next_or_silence(&mut self) -> Option<Option<Event>> {
        match time::timeout(SILENCE_MAX, self.next()).await {
            Ok(event) => event.map(Some),
            Err(_) => Some(None),
        }
    }

    /// May be dropped while it waits: it takes nothing away before that.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if let Some(shoot) = self.replay.pop_front() {
                self.queue.extend(self.accounts.of(&shoot).into_iter().map(account_message));
                let generations = self.generations.of(&shoot);
                self.queue.extend(generations.into_iter().map(generations_message));
                continue;
            }
            if self.mark == Mark::Due {
                self.mark = Mark::Sent;
                return Some(Event::SnapshotComplete(SnapshotComplete {}));
            }
            if self.take_news() {
                continue;
            }
            if self.looked {
                tokio::select! {
                    () = self.shutdown.requested() => return None,
                    changed = self.changed.changed() => changed.ok()?,
                    news = self.news.changed() => {
                        news.ok()?;
                        continue;
                    }
                    news = self.generations_news.changed() => {
                        news.ok()?;
                        continue;
                    }
                    changed = self.targets_changed.changed() => changed.ok()?,
                }
            }
            self.look();
        }
    }

    /// Compares what is with what was sent.
    fn look(&mut self) {
        self.looked = true;
        self.changed.mark_unchanged(); // before reading, so that nothing falls between
        self.targets_changed.mark_unchanged();
        let (targets, sent) = self.targets.news(self.targets_sent, |s| self.filter.admits(s));
        self.targets_sent = sent;
        let complete = self.directory.is_complete(); // before reading, or the mark comes too early
        let mut listed = self.directory.list();
        listed.retain(|listed| self.filter.admits(&listed.status.shoot));
        let now: BTreeMap<_, _> =
            listed.iter().map(|listed| (listed.status.shoot.clone(), listed.version)).collect();
        let gone = self.sent.keys().filter(|shoot| !now.contains_key(*shoot));
        self.queue.extend(gone.map(|shoot| Event::Removed(shoot.to_string())));
        let is_new = |listed: &&Listed| {
            self.sent.get(&listed.status.shoot).is_none_or(|sent| *sent != listed.version)
        };
        let new = listed.iter().filter(is_new);
        self.queue.extend(new.map(|listed| Event::Upsert(self.filter.message(listed))));
        let arrived = now.keys().filter(|shoot| !self.sent.contains_key(*shoot));
        self.replay.extend(arrived.cloned());
        self.sent = now;
        // After the shoots: what is seen in one that nobody was told of would be lost.
        let seen = targets.iter().map(|(shoot, target, seen)| {
            Event::Target(convert::target_seen_to_proto(shoot, target, seen))
        });
        self.queue.extend(seen);
        if complete && self.mark == Mark::NotYet {
            self.mark = Mark::Due;
        }
    }

    /// Queues changes of accounts and generations; `false` where there are none. Of shoots that were
    /// not sent yet, they come with their shoot.
    fn take_news(&mut self) -> bool {
        self.news.mark_unchanged(); // before reading, so that nothing falls between
        let (mut told, cursor) = self.accounts.since(self.cursor, NEWS_AT_ONCE);
        told.retain(|told| self.sent.contains_key(&told.shoot));
        self.queue.extend(told.into_iter().map(account_message));
        let are_accounts = std::mem::replace(&mut self.cursor, cursor) != cursor;

        self.generations_news.mark_unchanged();
        let (mut told, cursor) = self.generations.since(self.generations_cursor, NEWS_AT_ONCE);
        told.retain(|told| self.sent.contains_key(&told.shoot));
        self.queue.extend(told.into_iter().map(generations_message));
        let are_generations = std::mem::replace(&mut self.generations_cursor, cursor) != cursor;
        are_accounts || are_generations
    }
}

fn account_message(told: accounts::Told) -> Event {
    Event::Account(convert::account_seen_to_proto(&told.shoot, &told.account, &told.seen))
}

fn generations_message(told: generations::Told) -> Event {
    Event::Generations(convert::generations_seen_to_proto(&told.shoot, &told.family, &told.seen))
}
