//! The Leases of the replicas: beats, what reaches the seed, and what comes back.

use super::{Broke, What, World};
use crate::{
    keeper::{BEAT, CALL_MAX, News},
    time::{Ms, SECOND},
};

/// What happens to the Lease of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfLease {
    /// A beat is due.
    Tick,
    /// It is renewed on the seed.
    Lands,
    /// All are read there.
    Listed,
    /// The replica has the answer.
    Answer,
    /// The replica waits no longer.
    Failed,
    /// Its replica has ended in order, and deletes it.
    Deleted,
}

impl OfLease {
    /// Whether it takes the replica itself.
    pub(super) const fn is_of_process(self) -> bool {
        matches!(self, Self::Tick | Self::Answer | Self::Failed)
    }
}

impl World {
    /// A replica has started, and looks soon for the first time.
    pub(super) fn begin_beats(&mut self, replica: usize) {
        let scheduler = &self.schedulers[replica];
        if scheduler.keeper.is_some() {
            let epoch = scheduler.epoch;
            let at = self.now + self.draw.between(0, SECOND);
            self.agenda.put(at, What::Lease(replica, OfLease::Tick, epoch));
        }
    }

    pub(super) fn lease(&mut self, replica: usize, of: OfLease, number: u32) -> Result<(), Broke> {
        let scheduler = &mut self.schedulers[replica];
        let (is_up, epoch) = (scheduler.is_up, scheduler.epoch);
        let Some(keeper) = &mut scheduler.keeper else { return Ok(()) };
        let is_this = keeper.beats == number;
        match of {
            OfLease::Tick if is_up && epoch == number => {
                self.lease_tick(replica);
                self.hand_overs_in_time()?;
            }
            OfLease::Lands if is_this => self.seed.renew(&keeper.me),
            OfLease::Listed if is_this => {
                let said = self.seed.leases.iter();
                keeper.listed = said.map(|(name, text)| (name.clone(), text.to_string())).collect();
            }
            OfLease::Answer if is_this && is_up && scheduler.reaches.seed => {
                let news = keeper.answered();
                self.bury(replica);
                self.lease_end(replica, news);
            }
            OfLease::Answer | OfLease::Failed if is_this && is_up => {
                let news = keeper.failed();
                self.lease_end(replica, news);
            }
            OfLease::Deleted if is_this && !is_up && self.seed.is_prompt() => {
                self.seed.leases.remove(&keeper.me);
            }
            _ => {} // of an earlier life
        }
        Ok(())
    }

    /// A beat is due: like tokio's interval with `MissedTickBehavior::Delay`, the next one counts from
    /// the moment at which this one is taken up.
    fn lease_tick(&mut self, replica: usize) {
        let scheduler = &mut self.schedulers[replica];
        let Some(keeper) = &mut scheduler.keeper else { return };
        if keeper.is_asking() {
            keeper.waits.0 = true;
            return;
        }
        let tick = What::Lease(replica, OfLease::Tick, scheduler.epoch);
        self.agenda.put(self.now + BEAT, tick);
        self.ask_leases(replica);
    }

    fn ask_leases(&mut self, replica: usize) {
        let scheduler = &mut self.schedulers[replica];
        scheduler.touch(); // the engine looks at its clock five times a second, and notices a standstill
        let (now, reaches) = (scheduler.now(self.now), scheduler.reaches.seed);
        let Some(keeper) = &mut scheduler.keeper else { return };
        keeper.ask(now);
        let number = keeper.beats;
        let mut put = |after: Ms, of| {
            self.agenda.put(self.now + after, What::Lease(replica, of, number));
        };
        let calls = (self.seed.call(&mut self.draw), self.seed.call(&mut self.draw));
        let ((Some(renewal), Some(list)), true) = (calls, reaches) else {
            let after = if reaches { self.draw.latency(1, 2) } else { CALL_MAX };
            return put(after, OfLease::Failed);
        };
        put(renewal / 2, OfLease::Lands);
        if renewal + list > CALL_MAX {
            return put(CALL_MAX, OfLease::Failed);
        }
        put(renewal + list / 2, OfLease::Listed);
        put(renewal + list, OfLease::Answer);
    }

    /// The calls of a beat have ended.
    fn lease_end(&mut self, replica: usize, news: Option<News>) {
        let scheduler = &mut self.schedulers[replica];
        if news.is_some_and(|news| scheduler.hear_of_members(self.now, news)) {
            self.owners.is_stale = true;
        }
        let Some(keeper) = &mut scheduler.keeper else { return };
        let (tick, look) = std::mem::take(&mut keeper.waits);
        if tick {
            self.lease_tick(replica);
        } else if look {
            self.ask_leases(replica);
        }
    }

    /// The engine of a replica noticed that it stood still.
    pub(super) fn look_at_leases(&mut self, replica: usize) -> Result<(), Broke> {
        self.owners.is_stale = true;
        let scheduler = &mut self.schedulers[replica];
        let now = scheduler.now(self.now);
        let Some(keeper) = &mut scheduler.keeper else { return Ok(()) };
        if let Some(view) = keeper.unread_view().cloned() {
            scheduler.fleet.hear_of_members(now, now, view);
            scheduler.touch();
            return self.tick(replica);
        }
        match keeper.is_asking() {
            true => keeper.waits.1 = true,
            false => self.ask_leases(replica),
        }
        Ok(())
    }

    fn bury(&mut self, replica: usize) {
        let keeper = self.schedulers[replica].keeper.as_ref();
        if let Some(dead) = keeper.and_then(|keeper| keeper.buried()) {
            self.seed.leases.remove(dead);
        }
    }
}
