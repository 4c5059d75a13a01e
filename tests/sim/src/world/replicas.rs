//! What happens to single replicas of the scheduler: they come, go, stand still and wake.

use perennial_core::{record::Record, shoot::ShootStatus};
use perennial_fleet::order::Order;

use super::{Broke, What, World, breaks::KEEP_ALIVE, leases::OfLease};
use crate::{
    faults::OfReplica, keeper::CALL_MAX, refusal::Refusal, seed::Health, time::Ms, trace::Step,
};

/// What reached a replica that stood still: it lies in its sockets until it wakes.
#[derive(Debug)]
pub(super) enum Mail {
    What(What),
    Answer(Box<Answer>),
    Status(usize, Box<ShootStatus>),
    LoseRecords,
    LoseShoots,
}

/// Of a renewal: which Secret, what was ordered, and what came of it.
pub(super) type Answer = (usize, Order, Result<Record, Refusal>);

impl World {
    /// Whether it has to wait until a replica wakes, and does.
    pub(super) fn is_held(&mut self, what: What) -> bool {
        let replica = match what {
            What::Shown { replica, .. }
            | What::OpenRecords(replica)
            | What::OpenShoots(replica)
            | What::NoticeCut(replica, _)
            | What::Campaigns(replica, _) => replica,
            What::Lease(replica, of, _) if of.is_of_process() => replica,
            _ => return false,
        };
        let stands = self.schedulers[replica].stands.is_some();
        if stands {
            self.inboxes[replica].push(Mail::What(what));
        }
        stands
    }

    pub(super) fn replica_fault_begins(
        &mut self,
        replica: usize,
        fault: OfReplica,
    ) -> Result<(), Broke> {
        match fault {
            OfReplica::Crash | OfReplica::Lost => self.replica_crashes(replica),
            OfReplica::Stands => self.stands_still(replica)?,
            OfReplica::Clock(by) => self.set_clock(replica, by)?,
            OfReplica::CutSeed => {
                self.schedulers[replica].reaches.seed = false;
                self.owners.blind(replica);
            }
            OfReplica::CutWriter => self.cut_writer(replica),
            OfReplica::CutIssuer => self.cut_issuer(replica),
            OfReplica::Leaves => self.replica_leaves(replica),
            OfReplica::Joins => {
                self.schedulers[replica].is_member = true;
                self.replica_starts(replica);
            }
        }
        Ok(())
    }

    pub(super) fn replica_fault_ends(
        &mut self,
        replica: usize,
        fault: OfReplica,
    ) -> Result<(), Broke> {
        match fault {
            OfReplica::Crash => self.replica_starts(replica),
            OfReplica::Lost | OfReplica::Leaves => {
                let scheduler = &mut self.schedulers[replica];
                scheduler.is_member = true;
                if let Some(keeper) = scheduler.keeper.as_mut().filter(|_| !scheduler.is_up) {
                    keeper.rename(scheduler.epoch + 1);
                }
                self.replica_starts(replica);
            }
            OfReplica::Stands => self.wakes(replica)?,
            OfReplica::Clock(by) => self.set_clock(replica, -by)?,
            OfReplica::CutSeed => {
                self.schedulers[replica].reaches.seed = true;
                let at = self.owners.sees(replica, self.now);
                self.agenda.put(at, What::Calm);
            }
            OfReplica::CutWriter => self.mend_writer(replica),
            OfReplica::CutIssuer => self.mend_issuer(replica),
            OfReplica::Joins => self.replica_leaves(replica),
        }
        Ok(())
    }

    pub(super) fn replica_crashes(&mut self, replica: usize) {
        let scheduler = &mut self.schedulers[replica];
        (scheduler.is_up, scheduler.stands) = (false, None);
        self.inboxes[replica].clear();
        self.owners.begin_anew(self.now);
    }

    pub(super) fn replica_starts(&mut self, replica: usize) {
        let scheduler = &mut self.schedulers[replica];
        if scheduler.is_up || !scheduler.is_member {
            return;
        }
        scheduler.start(self.now);
        self.owners.begin_anew(self.now);
        self.reopen(replica);
        self.begin_beats(replica);
        self.send_campaigns(replica);
    }

    /// It ends in order: it orders nothing more and deletes its Lease.
    fn replica_leaves(&mut self, replica: usize) {
        let scheduler = &mut self.schedulers[replica];
        scheduler.is_member = false;
        if !scheduler.runs() {
            return self.replica_crashes(replica);
        }
        scheduler.is_up = false;
        self.owners.is_stale = true;
        let Some(keeper) = scheduler.keeper.as_ref().filter(|_| scheduler.reaches.seed) else {
            return;
        };
        // The beat that is under way ends before that.
        let after = if keeper.is_asking() { CALL_MAX } else { 0 };
        let after = after + self.draw.latency(2, 3);
        self.agenda.put(self.now + after, What::Lease(replica, OfLease::Deleted, keeper.beats));
    }

    fn stands_still(&mut self, replica: usize) -> Result<(), Broke> {
        if !self.schedulers[replica].runs() {
            return Ok(());
        }
        self.look_at_clock(replica)?;
        self.schedulers[replica].stands = Some(self.now);
        self.owners.begin_anew(self.now);
        Ok(())
    }

    /// The engine looks at its clock five times a second, and the model when there is something to
    /// do: what it notices next counts from now.
    fn look_at_clock(&mut self, replica: usize) -> Result<(), Broke> {
        self.schedulers[replica].touch();
        self.tick(replica)
    }

    /// It goes on with what it believed. What was sent to it meanwhile is there, if its connections
    /// have outlived that, and either is seen first.
    fn wakes(&mut self, replica: usize) -> Result<(), Broke> {
        let Some(since) = self.schedulers[replica].stands.take() else { return Ok(()) };
        self.owners.begin_anew(self.now);
        let inbox = std::mem::take(&mut self.inboxes[replica]);
        if self.draw.chance(0.5) {
            self.look_at_clock(replica)?;
        }
        let is_cut = self.now - since >= KEEP_ALIVE;
        if is_cut {
            self.lose_writer(replica);
            self.lose_shoots(replica);
        }
        for held in inbox {
            match held {
                Mail::What(What::Lease(replica, OfLease::Answer, number)) if is_cut => {
                    self.lease(replica, OfLease::Failed, number)?;
                }
                Mail::What(what) => self.happen(what)?,
                Mail::Answer(answer) => {
                    let (secret, order, outcome) = *answer;
                    let outcome = if is_cut { Err(Refusal::WriterAway) } else { outcome };
                    self.answered(replica, secret, &order, outcome);
                }
                Mail::Status(shoot, status) => self.tell_status(replica, shoot, *status),
                Mail::LoseRecords => self.lose_records(replica),
                Mail::LoseShoots => self.lose_shoots(replica),
            }
        }
        if is_cut {
            self.reopen(replica);
        }
        self.look_at_clock(replica)
    }

    pub(super) fn set_clock(&mut self, replica: usize, by: Ms) -> Result<(), Broke> {
        let runs = self.schedulers[replica].runs();
        if runs && self.schedulers[replica].keeper.is_some() {
            self.look_at_clock(replica)?;
            self.owners.begin_anew(self.now);
        }
        let scheduler = &mut self.schedulers[replica];
        scheduler.set_clock(scheduler.ahead + by);
        self.compare_clocks(replica);
        Ok(())
    }

    pub(super) fn seed_turns(&mut self, health: Health) {
        let was_prompt = self.seed.is_prompt();
        self.seed.health = health;
        match (was_prompt, self.seed.is_prompt()) {
            (true, false) => self.owners.seed_away(),
            (false, true) => {
                let at = self.owners.seed_back(self.now);
                self.agenda.put(at, What::Calm);
            }
            _ => {}
        }
    }

    pub(super) fn lose_records(&mut self, replica: usize) {
        match self.schedulers[replica].stands {
            Some(_) => self.inboxes[replica].push(Mail::LoseRecords),
            None => self.schedulers[replica].lose_records(self.now),
        }
    }

    pub(super) fn lose_shoots(&mut self, replica: usize) {
        match self.schedulers[replica].stands {
            Some(_) => self.inboxes[replica].push(Mail::LoseShoots),
            None => self.schedulers[replica].lose_shoots(self.now),
        }
    }

    pub(super) fn tell_status(&mut self, replica: usize, shoot: usize, status: ShootStatus) {
        let scheduler = &mut self.schedulers[replica];
        match scheduler.stands {
            Some(_) => self.inboxes[replica].push(Mail::Status(shoot, Box::new(status))),
            None if scheduler.hears_shoots => scheduler.hear_of_shoot(self.now, shoot, status),
            None => {}
        }
    }

    /// Counts an order in. Gives back how many are under way in all, and for its shoot: by all
    /// replicas, where they agree for so long that no call of an earlier owner is left.
    pub(super) fn count(&mut self, replica: usize, shoot: usize) -> (usize, usize) {
        let own = self.schedulers[replica].count(shoot);
        if self.schedulers.len() == 1 || !self.owners.agree(self.now) {
            return own;
        }
        let running = self.schedulers.iter().filter(|scheduler| scheduler.runs());
        let sum = |(total, of_shoot): (usize, usize), (more, more_of_shoot): (usize, usize)| {
            (total + more, of_shoot + more_of_shoot)
        };
        running.map(|scheduler| scheduler.under_way(shoot)).fold((0, 0), sum)
    }

    /// Something happened to a shoot's place among replicas.
    pub(super) fn trace_owner(&mut self, shoot: usize, owner: Option<usize>) {
        let owner = owner.map_or(-1, |owner| owner as i64);
        self.trace.of_world(self.now, shoot as u64, Step::Owned, owner);
    }
}
