//! The generic kubeconfigs (contract, section E): filled, and kept at the address and CA that work.
//!
//! ```text
//! Secrets with the label ──► desk ◄── known ◄── every token-issuer: where shoots are
//!                             │ differs, and its pause is over
//!                             ▼
//!                    one GET, one PATCH of one key
//! ```
//!
//! Level-triggered: whatever wakes it, a Secret is compared with what should stand there. Where a
//! shoot is comes from the token-issuer that also issues its tokens, so all secret-writers agree;
//! those streams are open only while there is a Secret to fill. What is not known is not written:
//! an old address is better than none.

mod desk;
mod known;
mod metrics;
mod pace;
mod shoots;
mod trouble;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered},
};
use perennial_core::{
    clock::Clock,
    failure::{Failure as _, chain},
    kubeconfig::TokenFile,
    name::SecretRef,
};
use perennial_kube::{
    Error,
    events::{Notice, Published},
    generic::{Change, GenericKubeconfigs, Outcome},
};
use perennial_process::supervise::Shutdown;
use prometheus_client::registry::Registry;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

pub use self::shoots::{Shoots, TokenIssuers, Told, Word};
use self::{desk::Desk, known::Known, metrics::Metrics};
use crate::events::Publish;

/// The desk looks at the wall clock this often.
const BEAT: Duration = Duration::from_secs(1);
/// Most calls about generic kubeconfigs at the same time; the seed has others to serve.
const IN_FLIGHT_MAX: usize = 8;

/// What generic kubeconfigs are made from.
#[derive(Debug)]
pub struct Source {
    /// The Secrets on the seed.
    pub secrets: GenericKubeconfigs,
    /// Who says where shoots are.
    pub shoots: Arc<dyn Shoots>,
    /// Where components mount their token (`--token-file`).
    pub token_file: TokenFile,
}

/// What came of a call.
enum Done {
    Written(SecretRef, Result<Outcome, Error>),
    Told(Notice, Result<Published, Error>),
}

/// Keeps generic kubeconfigs right.
#[derive(Debug)]
pub struct Keeper {
    source: Source,
    publish: Arc<dyn Publish>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    known: Known,
    desk: Desk,
}

impl Keeper {
    /// Registers its metrics. Nothing is called yet.
    #[must_use]
    pub fn new(
        source: Source,
        publish: Arc<dyn Publish>,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Metrics::new(registry);
        let (known, desk) = (Known::default(), Desk::default());
        Self { source, publish, clock, metrics, known, desk }
    }

    /// Works until shutdown is requested. What is under way then is dropped: a successor sees the
    /// same.
    ///
    /// # Errors
    /// When the watch ends, which it never does by itself.
    pub async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut changes = std::pin::pin!(self.source.secrets.watch());
        let mut words: Option<BoxStream<'static, Told>> = None;
        let mut calls = FuturesUnordered::new();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                change = changes.next() => match change {
                    Some(change) => self.hear_of_secret(change),
                    None => anyhow::bail!("the watch over generic kubeconfigs ended"),
                },
                Some(told) = next(&mut words) => self.hear_of_shoot(told),
                Some(done) = calls.next() => self.done(done),
                _ = beat.tick() => {
                    self.desk.look_again(self.clock.now());
                    self.metrics.standings(&self.desk.count());
                }
            }
            match (self.desk.is_empty(), &words) {
                (true, Some(_)) => (words, self.known) = (None, Known::default()),
                (false, None) => words = Some(self.source.shoots.watch()),
                (true, None) | (false, Some(_)) => {}
            }
            while calls.len() < IN_FLIGHT_MAX
                && let Some(call) = self.next_call()
            {
                calls.push(call);
            }
        }
    }

    fn hear_of_secret(&mut self, change: Change) {
        match change {
            Change::SnapshotBegin => self.desk.begin_snapshot(),
            Change::Upsert(seen) => self.desk.upsert(seen),
            Change::Removed(secret) => self.desk.remove(&secret),
            Change::SnapshotComplete => self.desk.complete_snapshot(),
            // Told by the watch of access Secrets, which asks the same of the same API server.
            Change::Trouble(error) => debug!("{}; trying again", chain(&error)),
        }
    }

    fn hear_of_shoot(&mut self, told: Told) {
        match &told.word {
            Word::Lost(why) => debug!(source = told.source, "no word of shoots: {why}"),
            Word::Opened | Word::Upsert(..) | Word::Removed(_) | Word::Complete => {}
        }
        match self.known.hear(told) {
            known::Affected::Nobody => {}
            known::Affected::Shoot(shoot) => self.desk.shoot_changed(&shoot),
            known::Affected::All => self.desk.all_changed(),
        }
    }

    fn next_call(&mut self) -> Option<BoxFuture<'static, Done>> {
        let now = self.clock.now();
        let Source { secrets, shoots, token_file } = &self.source;
        let known = &self.known;
        let document = |shoot: &_| known.document(shoot, &shoots.rank(shoot), token_file);
        match self.desk.next(now, document)? {
            desk::Job::Write { secret, document } => {
                let secrets = secrets.clone();
                let write = async move {
                    let outcome = secrets.write(&secret, &document).await;
                    Done::Written(secret, outcome)
                };
                Some(write.boxed())
            }
            desk::Job::Tell(notice) => {
                let publish = Arc::clone(&self.publish);
                let tell = async move {
                    let outcome = publish.publish(&notice, now).await;
                    Done::Told(notice, outcome)
                };
                Some(tell.boxed())
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Written(secret, outcome) => {
                let SecretRef { namespace, name } = &secret;
                match &outcome {
                    Ok(Outcome::Written(_)) => {
                        info!(%namespace, %name, "wrote a generic kubeconfig");
                    }
                    Ok(Outcome::Current(_) | Outcome::Obstructed(_) | Outcome::Gone) => {}
                    Err(error) => warn!(%namespace, %name, "{}", chain(error)),
                }
                self.metrics.wrote(&outcome);
                self.desk.written(&secret, outcome, self.clock.now());
            }
            Done::Told(notice, outcome) => {
                let (namespace, name) = (&notice.secret.namespace, &notice.secret.name);
                match &outcome {
                    Ok(Published::Made) => {
                        let reason = notice.reason.as_str();
                        info!(%namespace, %name, reason, "made an Event about a generic kubeconfig");
                    }
                    Ok(Published::Counted | Published::Known) => {}
                    Err(error) => {
                        let kind = error.kind().as_str();
                        warn!(%namespace, %name, kind, "{}", chain(error));
                    }
                }
                self.desk.told(&notice, outcome.is_ok(), self.clock.now());
            }
        }
    }
}

/// The next word; never where nobody is listened to.
async fn next(words: &mut Option<BoxStream<'static, Told>>) -> Option<Told> {
    match words {
        Some(words) => words.next().await,
        None => std::future::pending().await,
    }
}
