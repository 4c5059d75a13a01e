//! The watch of the generations in one namespace of a shoot: what it says goes into the book.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use futures::{StreamExt as _, future};
use jiff::Timestamp;
use perennial_core::{
    failure::{self, Failure as _, Kind},
    name::Namespace,
    shoot::ShootId,
};
use perennial_kube::{Error, call};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{self, Sleep},
};
use tracing::debug;

use super::{Generations, Metrics};
use crate::{
    follow::{Follow, Place},
    probe::Probes,
    shoot::{
        Shoot,
        generations::{GenerationChange, SeenGeneration},
    },
};

/// Lists at once, over all shoots. At the start of a fleet each namespace is listed once.
const LISTS_MAX: usize = 32;
/// Pause before a list that settles what the one before left in doubt.
const CALM: Duration = Duration::from_millis(500);

/// Where generations are watched: a RoleBinding in that namespace is enough.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InNamespace {
    /// Which shoot.
    pub shoot: ShootId,
    /// The namespace there.
    pub namespace: Namespace,
}

impl Place for InNamespace {
    fn shoot(&self) -> &ShootId {
        &self.shoot
    }
}

/// Watches the generations of families that are observed.
pub struct GenerationWatch {
    generations: Arc<Generations>,
    probes: Arc<Probes>,
    lists: Semaphore,
    metrics: Metrics,
}

impl fmt::Debug for GenerationWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenerationWatch").finish_non_exhaustive()
    }
}

impl GenerationWatch {
    /// What it sees goes into `generations`.
    #[must_use]
    pub fn new(generations: Arc<Generations>, probes: Arc<Probes>, metrics: Metrics) -> Self {
        Self { generations, probes, lists: Semaphore::new(LISTS_MAX), metrics }
    }
}

impl Follow for GenerationWatch {
    const WHAT: &'static str = "generations";
    type Place = InNamespace;

    fn wanted(&self) -> Vec<InNamespace> {
        self.generations.observed()
    }

    fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.generations.places.subscribe()
    }

    fn retain(&self, is_known: impl Fn(&ShootId) -> bool) {
        self.generations.retain(is_known);
    }

    async fn follow(&self, place: &InNamespace, client: &dyn Shoot) -> Error {
        let mut round = Round { watch: self, place, list: None, again: None };
        let mut changes = client.watch_generations(&place.namespace);
        loop {
            let again = async {
                match &mut round.again {
                    Some(again) => again.await,
                    None => future::pending().await,
                }
            };
            // One call of a list has the limit of every call; a watch may be silent.
            let limit = if round.list.is_some() { call::LIMIT } else { Duration::MAX };
            let outcome = tokio::select! {
                change = time::timeout(limit, changes.next()) => match change {
                    Ok(Some(change)) => round.heard(change).await,
                    Ok(None) => future::pending().await, // it never ends
                    Err(_) => Err(timed_out()),
                },
                () = again => {
                    round.again = None;
                    changes = client.watch_generations(&place.namespace);
                    Ok(())
                }
            };
            if let Err(error) = outcome {
                self.metrics.failures.inc();
                // The probe finds out whether another credential is taken.
                if error.kind() == Kind::TimedOut || error.code() == Some(401) {
                    self.probes.soon(&place.shoot);
                }
                return error;
            }
        }
    }
}

fn timed_out() -> Error {
    Error::TimedOut { operation: "list generations".to_owned(), limit: call::LIMIT }
}

/// A list that has begun.
struct List<'a> {
    begun: Timestamp,
    found: Vec<SeenGeneration>,
    _permit: Option<SemaphorePermit<'a>>,
}

struct Round<'a> {
    watch: &'a GenerationWatch,
    place: &'a InNamespace,
    list: Option<List<'a>>,
    /// At its end the list is asked for anew.
    again: Option<Pin<Box<Sleep>>>,
}

impl Round<'_> {
    async fn heard(&mut self, change: GenerationChange) -> Result<(), Error> {
        let generations = &self.watch.generations;
        let now = generations.clock.now();
        match change {
            GenerationChange::ListBegins => {
                let permit = self.watch.lists.acquire().await.ok();
                let begun = generations.clock.now();
                self.list = Some(List { begun, found: Vec::new(), _permit: permit });
            }
            GenerationChange::Listed(seen) => {
                if let Some(list) = &mut self.list {
                    list.found.push(seen);
                }
            }
            GenerationChange::ListComplete => {
                let Some(List { begun, found, .. }) = self.list.take() else { return Ok(()) };
                let is_doubtful = generations.listed(self.place, &found, begun);
                self.again = is_doubtful.then(|| Box::pin(time::sleep(CALM)));
                self.watch.metrics.lists.inc();
            }
            GenerationChange::Upsert(seen) => {
                generations.update(self.place, |book| book.heard(&seen, now));
            }
            GenerationChange::Removed(seen) => {
                generations.update(self.place, |book| book.heard_gone(&seen, now));
            }
            GenerationChange::Trouble(error) => return self.failed(error),
        }
        Ok(())
    }

    /// What passes by itself is waited for; a refusal ends the watch, for a longer pause.
    fn failed(&mut self, error: Error) -> Result<(), Error> {
        self.list = None;
        if matches!(error.code(), Some(401 | 403)) {
            return Err(error);
        }
        self.watch.metrics.failures.inc();
        if matches!(error.kind(), Kind::Unavailable | Kind::TimedOut) {
            self.watch.probes.soon(&self.place.shoot);
        }
        debug!(shoot = %self.place.shoot, "watch of generations: {}", failure::chain(&error));
        Ok(())
    }
}
