//! Which replica orders for which shoot, by what each believes, and what must hold of that.
//!
//! While the seed does not answer in time, and for [`CALM`] after, two may believe that they serve a shoot, and
//! so may one that is cut off from it and anybody else: on purpose (docs/model.md). A hand-over
//! begins anew with each failure, as in the model, and with each replica that joins: one that takes shoots from a
//! joiner which has not begun yet has time of its own.

use jiff::SignedDuration;
use perennial_core::{
    invariants::{Broken, hand_over_in_time, one_owner_at_a_time},
    membership::{BEAT, LIVE, View},
};
use serde::Serialize;

use super::{Broke, World};
use crate::time::{Ms, SECOND};

/// After a time without the seed each has looked, and what was lost has come to count.
const CALM: Ms = (LIVE.as_secs() + BEAT.as_secs()) as Ms * SECOND;
/// No call of a former owner is under way any more.
const CALLS_OVER: Ms = 15 * SECOND;

/// Figures of replicas.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sharing {
    /// How often a shoot got another replica.
    pub hand_overs: u64,
    /// Longest time in which nobody ordered for a shoot, while one ran and reached the seed: also over
    /// several failures and joiners in a row.
    pub longest_gap_seconds: f64,
    /// How often two began to order for one shoot, each with its excuse.
    pub overlaps_excused: u64,
    /// Orders that replicas gave for shoots that others serve: while Leases could not be read.
    pub takeovers: u64,
}

/// The books.
#[derive(Debug)]
pub(super) struct Owners {
    /// What a replica believes may have changed.
    pub is_stale: bool,
    pub sharing: Sharing,
    /// What each replica believed when it was looked at last, and what follows for each shoot.
    views: Vec<(Option<View>, Vec<bool>)>,
    /// By shoot.
    shoots: Vec<Owned>,
    /// How many shoots have nobody.
    alone: usize,
    /// From when on it counts what a replica believes of others.
    sees_from: Vec<Ms>,
    /// From when on it counts what all believe.
    calm_from: Ms,
    changed_at: Ms,
}

#[derive(Clone, Debug, Default)]
struct Owned {
    last: Option<usize>,
    count: usize,
    /// Since the last failure, and in all.
    nobody_since: Option<(Ms, Ms)>,
}

impl Owners {
    pub(super) fn new(replicas: usize, shoots: usize) -> Self {
        Self {
            is_stale: replicas > 1,
            sharing: Sharing::default(),
            views: vec![(None, vec![false; shoots]); replicas],
            shoots: vec![Owned::default(); shoots],
            alone: 0,
            sees_from: vec![Ms::MIN; replicas],
            calm_from: Ms::MIN,
            changed_at: 0,
        }
    }

    /// A replica is cut off from the seed.
    pub(super) fn blind(&mut self, replica: usize) {
        self.sees_from[replica] = Ms::MAX;
        self.is_stale = true;
    }

    /// It reaches it again. Gives back when that counts.
    pub(super) fn sees(&mut self, replica: usize, now: Ms) -> Ms {
        self.sees_from[replica] = now + CALM;
        self.is_stale = true;
        now + CALM
    }

    pub(super) const fn seed_away(&mut self) {
        self.calm_from = Ms::MAX;
        self.is_stale = true;
    }

    /// It answers again. Gives back when that counts.
    pub(super) const fn seed_back(&mut self, now: Ms) -> Ms {
        self.calm_from = now + CALM;
        self.is_stale = true;
        self.calm_from
    }

    /// A failure, and a joiner, begins a hand-over of its own.
    pub(super) fn begin_anew(&mut self, now: Ms) {
        self.is_stale = true;
        let open = self.shoots.iter_mut().filter_map(|owned| owned.nobody_since.as_mut());
        open.for_each(|(since, _)| *since = now);
    }

    /// Whether replicas have agreed for so long that no call of a former owner is left.
    pub(super) fn agree(&self, now: Ms) -> bool {
        let calm = now.saturating_sub(CALLS_OVER);
        let seen = self.sees_from.iter().chain([&self.calm_from, &self.changed_at]).max();
        seen.is_some_and(|seen| *seen <= calm)
    }

    fn serves(&self, replica: usize, shoot: usize) -> bool {
        self.views[replica].1[shoot]
    }
}

impl World {
    /// Looks who orders for what, if that may have changed.
    pub(super) fn look_at_owners(&mut self) -> Result<(), Broke> {
        if !std::mem::take(&mut self.owners.is_stale) || self.schedulers.len() == 1 {
            return Ok(());
        }
        for replica in 0..self.schedulers.len() {
            self.look_at_replica(replica);
        }
        let answers = self.seed.is_prompt();
        let somebody = answers && self.schedulers.iter().any(|s| s.runs() && s.reaches.seed);
        for shoot in 0..self.town.shoots.len() {
            self.look_at_owner(shoot, somebody)?;
        }
        Ok(())
    }

    fn look_at_replica(&mut self, replica: usize) {
        let scheduler = &self.schedulers[replica];
        let (view, serves) = &mut self.owners.views[replica];
        let knows = scheduler.runs() && !scheduler.fleet.is_unread();
        let believes = scheduler.fleet.members().filter(|_| knows);
        if view.as_ref() == believes {
            return;
        }
        *view = believes.cloned();
        for (serves, home) in serves.iter_mut().zip(&self.town.shoots) {
            *serves = scheduler.serves(&home.id);
        }
        self.owners.changed_at = self.now;
    }

    fn look_at_owner(&mut self, shoot: usize, somebody: bool) -> Result<(), Broke> {
        let (now, owners) = (self.now, &mut self.owners);
        let serves = |replica: &usize| owners.views[*replica].1[shoot];
        let all: Vec<usize> = (0..self.schedulers.len()).filter(serves).collect();
        let sees = |replica: &&usize| owners.sees_from[**replica] <= now;
        let (count, counted) = (all.len(), all.iter().filter(sees).count());
        let secret = self.town.shoots[shoot].secrets.start;
        let broke = |broken: Broken| (secret, broken);
        if owners.calm_from <= now {
            one_owner_at_a_time(counted).map_err(broke)?;
        }
        let owned = &mut owners.shoots[shoot];
        let sharing = &mut owners.sharing;
        sharing.overlaps_excused += u64::from(count > 1 && owned.count < 2);
        let is_nobody = count == 0 && somebody;
        let since = match (owned.nobody_since, is_nobody) {
            (Some((since, in_all)), false) => {
                let gap = now - since;
                owned.nobody_since = None;
                owners.alone -= 1;
                if somebody {
                    let seconds = (now - in_all) as f64 / SECOND as f64;
                    sharing.longest_gap_seconds = sharing.longest_gap_seconds.max(seconds);
                    hand_over_in_time(SignedDuration::from_millis(gap)).map_err(broke)?;
                }
                None
            }
            (None, true) => {
                owned.nobody_since = Some((now, now));
                owners.alone += 1;
                Some(now)
            }
            (since, _) => since.map(|(_, in_all)| in_all),
        };
        let owner = all.first().copied();
        let is_other = owner.is_some_and(|owner| owned.last.is_some_and(|last| last != owner));
        let is_first = owner.is_some() && owned.last.is_none();
        sharing.hand_overs += u64::from(is_other);
        owned.count = count;
        owned.last = owner.or(owned.last);
        if is_other || is_first || since == Some(now) {
            self.trace_owner(shoot, owner);
        }
        Ok(())
    }

    /// Asked with every beat of a replica: nobody orders for a shoot for no longer than that may take.
    pub(super) fn hand_overs_in_time(&self) -> Result<(), Broke> {
        if self.owners.alone == 0 {
            return Ok(());
        }
        for (shoot, owned) in self.owners.shoots.iter().enumerate() {
            let Some((since, _)) = owned.nobody_since else { continue };
            hand_over_in_time(SignedDuration::from_millis(self.now - since))
                .map_err(|broken| (self.town.shoots[shoot].secrets.start, broken))?;
        }
        Ok(())
    }

    /// Counts an order for a shoot that another one serves.
    pub(super) fn note_takeover(&mut self, replica: usize, shoot: usize) {
        if self.schedulers.len() > 1 && !self.owners.is_stale {
            let is_theirs = !self.owners.serves(replica, shoot);
            self.owners.sharing.takeovers += u64::from(is_theirs);
        }
    }

    /// Figures of replicas; `None` where there is one that knows of no others.
    #[must_use]
    pub fn sharing(&self) -> Option<Sharing> {
        let has_leases = self.schedulers.iter().any(|scheduler| scheduler.keeper.is_some());
        has_leases.then(|| self.owners.sharing.clone())
    }
}
