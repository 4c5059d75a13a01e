//! What will not be done in time at the present rate.
//!
//! How fast a shoot is served follows from its present limits and from how long a renewal takes
//! there: what happened to be done lately would only say how much there was to do.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    foresight::{Foreseen, HORIZON_SECONDS, Task, foresee},
    shoot::ShootId,
};

use super::{
    Fleet,
    attempts::elapsed,
    entry::{Entry, Standing},
    limits::Hang,
    members::Member,
    schedule::OVERDUE_GRACE,
};

/// How long a renewal takes where none was seen yet.
const TAKES_UNKNOWN: Duration = Duration::from_millis(100);

impl Fleet {
    /// Looks at what is due or falls due within [`HORIZON_SECONDS`]. The rest costs one comparison
    /// each.
    pub(super) fn foresee(&self, now: Timestamp) -> Foreseen {
        if self.settings.audit {
            return Foreseen::default();
        }
        let hanging = self.hanging_for(now);
        let (mut tasks, mut lines) = (Vec::new(), Vec::new());
        for (shoot, member) in self.members.by_shoot() {
            let mut coming = member.secrets.values().filter_map(|entry| {
                let from = begins(now, entry)?;
                Some(self.task(now, shoot, entry, (lines.len(), from)))
            });
            let Some(first) = coming.next() else { continue };
            tasks.push(first);
            tasks.extend(coming);
            lines.push(self.served(now, member, hanging.get(shoot).copied()));
        }
        let all = if self.held_back(now).is_some() { 0.0 } else { self.served_in_all(now) };
        foresee(&tasks, &lines, all)
    }

    /// How many a second are served of a shoot, where all that have something ready share alike.
    pub(super) fn share_of(&self, now: Timestamp, shoot: &ShootId) -> f64 {
        let hangs = self.hanging_for(now).get(shoot).copied();
        let own = self.members.shoot(shoot).map_or(0.0, |member| self.served(now, member, hangs));
        own.min(self.served_in_all(now) / self.queue.ready_shoots().max(1) as f64)
    }

    fn served_in_all(&self, now: Timestamp) -> f64 {
        let gate = &self.shared.gate;
        gate.capacity(now, gate.usual.get().unwrap_or(TAKES_UNKNOWN), self.most())
    }

    fn served(&self, now: Timestamp, member: &Member, hangs: Option<Duration>) -> f64 {
        if let Some(since) = hangs {
            return 1.0 / since.max(Duration::from_millis(1)).as_secs_f64(); // one at a time
        }
        let usual = member.gate.usual.get().or(self.shared.gate.usual.get());
        member.gate.capacity(now, usual.unwrap_or(TAKES_UNKNOWN), self.most_of_shoot())
    }

    /// For how long the oldest call that hangs has done so.
    fn hanging_for(&self, now: Timestamp) -> BTreeMap<&ShootId, Duration> {
        let mut oldest = BTreeMap::new();
        let hanging = self.flights.iter().filter(|(_, flight)| flight.hang != Hang::No);
        for (secret, flight) in hanging {
            let longest = oldest.entry(&secret.namespace).or_insert(Duration::ZERO);
            *longest = (*longest).max(elapsed(flight.since, now));
        }
        oldest
    }

    fn task(
        &self,
        now: Timestamp,
        shoot: &ShootId,
        entry: &Entry,
        (line, from): (usize, f64),
    ) -> Task {
        let seconds = |moment| self.our_clock(shoot, moment).duration_since(now).as_secs_f64();
        let latest = entry.latest(&self.settings.policy).map(seconds);
        let expires_at = entry.usable_until().map(seconds);
        let paused = self.members.shoot(shoot).and_then(|member| member.pause);
        let paused = paused.filter(|pause| pause.holds(now));
        let from = paused.map_or(from, |pause| from.max(after(now, pause.until)));
        Task {
            line,
            from,
            deadline: expires_at.unwrap_or(f64::NEG_INFINITY),
            late_at: latest.map(|latest| latest + OVERDUE_GRACE.as_secs_f64()),
            expires_at,
        }
    }
}

/// In how many seconds it can be renewed, where that is within the horizon. What waits for its shoot
/// waits without end, as far as one can tell.
fn begins(now: Timestamp, entry: &Entry) -> Option<f64> {
    let needs_token = entry.standing.reason().is_none_or(|reason| reason.needs_token());
    let from = match &entry.standing {
        _ if !needs_token => return None,
        Standing::Due { .. } => 0.0,
        Standing::Parked { .. } => return Some(f64::INFINITY),
        Standing::Fresh { until } | Standing::Waiting { until, .. } => after(now, *until),
        Standing::Renewing { .. } | Standing::Invalid(_) | Standing::Obstructed(_) => return None,
    };
    (from <= HORIZON_SECONDS).then_some(from)
}

fn after(now: Timestamp, moment: Timestamp) -> f64 {
    let left: SignedDuration = moment.duration_since(now);
    left.as_secs_f64().max(0.0)
}
