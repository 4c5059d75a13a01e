//! One watch in each place of a shoot where something is to be followed, kept on the credential in
//! use.
//!
//! A watch runs while the shoot is reached and begins anew when another client is in use: another
//! credential, address or CA. While the shoot is away it rests, and the probe says when it is back.
//! All of them are one task.

use std::{collections::BTreeMap, fmt::Debug, future::Future, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use perennial_core::{
    backoff::doubled,
    failure::{self, Failure as _},
    shoot::ShootId,
};
use perennial_kube::Error;
use perennial_process::supervise::Shutdown;
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    sync::{oneshot, watch},
    time::{self, MissedTickBehavior},
};
use tracing::warn;

use crate::{directory::Directory, shoot::Shoot};

/// Changes are gathered for so long. At the start of a fleet every shoot changes within seconds.
const GATHER: Duration = Duration::from_millis(250);
/// First pause after a watch could not go on; it doubles up to the longest, because a shoot that
/// refuses us a watch goes on doing so until somebody grants it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What one watch is about.
pub trait Place: Ord + Clone + Send + Sync + Debug + 'static {
    /// Where it is.
    fn shoot(&self) -> &ShootId;
}

/// The whole shoot.
impl Place for ShootId {
    fn shoot(&self) -> &ShootId {
        self
    }
}

/// What is followed in shoots.
pub trait Follow: Send + Sync + Debug + 'static {
    /// What it is, for logs.
    const WHAT: &'static str;
    /// What one watch is about.
    type Place: Place;

    /// Where there is something to follow.
    fn wanted(&self) -> Vec<Self::Place>;

    /// Wakes when `wanted` may have changed.
    fn subscribe(&self) -> watch::Receiver<u64>;

    /// Forgets the shoots that are no longer known.
    fn retain(&self, is_known: impl Fn(&ShootId) -> bool);

    /// Follows until it is dropped, or says why it cannot go on. It deals with failures that pass by
    /// itself.
    fn follow(&self, place: &Self::Place, client: &dyn Shoot)
    -> impl Future<Output = Error> + Send;
}

/// The task that keeps the watches.
#[derive(Debug)]
pub struct Follower<F> {
    /// What is followed.
    pub what: Arc<F>,
    /// Where the shoots are.
    pub directory: Arc<Directory>,
    /// How many watches are kept.
    pub watches: Gauge,
}

struct Running {
    client: Arc<dyn Shoot>,
    /// Dropping it ends the watch.
    _end: oneshot::Sender<()>,
}

impl<F: Follow> Follower<F> {
    /// Follows until shutdown.
    pub async fn run(self, shutdown: Shutdown) {
        let mut beat = time::interval(GATHER);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut wanted, mut shoots) = (self.what.subscribe(), self.directory.subscribe());
        wanted.mark_changed();
        let mut running = BTreeMap::new();
        let mut watches = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                Some(()) = watches.next(), if !watches.is_empty() => {}
                _ = beat.tick() => {
                    // A sender is gone only at the end of the process.
                    let is_news = |news: &mut watch::Receiver<u64>| {
                        let changed = news.has_changed().unwrap_or_default();
                        news.mark_unchanged();
                        changed
                    };
                    if is_news(&mut wanted) | is_news(&mut shoots) {
                        watches.extend(self.adjust(&mut running));
                        self.watches.set(i64::try_from(running.len()).unwrap_or(i64::MAX));
                    }
                }
            }
        }
    }

    /// Ends the watches that should not be, and gives back those that should.
    fn adjust(
        &self,
        running: &mut BTreeMap<F::Place, Running>,
    ) -> Vec<impl Future<Output = ()> + use<'_, F>> {
        let mut before = std::mem::take(running);
        let mut new = Vec::new();
        self.what.retain(|shoot| self.directory.knows(shoot));
        for place in self.what.wanted() {
            let Some(client) = self.directory.client_in_use(place.shoot()) else { continue };
            let same = before.remove(&place).filter(|held| Arc::ptr_eq(&held.client, &client));
            let held = same.unwrap_or_else(|| {
                let (end, ended) = oneshot::channel();
                new.push(self.keep(place.clone(), Arc::clone(&client), ended));
                Running { client, _end: end }
            });
            running.insert(place, held);
        }
        new
    }

    /// One watch, begun anew with growing pauses.
    async fn keep(&self, place: F::Place, client: Arc<dyn Shoot>, ended: oneshot::Receiver<()>) {
        let again_and_again = async {
            let mut failures = 0_u32;
            loop {
                let mut watch = std::pin::pin!(self.what.follow(&place, client.as_ref()));
                let error = tokio::select! {
                    error = &mut watch => error,
                    () = time::sleep(PAUSE_MAX) => {
                        failures = 0; // it works
                        watch.await
                    }
                };
                if failures == 0 {
                    let (shoot, kind) = (place.shoot(), error.kind().as_str());
                    warn!(%shoot, kind, "cannot watch {}: {}", F::WHAT, failure::chain(&error));
                }
                time::sleep(doubled(PAUSE_MIN, failures, PAUSE_MAX)).await;
                failures = failures.saturating_add(1);
            }
        };
        tokio::select! {
            () = again_and_again => {}
            _ = ended => {}
        }
    }
}
