//! Warning Events on access Secrets: trouble that only a person can end, told where people look.
//!
//! ```text
//! record, as it changes ─► trouble? ─┐
//!                                    ├─► desk: a place per Secret ─► 25 a second ─► seed
//! renewal that was refused ──────────┘
//! ```
//!
//! The record says for itself what is wrong with it, so nothing of that is lost with a restart. A
//! refusal of the token-issuer is heard again with the next attempt. Whether an Event is there
//! already, the seed knows (see [`perennial_kube::events`]). Nobody waits for any of this: trouble
//! with publishing delays no renewal.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use perennial_core::{
    clock::Clock,
    failure::{Failure, chain},
};
use perennial_kube::{
    Error,
    access::Seen,
    events::{Events, Notice, Published},
};
use perennial_process::supervise::Shutdown;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use self::{desk::Desk, trouble::Trouble};
use crate::{metrics::Metrics, renew::RenewError, store::Store};

mod desk;
mod trouble;

/// The desk looks at the wall clock this often.
const BEAT: Duration = Duration::from_secs(1);
/// Most Events published in one beat: a thousand wrong Secrets have theirs after 40 s, at 50 calls
/// a second.
const PER_BEAT_MAX: usize = 25;
/// Refusals that wait to be looked at. What does not fit comes again with the next attempt.
const REFUSALS_MAX: usize = 1_024;

/// Who publishes Events.
pub trait Publish: Send + Sync + Debug {
    /// Publishes a notice at this moment, unless it was told lately.
    fn publish<'a>(
        &'a self,
        notice: &'a Notice,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Published, Error>>;
}

impl Publish for Events {
    fn publish<'a>(
        &'a self,
        notice: &'a Notice,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        Box::pin(Self::publish(self, notice, now))
    }
}

/// A refused renewal of the Secret as it was seen.
#[derive(Debug)]
pub struct Refused {
    seen: Arc<Seen>,
    trouble: Trouble,
}

/// Where renewals tell that they were refused. Clones tell the same desk.
#[derive(Clone, Debug)]
pub struct Reporter {
    refused: mpsc::Sender<Refused>,
    metrics: Metrics,
}

impl Reporter {
    /// A reporter, and what [`run`] must listen to.
    #[must_use]
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Refused>) {
        let (refused, heard) = mpsc::channel(REFUSALS_MAX);
        (Self { refused, metrics }, heard)
    }

    /// Tells that a renewal failed. Only what a person must end becomes an Event. Never waits.
    pub fn failed(&self, seen: &Arc<Seen>, error: &RenewError) {
        let Some(trouble) = trouble::of_error(error) else { return };
        if self.refused.try_send(Refused { seen: Arc::clone(seen), trouble }).is_err() {
            self.metrics.event("dropped");
        }
    }
}

/// What the task that publishes works with.
#[derive(Debug)]
pub struct Means {
    /// The records.
    pub store: Store,
    /// What renewals tell.
    pub refused: mpsc::Receiver<Refused>,
    /// Where Events go.
    pub publish: Arc<dyn Publish>,
    /// Our own time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
}

/// Publishes Events until shutdown is requested. What waits then is dropped: a successor sees the
/// same records.
///
/// # Errors
/// When there is no place among the followers of the store.
pub async fn run(means: Means, shutdown: Shutdown) -> anyhow::Result<()> {
    let Means { store, mut refused, publish, clock, metrics } = means;
    let mut records = store.subscribe()?;
    let mut desk = Desk::default();
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            event = records.next() => desk.hear(event, clock.now(), &metrics),
            Some(Refused { seen, trouble }) = refused.recv() => {
                // Whoever corrected the Secret meanwhile is not told of what was.
                let now = store.get(&seen.record.secret);
                if now.is_some_and(|now| now.record.digest == seen.record.digest) {
                    desk.refused(seen, trouble, clock.now(), &metrics);
                }
            }
            _ = beat.tick() => {
                desk.look_again(clock.now(), &metrics);
                tokio::select! {
                    () = shutdown.requested() => return Ok(()),
                    () = publish_some(&mut desk, &*publish, &*clock, &metrics) => {}
                }
            }
        }
    }
}

async fn publish_some(
    desk: &mut Desk,
    publish: &dyn Publish,
    clock: &dyn Clock,
    metrics: &Metrics,
) {
    for _ in 0..PER_BEAT_MAX {
        let Some(notice) = desk.take(clock.now()) else { return };
        let (namespace, name) = (&notice.secret.namespace, &notice.secret.name);
        match publish.publish(&notice, clock.now()).await {
            Ok(published) => {
                metrics.event(match published {
                    Published::Made => "made",
                    Published::Counted => "counted",
                    Published::Known => "known",
                });
                if published == Published::Made {
                    let Notice { reason, key, .. } = &notice;
                    info!(%namespace, %name, reason, key, "made an Event about an access Secret");
                }
                desk.published(&notice, clock.now());
            }
            Err(error) => {
                metrics.event("failed");
                warn!(%namespace, %name, reason = notice.reason, "{}", chain(&error));
                desk.failed(notice, error.kind().retryable(), clock.now());
            }
        }
    }
}

#[cfg(test)]
mod tests;
