//! Which ServiceAccounts, targets and generations of each shoot matter, and which token-issuer was told.
//!
//! A token-issuer watches nothing of its own accord. It is told the whole set of a shoot whenever
//! that set changes, whenever its stream is new, and whenever it learns of the shoot.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{
    backoff::doubled,
    generation::Family,
    name::{AccountRef, SecretRef},
    record::Record,
    shoot::ShootId,
};

use super::{CLOCK_STEP, Fleet, RecordsFeed};

/// Most that are told at once.
const IN_FLIGHT_MAX: usize = 32;
/// Pause after one could not be told; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What a token-issuer is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Which token-issuer.
    pub source: usize,
    /// Which shoot.
    pub shoot: ShootId,
    /// Every ServiceAccount that matters there.
    pub accounts: BTreeSet<AccountRef>,
    /// Every target that matters there.
    pub targets: BTreeSet<SecretRef>,
    /// The families of generations of its revocable Secrets.
    pub families: BTreeSet<Family>,
}

#[derive(Debug, Default)]
pub(super) struct Observations {
    /// Shoots of which another set of accounts, targets or families matters now.
    changed: BTreeSet<ShootId>,
    to_tell: BTreeMap<(usize, ShootId), Pending>,
    /// With the number of failures in a row before.
    in_flight: BTreeMap<(usize, ShootId), u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    failures: u32,
    /// Set after a failure.
    not_before: Option<Timestamp>,
}

impl Observations {
    /// Another Secret names an account or a target of this shoot, or one names it no longer.
    pub(super) fn changed(&mut self, shoot: &ShootId) {
        self.changed.insert(shoot.clone());
    }

    /// A token-issuer has not been told of this shoot, or has forgotten what it was told.
    pub(super) fn untold(&mut self, source: usize, shoot: ShootId) {
        self.to_tell.insert((source, shoot), Pending::default());
    }
}

impl Pending {
    /// A clock that was set back ends the pause.
    fn is_ripe(&self, now: Timestamp) -> bool {
        let longest = now.saturating_add(PAUSE_MAX + CLOCK_STEP.unsigned_abs());
        self.not_before.is_none_or(|moment| moment <= now || longest.is_ok_and(|l| l < moment))
    }
}

/// The generations of a Secret, where it is valid and revocable.
pub(super) fn family(record: &Record) -> Option<Family> {
    let inputs = record.inputs.as_ref().ok().filter(|inputs| inputs.revocable)?;
    Some(Family::new(&inputs.account.namespace, &record.secret))
}

impl Fleet {
    /// What token-issuers are to be told now. To be called like [`Fleet::tick`].
    #[must_use = "a token-issuer counts as being told until `observed` is called"]
    pub fn observations(&mut self, now: Timestamp) -> Vec<Observation> {
        if self.records != RecordsFeed::Whole {
            return Vec::new(); // half a set would end the observation of the other half
        }
        for shoot in std::mem::take(&mut self.observations.changed) {
            self.choose_speakers(now, &shoot);
            if !self.is_ours(&shoot) {
                let _ = self.what_matters(&shoot); // whoever serves it tells of what is wanted no more
            }
            for source in self.shoots.sources_of(&shoot) {
                self.observations.untold(source, shoot.clone());
            }
        }
        let room = IN_FLIGHT_MAX.saturating_sub(self.observations.in_flight.len());
        let Observations { to_tell, in_flight, .. } = &self.observations;
        let is_ripe = |(to, pending): &(&(usize, ShootId), &Pending)| {
            // Of a shoot that another replica serves it is told when it is ours.
            pending.is_ripe(now) && !in_flight.contains_key(*to) && self.is_ours(&to.1)
        };
        let ripe = to_tell.iter().filter(is_ripe).map(|(to, _)| to.clone());
        let ripe: Vec<_> = ripe.take(room).collect();
        ripe.into_iter().map(|to| self.observe(to)).collect()
    }

    fn observe(&mut self, to: (usize, ShootId)) -> Observation {
        let (source, shoot) = to.clone();
        let pending = self.observations.to_tell.remove(&to).unwrap_or_default();
        self.observations.in_flight.insert(to, pending.failures);
        let (accounts, targets, families) = self.what_matters(&shoot);
        Observation { source, shoot, accounts, targets, families }
    }

    /// What matters of a shoot; what does not any more is forgotten.
    fn what_matters(
        &mut self,
        shoot: &ShootId,
    ) -> (BTreeSet<AccountRef>, BTreeSet<SecretRef>, BTreeSet<Family>) {
        let entries = self.members.shoot(shoot).into_iter().flat_map(|m| m.secrets.values());
        let (mut accounts, mut targets) = (BTreeSet::new(), BTreeSet::new());
        let mut families = BTreeSet::new();
        for record in entries.map(|entry| entry.record()) {
            families.extend(family(&record));
            let Ok(inputs) = record.inputs else { continue };
            accounts.insert(inputs.account);
            targets.extend(inputs.target);
        }
        self.shoots.keep(shoot, &targets, &families);
        (accounts, targets, families)
    }

    /// Whether a token-issuer took what it was told. Gives back how often in a row it did not; one
    /// that knows the shoot no longer is told again when it does.
    pub fn observed(&mut self, now: Timestamp, observation: &Observation, taken: bool) -> u32 {
        let to = (observation.source, observation.shoot.clone());
        let failures = self.observations.in_flight.remove(&to).unwrap_or_default();
        if taken || !self.shoots.sources_of(&to.1).contains(&to.0) {
            return 0;
        }
        let not_before = now.checked_add(doubled(PAUSE_MIN, failures, PAUSE_MAX)).ok();
        let failures = failures.saturating_add(1);
        // Where the set has changed meanwhile, it is told at once.
        self.observations.to_tell.entry(to).or_insert(Pending { failures, not_before });
        failures
    }
}

#[cfg(test)]
mod tests;
