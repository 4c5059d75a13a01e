//! How long it takes after an outage until all is well again.

use serde::Serialize;

use super::World;
use crate::{
    faults::{Kind, Outage, Scope},
    time::{MINUTE, Ms, SECOND, stamp, true_moment},
};

/// Time that is allowed for each token of a backlog: with 8 at once a shoot makes 20 tokens a second.
const BACKLOG_EACH: Ms = 50;

/// What was waiting at the end of an outage, and when the last of it had a token.
#[derive(Clone, Debug, Serialize)]
pub struct Recovery {
    /// What it was.
    pub fault: Kind,
    /// Seconds since the begin of the run.
    pub ended_at: Ms,
    /// How long it was, in seconds.
    pub outage_seconds: Ms,
    /// Secrets that were due or expired.
    pub backlog: usize,
    /// Those of them without a new token yet.
    pub left: usize,
    /// From the end of the outage to the last new token.
    pub recovery_seconds: f64,
}

#[derive(Debug)]
pub(super) struct Recoveries {
    all: Vec<Recovery>,
    ended: Vec<Ms>,
    /// Which one a Secret belongs to.
    of: Vec<Option<usize>>,
}

impl Recoveries {
    pub(super) fn new(secrets: usize) -> Self {
        Self { all: Vec::new(), ended: Vec::new(), of: vec![None; secrets] }
    }

    pub(super) fn all(&self) -> &[Recovery] {
        &self.all
    }

    /// A Secret has a new token.
    pub(super) fn recovered(&mut self, now: Ms, secret: usize) {
        let Some(number) = self.of[secret].take() else { return };
        let recovery = &mut self.all[number];
        recovery.left -= 1;
        recovery.recovery_seconds = (now - self.ended[number]) as f64 / SECOND as f64;
    }
}

impl World {
    /// Notes who waits at the end of an outage.
    pub(super) fn recover(&mut self, outage: Outage) {
        let Outage { fault, length, .. } = outage;
        let secrets = match fault.scope() {
            Scope::Shoot(shoot) => self.town.shoots[shoot].secrets.clone(),
            Scope::All => 0..self.town.secrets.len(),
        };
        let waits = |secret: &usize| {
            let shoot = &self.shoots[self.town.secrets[*secret].shoot];
            let record = &self.seed.secrets[*secret].record;
            let is_due =
                record.issued.as_ref().is_none_or(|n| n.renew_at <= stamp(self.now, shoot.ahead));
            is_due && shoot.health.answers()
        };
        let waiting: Vec<_> = secrets.filter(waits).collect();
        let number = self.recoveries.all.len();
        self.recoveries.all.push(Recovery {
            fault: fault.kind(),
            ended_at: self.now / SECOND,
            outage_seconds: length / SECOND,
            backlog: waiting.len(),
            left: waiting.len(),
            recovery_seconds: 0.0,
        });
        self.recoveries.ended.push(self.now);
        for secret in &waiting {
            // One that waits since an earlier outage is counted to that no longer.
            if let Some(before) = self.recoveries.of[*secret].replace(number) {
                self.recoveries.all[before].left -= 1;
            }
        }
    }

    /// Tokens may expire in an outage that is longer than their life, and be expired until there was
    /// time for new ones. Where it left none expired, none may.
    pub(super) fn excuse(&mut self, outage: Outage, lasts: bool) {
        let shoots = match outage.fault.scope() {
            Scope::Shoot(shoot) => shoot..shoot + 1,
            Scope::All => 0..self.town.shoots.len(),
        };
        let count: usize = shoots.clone().map(|shoot| self.town.shoots[shoot].secrets.len()).sum();
        let time_for_new_ones = self.now + MINUTE + count as Ms * BACKLOG_EACH;
        for shoot in shoots {
            let ahead = self.shoots[shoot].ahead;
            let expires = |secret: usize| {
                let claims = self.seed.secrets[secret].record.held.claims();
                let end = claims.map(|claims| true_moment(claims.expires_at, ahead));
                end.is_some_and(|end| end <= time_for_new_ones)
            };
            let until = match lasts {
                true => Ms::MAX,
                false if self.town.shoots[shoot].secrets.clone().any(expires) => time_for_new_ones,
                false => Ms::MIN,
            };
            self.shoots[shoot].excused_until = until;
        }
    }
}
