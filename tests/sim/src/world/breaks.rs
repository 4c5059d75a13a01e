//! Outages begin and end.

use std::ops::Range;

use super::{Broke, What, World};
use crate::{
    faults::{Fault, Outage, Process, Scope},
    seed,
    shoot::Health,
    time::{Ms, SECOND},
    trace::Step,
};

/// Without an answer to a ping for so long a connection counts as broken: 10 s and 5 s.
pub(super) const KEEP_ALIVE: Ms = 15 * SECOND;
/// From the start of a secret-writer to its first whole set.
const LIST: Ms = 2 * SECOND;
/// Longest time for which a watch stays behind.
const STALE_FOR: Ms = 30 * SECOND;
/// How much later a record comes in the ordinary course of things.
const LAG: Ms = 2;

impl World {
    pub(super) fn outage_begins(&mut self, number: usize) -> Result<(), Broke> {
        let outage = self.outages[number];
        self.trace.of_world(self.now, number as u64, Step::Began, outage.fault.kind() as i64);
        self.desk.fault(self.now, outage.fault, true);
        if self.is_beyond_budget(outage) {
            self.excuse(outage, true);
        }
        match outage.fault {
            Fault::ShootAway(shoot) | Fault::ShootHibernates(shoot) => {
                self.turn(shoot, Health::Away);
            }
            Fault::ShootFrozen(shoot) => self.turn(shoot, Health::Frozen),
            Fault::ShootSlow(shoot) => self.turn(shoot, Health::Slow),
            Fault::ShootThrottles(shoot) => self.turn(shoot, Health::Throttles),
            Fault::ShootErrs(shoot) => self.turn(shoot, Health::Errs),
            Fault::ShootClock(shoot, by) => {
                self.shoots[shoot].ahead += by;
                self.look_in_turn(shoot);
            }
            Fault::KeyExchange(shoot) => {
                self.shoots[shoot].exchange_key();
                self.look_in_turn(shoot);
            }
            Fault::SeedAway => self.seed_turns(seed::Health::Away),
            Fault::SeedSlow => self.seed_turns(seed::Health::Slow),
            Fault::SeedThrottles => self.seed_turns(seed::Health::Throttles),
            Fault::SeedBusy => self.seed_turns(seed::Health::Busy),
            Fault::Crash(Process::Scheduler) => {
                self.all_replicas().for_each(|replica| self.replica_crashes(replica));
            }
            Fault::Crash(Process::Writer) | Fault::CrashIntoStale(_) => self.writer_crashes()?,
            Fault::Crash(Process::Issuer) => {
                self.issuer.is_up = false;
                self.all_replicas().for_each(|replica| self.lose_shoots(replica));
            }
            Fault::Clock(Process::Scheduler, by) => {
                for replica in self.all_replicas() {
                    self.set_clock(replica, by)?;
                }
            }
            Fault::Clock(Process::Writer, by) => self.writer.ahead += by,
            Fault::Clock(Process::Issuer, by) => {
                self.issuer.ahead += by;
                self.all_replicas().for_each(|replica| self.compare_clocks(replica));
                (0..self.town.shoots.len()).for_each(|shoot| self.look_in_turn(shoot));
            }
            Fault::CutWriter => self.all_replicas().for_each(|replica| self.cut_writer(replica)),
            Fault::CutIssuer => self.all_replicas().for_each(|replica| self.cut_issuer(replica)),
            Fault::Replica(replica, fault) => self.replica_fault_begins(replica, fault)?,
            Fault::CutIssuing => self.links.writer_to_issuer = false,
            Fault::SlowStream(by) => self.links.lag = by,
        }
        Ok(())
    }

    pub(super) fn outage_ends(&mut self, number: usize) -> Result<(), Broke> {
        let outage = self.outages[number];
        self.trace.of_world(self.now, number as u64, Step::Ended, outage.length);
        match outage.fault {
            Fault::ShootAway(shoot)
            | Fault::ShootHibernates(shoot)
            | Fault::ShootFrozen(shoot)
            | Fault::ShootSlow(shoot)
            | Fault::ShootThrottles(shoot)
            | Fault::ShootErrs(shoot) => self.turn(shoot, Health::Well),
            Fault::KeyExchange(shoot) => {
                self.shoots[shoot].has_former_key = false;
                self.look_in_turn(shoot);
            }
            Fault::SeedAway | Fault::SeedSlow | Fault::SeedThrottles | Fault::SeedBusy => {
                self.seed_turns(seed::Health::Well);
            }
            Fault::Crash(Process::Scheduler) => {
                self.all_replicas().for_each(|replica| self.replica_starts(replica));
            }
            Fault::Crash(Process::Writer) => self.writer_starts(Ms::MAX),
            Fault::CrashIntoStale(by) => self.writer_starts(self.now - by),
            Fault::Crash(Process::Issuer) => {
                self.issuer.start();
                self.look_at_all();
                self.all_replicas().for_each(|replica| self.reopen(replica));
            }
            Fault::CutWriter => self.all_replicas().for_each(|replica| self.mend_writer(replica)),
            Fault::CutIssuer => self.all_replicas().for_each(|replica| self.mend_issuer(replica)),
            Fault::Replica(replica, fault) => self.replica_fault_ends(replica, fault)?,
            Fault::CutIssuing => self.links.writer_to_issuer = true,
            Fault::SlowStream(_) => self.links.lag = LAG,
            Fault::ShootClock(..) | Fault::Clock(..) => {}
        }
        self.desk.fault(self.now, outage.fault, false);
        if outage.fault.is_outage() {
            self.recover(outage);
        }
        if self.is_beyond_budget(outage) {
            self.excuse(outage, false);
        }
        Ok(())
    }

    pub(super) fn all_replicas(&self) -> Range<usize> {
        0..self.schedulers.len()
    }

    pub(super) fn cut_writer(&mut self, replica: usize) {
        let scheduler = &mut self.schedulers[replica];
        scheduler.reaches.writer = false;
        self.agenda.put(self.now + KEEP_ALIVE, What::NoticeCut(replica, scheduler.epoch));
    }

    pub(super) fn mend_writer(&mut self, replica: usize) {
        self.schedulers[replica].reaches.writer = true;
        self.lose_records(replica); // also where it had not been noticed
        self.reopen(replica);
    }

    pub(super) fn cut_issuer(&mut self, replica: usize) {
        self.schedulers[replica].reaches.issuer = false;
        self.lose_shoots(replica);
    }

    pub(super) fn mend_issuer(&mut self, replica: usize) {
        self.schedulers[replica].reaches.issuer = true;
        self.reopen(replica);
    }

    /// Whether lifetimes cannot bridge it: a token has a fifth of its life left when it must have been
    /// renewed.
    fn is_beyond_budget(&self, outage: Outage) -> bool {
        let least = match outage.fault.scope() {
            Scope::Shoot(shoot) => self.town.shoots[shoot].grants,
            Scope::All => self.town.shoots.iter().map(|home| home.grants).min().unwrap_or(0),
        };
        outage.fault.is_outage() && outage.length > least / 5
    }

    fn turn(&mut self, shoot: usize, health: Health) {
        self.shoots[shoot].health = health;
        self.look_in_turn(shoot);
    }

    fn writer_starts(&mut self, view: Ms) {
        self.writer.start(view);
        let first_set = self.now + LIST;
        if view != Ms::MAX {
            let after = self.draw.between(LIST, STALE_FOR);
            self.agenda.put(self.now + after, What::CatchUp(self.writer.epoch));
        }
        for replica in self.all_replicas() {
            let after = self.draw.between(0, 3 * SECOND);
            self.agenda.put(first_set + after, What::OpenRecords(replica));
        }
    }

    /// What was between token and write is lost, or was on its way already.
    fn writer_crashes(&mut self) -> Result<(), Broke> {
        self.all_replicas().for_each(|replica| self.lose_records(replica));
        for number in self.flights.numbers() {
            self.abandon(number);
            let has_token = self.flights.get(number).token.is_some();
            self.flights.get(number).is_orphan = has_token && self.draw.chance(0.5);
        }
        self.writer.crash();
        Ok(())
    }

    pub(super) fn notice_cut(&mut self, replica: usize, epoch: u32) {
        let scheduler = &self.schedulers[replica];
        if epoch == scheduler.epoch && scheduler.is_up {
            self.lose_writer(replica);
        }
    }

    /// The connections of a replica to the secret-writer are broken.
    pub(super) fn lose_writer(&mut self, replica: usize) {
        self.lose_records(replica);
        for number in self.flights.numbers() {
            if self.flights.get(number).replica == replica {
                self.abandon(number);
            }
        }
    }
}
