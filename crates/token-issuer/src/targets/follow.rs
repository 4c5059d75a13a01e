//! One watch for each target that matters, with the credential that is in use at its shoot.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    StreamExt as _,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use perennial_core::{
    backoff::doubled, clock::Clock, failure::Failure as _, name::SecretRef, shoot::ShootId,
};
use perennial_kube::Error;
use perennial_process::supervise::Shutdown;
use tracing::{debug, warn};

use super::Targets;
use crate::directory::{Directory, Purpose};

/// First pause after a watch failed; it doubles up to the longest. A target that is deleted is filled
/// again within 10 s (contract, section C), also when its watch had just failed.
const PAUSE_MIN: Duration = Duration::from_millis(800);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Pause where the shoot does not grant the watch: somebody has to apply deploy/shoot first.
const PAUSE_FORBIDDEN: Duration = Duration::from_secs(60);

/// Follows all targets.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Which ones, and what was seen of them.
    pub targets: Arc<Targets>,
    /// How shoots are reached.
    pub directory: Arc<Directory>,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
}

type Key = (ShootId, SecretRef);
type Watches = FuturesUnordered<Abortable<BoxFuture<'static, ()>>>;

impl Follower {
    /// Runs until shutdown is requested.
    pub async fn run(self, shutdown: Shutdown) {
        let mut wanted = self.targets.subscribe();
        let mut known = self.directory.subscribe();
        let mut running: BTreeMap<Key, AbortHandle> = BTreeMap::new();
        let mut watches = Watches::new();
        loop {
            wanted.mark_unchanged(); // before reading, so that nothing falls between
            known.mark_unchanged();
            self.targets.keep_shoots(|shoot| self.directory.knows(shoot));
            self.reconcile(&mut running, &watches);
            loop {
                tokio::select! {
                    () = shutdown.requested() => return,
                    Ok(()) = wanted.changed() => break,
                    Ok(()) = known.changed() => break,
                    Some(_) = watches.next(), if !watches.is_empty() => {}
                }
            }
        }
    }

    fn reconcile(&self, running: &mut BTreeMap<Key, AbortHandle>, watches: &Watches) {
        let mut wanted = self.targets.wanted();
        wanted.retain(|(shoot, _)| !self.directory.is_hibernated(shoot));
        running.retain(|key, handle| {
            let stays = wanted.contains(key);
            if !stays {
                handle.abort();
            }
            stays
        });
        for key in wanted {
            if running.contains_key(&key) {
                continue;
            }
            let (handle, registration) = AbortHandle::new_pair();
            let (shoot, target) = key.clone();
            let watch: BoxFuture<'static, ()> = Box::pin(self.clone().follow(shoot, target));
            watches.push(Abortable::new(watch, registration));
            running.insert(key, handle);
        }
    }

    async fn follow(self, shoot: ShootId, target: SecretRef) {
        let mut failures = 0;
        loop {
            let error = self.watch(&shoot, &target, &mut failures).await;
            let forbidden = error.as_ref().and_then(Error::code) == Some(403);
            let pause = match forbidden {
                true => PAUSE_FORBIDDEN,
                false => doubled(PAUSE_MIN, failures, PAUSE_MAX),
            };
            if let Some(error) = error {
                let reason = error.reason();
                match forbidden && failures == 0 {
                    true => warn!(%shoot, %target, reason, "a target is not watched: {error}"),
                    false => debug!(%shoot, %target, reason, "a watch of a target ended: {error}"),
                }
            }
            failures = failures.saturating_add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// Watches until something fails; `None` where the shoot is not reached at the moment, which
    /// its probe will tell.
    async fn watch(
        &self,
        shoot: &ShootId,
        target: &SecretRef,
        failures: &mut u32,
    ) -> Option<Error> {
        if !self.directory.is_reached(shoot) {
            return None;
        }
        let ways = self.directory.ways(shoot, Purpose::Issue)?;
        let candidate = ways.candidates.first()?;
        let mut states = candidate.client.watch_target(target);
        loop {
            match states.next().await? {
                Ok(state) => {
                    *failures = 0;
                    self.targets.saw(shoot, target, state, self.clock.now());
                }
                Err(error) => return Some(error),
            }
        }
    }
}
