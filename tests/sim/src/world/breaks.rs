//! Outages begin and end.

use super::{Broke, What, World};
use crate::{
    faults::{Fault, Outage, Process, Scope},
    seed,
    shoot::Health,
    time::{Ms, SECOND},
    trace::Step,
};

/// Without an answer to a ping for so long a connection counts as broken: 10 s and 5 s.
const KEEP_ALIVE: Ms = 15 * SECOND;
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
            Fault::SeedAway => self.seed.health = seed::Health::Away,
            Fault::SeedSlow => self.seed.health = seed::Health::Slow,
            Fault::SeedThrottles => self.seed.health = seed::Health::Throttles,
            Fault::SeedBusy => self.seed.health = seed::Health::Busy,
            Fault::Crash(Process::Scheduler) => self.scheduler.is_up = false,
            Fault::Crash(Process::Writer) | Fault::CrashIntoStale(_) => self.writer_crashes()?,
            Fault::Crash(Process::Issuer) => {
                self.issuer.is_up = false;
                self.scheduler.lose_shoots(self.now);
            }
            Fault::Clock(Process::Scheduler, by) => {
                self.scheduler.set_clock(self.scheduler.ahead + by);
                self.compare_clocks();
            }
            Fault::Clock(Process::Writer, by) => self.writer.ahead += by,
            Fault::Clock(Process::Issuer, by) => {
                self.issuer.ahead += by;
                self.compare_clocks();
                (0..self.town.shoots.len()).for_each(|shoot| self.look_in_turn(shoot));
            }
            Fault::CutWriter => {
                self.links.scheduler_to_writer = false;
                self.agenda.put(self.now + KEEP_ALIVE, What::NoticeCut(self.scheduler.epoch));
            }
            Fault::CutIssuer => {
                self.links.scheduler_to_issuer = false;
                self.scheduler.lose_shoots(self.now);
            }
            Fault::CutIssuing => self.links.writer_to_issuer = false,
            Fault::SlowStream(by) => self.links.lag = by,
        }
        Ok(())
    }

    pub(super) fn outage_ends(&mut self, number: usize) {
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
                self.seed.health = seed::Health::Well;
            }
            Fault::Crash(Process::Scheduler) => {
                self.scheduler.start(self.now);
                self.reopen();
            }
            Fault::Crash(Process::Writer) => self.writer_starts(Ms::MAX),
            Fault::CrashIntoStale(by) => self.writer_starts(self.now - by),
            Fault::Crash(Process::Issuer) => {
                self.issuer.start();
                self.look_at_all();
                self.reopen();
            }
            Fault::CutWriter => {
                self.links.scheduler_to_writer = true;
                self.scheduler.lose_records(self.now); // also where it had not been noticed
                self.reopen();
            }
            Fault::CutIssuer => {
                self.links.scheduler_to_issuer = true;
                self.reopen();
            }
            Fault::CutIssuing => self.links.writer_to_issuer = true,
            Fault::SlowStream(_) => self.links.lag = LAG,
            Fault::ShootClock(..) | Fault::Clock(..) => {}
        }
        if outage.fault.is_outage() {
            self.recover(outage);
        }
        if self.is_beyond_budget(outage) {
            self.excuse(outage, false);
        }
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
        let after = self.draw.between(0, 3 * SECOND);
        self.agenda.put(first_set + after, What::OpenRecords);
    }

    /// What was between token and write is lost, or was on its way already.
    fn writer_crashes(&mut self) -> Result<(), Broke> {
        self.scheduler.lose_records(self.now);
        for number in self.flights.numbers() {
            self.abandon(number);
            let has_token = self.flights.get(number).token.is_some();
            self.flights.get(number).is_orphan = has_token && self.draw.chance(0.5);
        }
        self.writer.crash();
        Ok(())
    }

    pub(super) fn notice_cut(&mut self, scheduler: u32) {
        if scheduler != self.scheduler.epoch || !self.scheduler.is_up {
            return;
        }
        self.scheduler.lose_records(self.now);
        self.flights.numbers().into_iter().for_each(|number| self.abandon(number));
    }
}
