//! One look at each shoot once in an interval, spread over shoots, a bounded number at once.
//!
//! A look is also taken at once when a shoot is new or its connections changed, and soon after a
//! call found it gone ([`schedule`]). One failed call alone declares no shoot unreachable; a look
//! does.

mod look;
mod schedule;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use perennial_core::{
    clock::Clock,
    shoot::{Reach, ShootId, ShootStatus},
};
use perennial_kube::shoot_secrets::Rereads;
use perennial_process::{ready::Gate, supervise::Shutdown};
use tokio::{
    sync::Notify,
    time::{self, MissedTickBehavior},
};
use tracing::{info, warn};

use self::{
    look::{Looked, Own},
    schedule::Schedule,
};
use crate::{
    directory::{Directory, Sight},
    metrics::Metrics,
};

/// Pause between two looks at the clock. A shoot that is back is noticed within 30 s, so a quarter
/// of a second does not matter.
const TICK: Duration = Duration::from_millis(250);

/// Who is looked at when. Shared with those who know a reason to look.
#[derive(Debug)]
pub struct Probes {
    schedule: Mutex<Schedule>,
    clock: Arc<dyn Clock>,
    wake: Notify,
}

impl Probes {
    /// Looks at every shoot once in `interval`.
    #[must_use]
    pub fn new(interval: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { schedule: Mutex::new(Schedule::new(interval)), clock, wake: Notify::new() }
    }

    /// A shoot is new, or its connections changed: look at once.
    pub fn changed(&self, shoot: &ShootId) {
        self.lock().changed(shoot, self.clock.now());
        self.wake.notify_one();
    }

    /// A call found it gone: look soon.
    pub fn soon(&self, shoot: &ShootId) {
        self.lock().soon(shoot, self.clock.now());
        self.wake.notify_one();
    }

    /// A shoot hibernates: no look but a rare one, so that a forgotten annotation is found.
    pub fn hibernated(&self, shoot: &ShootId) {
        self.lock().hibernated(shoot, self.clock.now());
    }

    /// It hibernates no more: look at once.
    pub fn woken(&self, shoot: &ShootId) {
        self.lock().woken(shoot, self.clock.now());
        self.wake.notify_one();
    }

    /// A shoot is gone.
    pub fn remove(&self, shoot: &ShootId) {
        self.lock().remove(shoot);
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that looks.
#[derive(Debug)]
pub struct Prober {
    /// Who is looked at when.
    pub probes: Arc<Probes>,
    /// Where the shoots are, and where what was seen goes.
    pub directory: Arc<Directory>,
    /// Most looks at once.
    pub in_flight_max: usize,
    /// Opened when each shoot of the first lists was looked at once, however that ended.
    pub gate: Gate,
    /// Counts looks.
    pub metrics: Metrics,
    /// Asked where what the own Secret says does not hold.
    pub rereads: Rereads,
}

impl Prober {
    /// Looks until shutdown; what is under way then is dropped.
    pub async fn run(self, shutdown: Shutdown) {
        let mut beat = time::interval(TICK);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = FuturesUnordered::new();
        let mut waiting = true;
        loop {
            if waiting && self.directory.unseen_count() == Some(0) {
                self.gate.open();
                waiting = false;
            }
            let room = self.in_flight_max - looks.len();
            let due = self.probes.lock().take(self.probes.clock.now(), room);
            looks.extend(due.into_iter().map(|shoot| self.look(shoot)));
            tokio::select! {
                () = shutdown.requested() => return,
                _ = beat.tick() => {}
                () = self.probes.wake.notified() => {}
                Some(()) = looks.next() => {}
            }
        }
    }

    async fn look(&self, shoot: ShootId) {
        let clock = self.probes.clock.as_ref();
        let Some(Looked { ways, sight, own }) = look::look(&shoot, &self.directory, clock).await
        else {
            return self.probes.lock().ended(&shoot, false, clock.now());
        };
        let reached = matches!(sight, Sight::Reached { .. });
        self.metrics.probed(reached);
        match own {
            Own::Holds | Own::MayNot => self.directory.own_is_known(&shoot, &ways, true),
            Own::Refused => self.directory.own_is_known(&shoot, &ways, false),
            Own::Failed | Own::Untried => {}
        }
        let is_doubtful = match own {
            Own::Holds | Own::Untried => false,
            Own::MayNot | Own::Refused | Own::Failed => true,
        };
        let is_expected = self.directory.is_hibernated(&shoot);
        if self.probes.lock().doubted(&shoot, is_doubtful && !is_expected) {
            self.rereads.ask(&shoot); // where there is no room, a later look asks again
        }
        if let Some((before, after)) = self.directory.seen(&shoot, &ways, sight, clock.now()) {
            log(&before, &after);
        }
        self.probes.lock().ended(&shoot, reached, clock.now());
    }
}

/// Once for each time that a shoot comes or goes, or another credential is used.
fn log(before: &ShootStatus, after: &ShootStatus) {
    let is_expected = after.hibernated && after.reach != Reach::Reachable;
    if (before.reach, before.credential) == (after.reach, after.credential) || is_expected {
        return;
    }
    let ShootStatus { shoot, credential, detail, .. } = after;
    match after.reach {
        Reach::Reachable if after.hibernated => warn!(%shoot, "{detail}"),
        Reach::Reachable => info!(%shoot, ?credential, detail, "shoot is reached"),
        Reach::Unknown | Reach::Unreachable | Reach::Refused => {
            warn!(%shoot, detail, "shoot is not reached")
        }
    }
}
