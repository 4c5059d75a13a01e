//! The Leases of the replicas: our own is renewed, those of the others are read, and who is live goes to
//! the engine.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, TryFutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use perennial_core::{
    clock::Clock,
    membership::{BEAT, LIVE, Reckoning, SETTLE, Watcher},
    name::ReplicaName,
};
use perennial_kube::{Error, own_namespace::OwnNamespace};
use perennial_process::{
    outage::{Outage, Refused},
    supervise::Shutdown,
};
use tokio::{
    sync::{Notify, mpsc},
    time,
};
use tracing::{info, warn};

use crate::engine::Input;

/// What to do when the seed refuses.
pub(crate) const RIGHTS: &str = "apply deploy/seed/scheduler-rbac.yaml (Role perennial-scheduler in the \
     namespace of the services: list, create, patch, delete on leases of coordination.k8s.io), or correct \
     the credential in --seed-kubeconfig";

/// Longest time that the calls of one beat may take. With the beat itself 4 s: less than a joiner waits, so a
/// seed that hangs makes nobody join anew, and one beat may fail before the others count us out.
const CALL_MAX: Duration = Duration::from_secs(2);
const _: () = assert!(CALL_MAX.as_secs() + BEAT.as_secs() < SETTLE.as_secs());
const _: () = assert!(CALL_MAX.as_secs() + BEAT.as_secs() < LIVE.as_secs());

/// Where Leases are.
pub trait Leases: Send + Sync + std::fmt::Debug + 'static {
    /// Renews or makes the Lease of a replica. Must end by itself.
    fn renew(&self, replica: &ReplicaName, now: Timestamp)
    -> BoxFuture<'static, Result<(), Error>>;
    /// All of them, each with a text that is another one once it was renewed. Must end by itself.
    fn all(&self) -> BoxFuture<'static, Result<Vec<(ReplicaName, String)>, Error>>;
    /// Deletes one. Must end by itself.
    fn delete(&self, replica: &ReplicaName) -> BoxFuture<'static, Result<(), Error>>;
}

impl Leases for OwnNamespace {
    fn renew(
        &self,
        replica: &ReplicaName,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<(), Error>> {
        let (own, replica) = (self.clone(), replica.clone());
        async move { own.renew_lease(&replica, now).await }.boxed()
    }

    fn all(&self) -> BoxFuture<'static, Result<Vec<(ReplicaName, String)>, Error>> {
        let own = self.clone();
        async move { own.leases().await }.boxed()
    }

    fn delete(&self, replica: &ReplicaName) -> BoxFuture<'static, Result<(), Error>> {
        let (own, replica) = (self.clone(), replica.clone());
        async move { own.delete_lease(&replica).await }.boxed()
    }
}

/// The long-lived task.
#[derive(Debug)]
pub struct Keeper {
    /// Where Leases are.
    pub leases: Arc<dyn Leases>,
    /// Who we are.
    pub me: ReplicaName,
    /// The clock of this process.
    pub clock: Arc<dyn Clock>,
    /// The engine.
    pub inputs: mpsc::Sender<Input>,
    /// Has Leases read at once: the engine noticed that this process stood still.
    pub looks: Arc<Notify>,
    /// What is said while the seed does not answer.
    pub outage: Outage,
}

impl Keeper {
    /// Keeps our Lease until shutdown is requested, and deletes it then: the others need not wait until
    /// it is counted out.
    ///
    /// # Errors
    /// When the seed refuses the first read for too long.
    pub async fn keep(mut self, shutdown: Shutdown) -> Result<(), Refused> {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let (mut watcher, mut reckoning) =
            (Watcher::new(self.me.clone()), Reckoning::begin(self.clock.now()));
        let mut read = Duration::ZERO;
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                refused = self.outage.given_up() => return Err(refused),
                () = self.looks.notified() => {}
                _ = beat.tick() => {}
            }
            let asked = self.clock.now();
            let now = reckoning.at(asked);
            watcher.beat(now);
            let input = match self.exchange(asked).await {
                Ok(leases) => {
                    self.outage.first_list_done();
                    read = now;
                    Input::Members { asked, view: watcher.look(now, leases) }
                }
                Err(error) => {
                    self.outage.failed(&error);
                    if now.saturating_sub(read) < LIVE {
                        continue;
                    }
                    Input::MembersLost
                }
            };
            if self.inputs.send(input).await.is_err() {
                return Ok(()); // the engine is gone, and the supervisor has seen it
            }
            self.bury(&watcher).await;
        }
        if let Err(error) = bounded(self.leases.delete(&self.me)).await {
            warn!("our Lease stays, so the others wait until it is counted out: {error}");
        }
        Ok(())
    }

    async fn exchange(&self, now: Timestamp) -> Result<Vec<(ReplicaName, String)>, Error> {
        let renewed = self.leases.renew(&self.me, now);
        bounded(renewed.and_then(|()| self.leases.all())).await
    }

    /// At most one with each beat: they do no harm.
    async fn bury(&self, watcher: &Watcher) {
        let Some(dead) = watcher.buried().next() else { return };
        match bounded(self.leases.delete(dead)).await {
            Ok(()) => info!(replica = %dead, "deleted the Lease of a replica that is long dead"),
            Err(error) => warn!(replica = %dead, "the Lease of a dead replica stays: {error}"),
        }
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    time::timeout(CALL_MAX, call).await.unwrap_or_else(|_| {
        let operation = "keep our Lease and read those of the other schedulers".to_owned();
        Err(Error::TimedOut { operation, limit: CALL_MAX })
    })
}

#[cfg(test)]
mod tests;
