//! One renewal, from the order to the answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    invariants::{
        limits_never_exceeded, no_call_between_renewals,
        no_usable_token_replaced_by_one_that_does_not_fit,
    },
    issued::Issued,
    reason::Reason,
    record::{Held, Record, Stamp},
    storm::Memory,
    token::{Claims, TokenHash},
    window::Plan,
};
use perennial_fleet::order::Order;

use super::{Broke, What, World, replicas::Mail};
use crate::{
    issuer::LOOK_LIMIT,
    ledger::Cause,
    refusal::Refusal,
    seed::Reply as SeedReply,
    shoot::{Health, Reply},
    time::{Ms, SECOND, stamp},
    trace::Step,
};

/// How far a clock that decides may be ahead of what it was told: `Date` has whole seconds, an
/// offset is told when it has moved by 2 s, and two clocks count as one up to 10 s apart.
const CLOCK_SLACK: Ms = 13 * SECOND;

/// Renewals under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    all: Vec<Option<Flight>>,
    free: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Flight {
    pub secret: usize,
    pub order: Order,
    /// Which replica of the scheduler ordered it.
    pub replica: usize,
    /// Which starts of the three processes it belongs to.
    pub scheduler: u32,
    pub writer: u32,
    pub issuer: u32,
    /// Noted when it was permitted; the secret-writer had not begun without.
    pub memory: Option<Memory>,
    /// The token, and when it was got by the secret-writer's clock, and in truth.
    pub token: Option<(Claims, Timestamp, Ms)>,
    /// The scheduler waits for its end.
    pub is_awaited: bool,
    /// The secret-writer died when its patch was on its way.
    pub is_orphan: bool,
}

impl Flights {
    fn add(&mut self, flight: Flight) -> usize {
        match self.free.pop() {
            Some(number) => {
                self.all[number] = Some(flight);
                number
            }
            None => {
                self.all.push(Some(flight));
                self.all.len() - 1
            }
        }
    }

    pub(super) fn get(&mut self, number: usize) -> &mut Flight {
        self.all[number].as_mut().expect("events of a flight come before its end")
    }

    fn end(&mut self, number: usize) -> Flight {
        self.free.push(number);
        self.all[number].take().expect("a flight ends once")
    }

    pub(super) fn numbers(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|number| self.all[*number].is_some()).collect()
    }
}

impl World {
    /// The scheduler orders, the secret-writer permits, the shoot is asked.
    pub(super) fn carry_out(&mut self, replica: usize, order: Order) -> Result<(), Broke> {
        let secret = self.town.number(&order.secret).expect("orders are of Secrets of the town");
        let shoot = self.town.secrets[secret].shoot;
        self.trace.of_secret(self.now, secret, Step::Ordered, order.reason as i64);
        let (total, of_shoot) = self.count(replica, shoot);
        self.note_takeover(replica, shoot);
        limits_never_exceeded(total, self.limits.0)
            .and_then(|()| limits_never_exceeded(of_shoot, self.limits.1))
            .map_err(|broken| (secret, broken))?;
        let number = self.flights.add(Flight {
            secret,
            order,
            replica,
            scheduler: self.schedulers[replica].epoch,
            writer: self.writer.epoch,
            issuer: self.issuer.epoch,
            memory: None,
            token: None,
            is_awaited: true,
            is_orphan: false,
        });
        if !self.schedulers[replica].reaches.writer || !self.writer.is_up {
            let at = self.now + self.draw.latency(1, 2);
            self.agenda.put(at, What::Refused(number, Refusal::WriterAway));
            return Ok(());
        }
        let by_writer = stamp(self.now, self.writer.ahead);
        let seen = self.writer.sees(secret, &self.seed.secrets[secret]);
        let order = &self.flights.get(number).order;
        let basis = self.basis_seconds;
        match self.writer.permit(by_writer, secret, (order, basis), seen) {
            Ok(memory) => self.flights.get(number).memory = Some(memory),
            Err(refusal) => {
                self.agenda.put(self.now + 1, What::Refused(number, refusal));
                return Ok(());
            }
        }
        if self.writer.looks_first()
            && let SeedReply::Away(after) = self.seed.ask(&mut self.draw)
        {
            self.agenda.put(self.now + after, What::Failed(number, Refusal::SeedAway));
            return Ok(());
        }
        self.ask_shoot(number, shoot)
    }

    fn ask_shoot(&mut self, number: usize, shoot: usize) -> Result<(), Broke> {
        if !self.links.writer_to_issuer || !self.issuer.is_up {
            let at = self.now + self.draw.latency(1, 2);
            self.agenda.put(at, What::Failed(number, Refusal::IssuerAway));
            return Ok(());
        }
        let flight = self.flights.get(number);
        let (secret, reason, replica) = (flight.secret, flight.order.reason, flight.replica);
        let seen = self.writer.sees(secret, &self.seed.secrets[secret]);
        let ahead = self.shoots[shoot].ahead;
        let slack = self.schedulers[replica].error_of_clock(shoot, ahead).max(0) + CLOCK_SLACK;
        let slack = SignedDuration::from_millis(slack);
        no_call_between_renewals(reason, seen, stamp(self.now, ahead), slack)
            .map_err(|broken| (secret, broken))?;
        if reason == Reason::Requested {
            self.renewed_for_campaign(replica, secret)?;
        }
        self.ledger.early += u64::from(!matches!(reason, Reason::Due | Reason::NothingHeld));
        let (what, after) = match self.shoots[shoot].ask(&mut self.draw) {
            Reply::Token(after) => (What::Issued(number), after),
            Reply::Throttled(after, pause) => {
                let pause = Duration::from_millis(pause.unsigned_abs());
                (What::Failed(number, Refusal::ShootThrottles(pause)), after)
            }
            Reply::Error(after) => (What::Failed(number, Refusal::ShootErrs), after),
            Reply::Silence => (What::Failed(number, Refusal::ShootSilent), LOOK_LIMIT),
            Reply::Gone(after) => (What::Failed(number, Refusal::ShootAway), after),
        };
        self.agenda.put(self.now + after, what);
        Ok(())
    }

    /// The shoot has made a token. Whether anybody gets it is another thing.
    pub(super) fn issued(&mut self, number: usize) -> Result<(), Broke> {
        let Flight { secret, writer, issuer, .. } = *self.flights.get(number);
        let shoot = self.town.secrets[secret].shoot;
        self.trace.of_secret(self.now, secret, Step::Issued, 0);
        self.ledger.issue(self.now, secret).map_err(|broken| (secret, broken))?;
        if writer != self.writer.epoch || !self.writer.is_up {
            return self.lose(number, Some(Cause::WriterCrash), None);
        }
        if issuer != self.issuer.epoch || !self.issuer.is_up || !self.links.writer_to_issuer {
            return self.lose(number, Some(Cause::IssuerLost), Some((0, Refusal::IssuerAway)));
        }
        match self.shoots[shoot].health {
            Health::Frozen => {
                let end = Some((LOOK_LIMIT, Refusal::ShootSilent));
                return self.lose(number, Some(Cause::AnswerLost), end);
            }
            Health::Away => {
                return self.lose(number, Some(Cause::AnswerLost), Some((0, Refusal::ShootAway)));
            }
            Health::Well | Health::Slow | Health::Throttles | Health::Errs => {}
        }
        let claims = self.shoots[shoot].issue(
            self.now,
            &self.town.shoots[shoot],
            &self.town.secrets[secret],
        );
        let by_writer = stamp(self.now, self.writer.ahead);
        self.flights.get(number).token = Some((claims, by_writer, self.now));
        match self.seed.ask(&mut self.draw) {
            SeedReply::Done(after) => {
                self.agenda.put(self.now + after, What::Written(number));
                Ok(())
            }
            SeedReply::Away(after) => {
                self.writer.doubts_seed = true;
                self.lose(number, Some(Cause::SeedAway), Some((after, Refusal::SeedAway)))
            }
        }
    }

    /// A token is lost. Where the secret-writer lives it remembers that, and ends `after` that.
    pub(super) fn lose(
        &mut self,
        number: usize,
        cause: Option<Cause>,
        end: Option<(Ms, Refusal)>,
    ) -> Result<(), Broke> {
        let flight = self.flights.get(number);
        let secret = flight.secret;
        let memory = flight.memory.filter(|_| flight.writer == self.writer.epoch);
        if let Some(memory) = memory.filter(|_| self.writer.is_up) {
            let at = stamp(self.now, self.writer.ahead);
            self.writer.remember(secret, Memory { at, ..memory });
            self.tell_record(secret);
        }
        self.trace.of_secret(self.now, secret, Step::LostToken, cause.map_or(-1, |c| c as i64));
        let lost = self.ledger.lose(secret, cause).map_err(|broken| (secret, broken));
        match end {
            Some((after, refusal)) => {
                self.agenda.put(self.now + after, What::Failed(number, refusal));
            }
            None => drop(self.flights.end(number)),
        }
        lost
    }

    /// A patch reaches the seed.
    pub(super) fn written(&mut self, number: usize) -> Result<(), Broke> {
        let flight = self.flights.get(number);
        let (secret, epoch, is_orphan) = (flight.secret, flight.writer, flight.is_orphan);
        let is_ours = epoch == self.writer.epoch && self.writer.is_up;
        if !is_ours && !is_orphan {
            return self.lose(number, Some(Cause::WriterCrash), None);
        }
        self.writer.doubts_seed &= !is_ours;
        let as_decided = self.seed.secrets[secret].record.digest == flight.order.digest;
        if !as_decided && self.writer.tests_writes() {
            let is_stale = self.writer.view < self.seed.secrets[secret].written;
            let cause = match is_stale {
                _ if is_orphan => Some(Cause::WriterCrash),
                true => Some(Cause::StaleView),
                false if self.seed.secrets[secret].by != epoch => Some(Cause::SecondOwner),
                false => None,
            };
            self.trace.of_secret(self.now, secret, Step::Conflict, 0);
            self.writer.learn(secret);
            let end = is_ours.then_some((0, Refusal::Changed));
            return self.lose(number, cause, end);
        }
        self.write(number)?;
        if is_orphan {
            drop(self.flights.end(number));
            return Ok(());
        }
        self.writer.wrote(secret);
        self.writer.ended(secret);
        self.tell_record(secret);
        let record = self.seed.secrets[secret].record.clone();
        self.answer(number, Ok(record));
        Ok(())
    }

    fn write(&mut self, number: usize) -> Result<(), Broke> {
        let flight = self.flights.get(number);
        let (secret, epoch) = (flight.secret, flight.writer);
        let (claims, at, issued) = flight.token.take().expect("what is written was issued");
        let tenant = &self.town.secrets[secret];
        let shoot_now = stamp(self.now, self.shoots[tenant.shoot].ahead);
        let held = self.seed.secrets[secret].record.held.claims();
        let inputs = tenant.bare.inputs.as_ref().expect("every Secret of the town is valid");
        no_usable_token_replaced_by_one_that_does_not_fit(held, &claims, inputs, shoot_now)
            .map_err(|broken| (secret, broken))?;
        self.replace(secret)?;
        let (tenant, flight) = (&self.town.secrets[secret], self.flights.get(number));
        let memory = flight.memory.expect("what is written was permitted");
        let Order { reason, window, place, attempt, .. } = flight.order;
        let plan = Plan::draw(&claims, self.basis_seconds, window, place);
        let note = Issued {
            sha256: TokenHash::received(format!("{secret:x}-{epoch:x}-{attempt:x}")),
            inputs: tenant.hash.clone(),
            iat: claims.issued_at,
            exp: claims.expires_at,
            kid: claims.key_id.clone(),
            iss: claims.issuer.clone(),
            uid: None,
            renew_at: plan.planned,
            reason,
            at: Timestamp::from_second(at.as_second()).unwrap_or(at),
            streak: memory.streak,
            spent: memory.spent,
            target: None,
            left: Vec::new(),
            generation: None,
        };
        let record = Record {
            held: Held::Token(claims),
            stamp: Stamp::At(plan.latest),
            memory: Some(note.memory()),
            issued: Some(note),
            ..tenant.bare.clone()
        };
        self.seed.write(self.now, secret, (epoch, issued), record);
        self.ledger.write(secret);
        self.recoveries.recovered(self.now, secret);
        self.trace.of_secret(self.now, secret, Step::Written, plan.planned.as_second());
        Ok(())
    }

    /// The secret-writer has given up.
    pub(super) fn failed(&mut self, number: usize, refusal: Refusal) {
        let flight = self.flights.get(number);
        let (secret, is_ours) = (flight.secret, flight.writer == self.writer.epoch);
        if !is_ours || !self.writer.is_up {
            drop(self.flights.end(number));
            return;
        }
        self.writer.ended(secret);
        if matches!(refusal, Refusal::ShootAway | Refusal::ShootSilent) {
            self.look_soon(self.town.secrets[secret].shoot);
        }
        self.answer(number, Err(refusal));
    }

    /// The scheduler hears how it ended, if it still waits for that.
    pub(super) fn answer(&mut self, number: usize, outcome: Result<Record, Refusal>) {
        let Flight { secret, order, replica, scheduler, is_awaited, .. } = self.flights.end(number);
        let of = &self.schedulers[replica];
        let is_heard = is_awaited
            && scheduler == of.epoch
            && of.is_up
            && (of.reaches.writer || matches!(outcome, Err(Refusal::WriterAway)));
        if !is_heard {
            self.trace.of_secret(self.now, secret, Step::AnswerLost, 0);
            return;
        }
        if of.stands.is_some() {
            self.inboxes[replica].push(Mail::Answer(Box::new((secret, order, outcome))));
            return;
        }
        self.answered(replica, secret, &order, outcome);
    }

    pub(super) fn answered(
        &mut self,
        replica: usize,
        secret: usize,
        order: &Order,
        outcome: Result<Record, Refusal>,
    ) {
        let code = outcome.as_ref().map_or_else(|refusal| refusal.code(), |_| 0);
        self.trace.of_secret(self.now, secret, Step::Answered, code);
        let shoot = self.town.secrets[secret].shoot;
        let finished = self.schedulers[replica].finished(self.now, shoot, order, outcome);
        if let Some(late) = finished.and_then(|finished| finished.lateness) {
            let late = Ms::try_from(late.as_millis()).unwrap_or(Ms::MAX);
            self.lateness[self.groups[shoot]].add(late);
        }
    }

    /// The scheduler waits for it no longer: its connection broke.
    pub(super) fn abandon(&mut self, number: usize) {
        let flight = self.flights.get(number);
        let of = &self.schedulers[flight.replica];
        let (epoch, stands) = (of.epoch, of.stands.is_some());
        if flight.scheduler != epoch || !std::mem::take(&mut flight.is_awaited) {
            return;
        }
        let (order, secret, replica) = (flight.order.clone(), flight.secret, flight.replica);
        if stands {
            let gone = Err(Refusal::WriterAway);
            self.inboxes[replica].push(Mail::Answer(Box::new((secret, order, gone))));
            return;
        }
        self.answered(replica, secret, &order, Err(Refusal::WriterAway));
    }
}
