//! The limits of the fleet and of each shoot, and the calls that hang.
//!
//! A call that takes much longer than usual *hangs*. While one does, its shoot gets no other, and
//! the call leaves the places that all share: so shoots that freeze hold up the others for no longer
//! than it takes to notice. Calls that hang have places of their own, [`HANGING_SHARE`] for each that
//! all share, so that everything under way still has a bound.
//!
//! A shoot is judged by how its calls end and how long they take; what all share by what the seed
//! and our own services say, and by answers that are slow whichever shoot they came from.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    failure::Kind,
    invariants::limits_never_exceeded,
    limits::{Answer, Crowd, Gate, Most, Turn},
    name::SecretRef,
    shoot::ShootId,
};

use super::{
    Fleet,
    attempts::{Blame, Fault, elapsed},
    members::Member,
};

mod view;

pub use view::{ShootLimits, View};

/// Calls that hang, for each place that all share. With the default of 64 that makes 256 in all, which
/// is what secret-writer and token-issuer take at once.
const HANGING_SHARE: usize = 3;

/// What all shoots share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub gate: Gate,
    crowd: Crowd,
    /// Calls that hang and hold no place any more.
    pub aside: usize,
}

/// How a call that is under way stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hang {
    #[default]
    No,
    /// It hangs, and still holds a place: there are too many that hang.
    InPlace,
    /// It hangs, and holds none.
    Aside,
}

/// Whom an answer says something of.
enum Heard {
    Shoot(Answer),
    All(Answer),
    Nobody,
}

impl Heard {
    fn of(fault: &Fault) -> Self {
        let busy = matches!(fault.reason.as_str(), "RENEWALS_IN_FLIGHT_MAX" | "ISSUER_BUSY");
        match fault.kind {
            _ if fault.blame == Blame::Writer => Self::Nobody,
            Kind::Throttled if busy || is_of_seed(fault) => Self::All(Answer::Throttled),
            Kind::Throttled => Self::Shoot(Answer::Throttled),
            // One call of the seed that hangs is no reason to let go of all the others.
            Kind::TimedOut | Kind::Unavailable if is_of_seed(fault) => Self::All(Answer::Slow),
            Kind::TimedOut => Self::Shoot(Answer::TimedOut),
            Kind::Unavailable if fault.reason.starts_with("API_SERVER_") => {
                Self::Shoot(Answer::Slow)
            }
            Kind::Unavailable
            | Kind::Invalid
            | Kind::NotFound
            | Kind::Denied
            | Kind::Changed
            | Kind::Held
            | Kind::Internal => Self::Nobody,
        }
    }
}

fn is_of_seed(fault: &Fault) -> bool {
    fault.reason.starts_with("SEED_")
}

/// A call that has ended, and what it took for a token that was written.
pub(super) struct Call<'a> {
    pub number: u64,
    pub hang: Hang,
    pub outcome: Result<Option<Duration>, &'a Fault>,
}

impl Fleet {
    /// What all shoots share, divided among the replicas of the scheduler. A shoot has one replica, so
    /// its own limits are whole.
    pub(super) fn most(&self) -> Most {
        let share = self.ownership.share();
        #[expect(clippy::cast_precision_loss, reason = "there are no 2^52 replicas")]
        let per_second = f64::from(self.settings.rate_max.get()) / share as f64;
        Most { in_flight: self.settings.in_flight_max.div_ceil(share), per_second }
    }

    pub(super) fn most_of_shoot(&self) -> Most {
        let per_second = f64::from(self.settings.rate_per_shoot_max.get());
        Most { in_flight: self.settings.in_flight_per_shoot_max, per_second }
    }

    /// Orders that hold one of the places that all share.
    pub(super) fn in_places(&self) -> usize {
        self.flights.len() - self.shared.aside
    }

    /// Whether what all share leaves room for one more.
    pub(super) fn admits(&self, now: Timestamp) -> bool {
        self.shared.gate.admits(now, self.in_places(), self.most())
    }

    /// Whether this shoot leaves room for one more.
    pub(super) fn shoot_admits(&self, now: Timestamp, shoot: &ShootId) -> bool {
        self.members.shoot(shoot).is_some_and(|member| member.admits(now, self.most_of_shoot()))
    }

    /// One more goes to this shoot.
    pub(super) fn spend(&mut self, now: Timestamp, shoot: &ShootId) {
        let (most, most_of_shoot) = (self.most(), self.most_of_shoot());
        self.shared.gate.rate.spend(now, most.per_second);
        if let Some(member) = self.members.shoot_mut(shoot) {
            member.in_flight += 1;
            member.gate.rate.spend(now, most_of_shoot.per_second);
        }
    }

    /// Looks for calls that hang. To be called before orders are given.
    pub(super) fn notice_hanging(&mut self, now: Timestamp) {
        let others = self.shared.gate.usual;
        let limit = self.shared.gate.concurrency.limit(self.most().in_flight);
        for (secret, flight) in &mut self.flights {
            if flight.hang == Hang::Aside {
                continue;
            }
            let Some(member) = self.members.shoot_mut(&secret.namespace) else { continue };
            if elapsed(flight.since, now) <= member.gate.usual.patience(others) {
                continue;
            }
            member.hanging += usize::from(flight.hang == Hang::No);
            flight.hang = Hang::InPlace;
            if self.shared.aside < limit * HANGING_SHARE {
                self.shared.aside += 1;
                flight.hang = Hang::Aside;
            }
        }
    }

    /// The clock was set back: what began in the future begins now.
    pub(super) fn set_limits_back(&mut self, now: Timestamp) {
        self.flights.values_mut().for_each(|flight| flight.since = flight.since.min(now));
        self.shared.gate.rate.set_back(now);
        self.members.shoots_mut().for_each(|member| member.gate.rate.set_back(now));
    }

    /// A call has ended: its places are free, and the limits learn from it.
    pub(super) fn landed(&mut self, now: Timestamp, secret: &SecretRef, call: &Call<'_>) {
        self.shared.aside -= usize::from(call.hang == Hang::Aside);
        if let Some(member) = self.members.shoot_mut(&secret.namespace) {
            member.in_flight -= 1;
            member.hanging -= usize::from(call.hang != Hang::No);
        }
        let turn = Turn { call: call.number, newest: self.attempts };
        match call.outcome {
            Ok(None) => {}
            Ok(Some(took)) => self.hear_answer(now, &secret.namespace, turn, took),
            Err(fault) => self.hear_fault(now, &secret.namespace, turn, fault),
        }
    }

    fn hear_answer(&mut self, now: Timestamp, shoot: &ShootId, turn: Turn, took: Duration) {
        let (most, most_of_shoot) = (self.most(), self.most_of_shoot());
        let Shared { gate: shared, crowd, .. } = &mut self.shared;
        let Some(Member { gate, .. }) = self.members.shoot_mut(shoot) else { return };
        let is_slow = took > gate.usual.patience(shared.usual);
        let answer = if is_slow { Answer::Slow } else { Answer::Quick };
        gate.usual.take_in(took);
        gate.hear(now, turn, answer, most_of_shoot);
        shared.usual.take_in(took);
        if let Some(answer) = crowd.hear(shoot, answer) {
            shared.hear(now, turn, answer, most);
        }
    }

    fn hear_fault(&mut self, now: Timestamp, shoot: &ShootId, turn: Turn, fault: &Fault) {
        match Heard::of(fault) {
            Heard::Nobody => {}
            Heard::Shoot(answer) => {
                let most = self.most_of_shoot();
                let Some(member) = self.members.shoot_mut(shoot) else { return };
                member.gate.hear(now, turn, answer, most);
            }
            // Its Retry-After is that of the Secret; the others go on, slower.
            Heard::All(answer) => self.shared.gate.hear(now, turn, answer, self.most()),
        }
    }

    pub(super) fn keeps_limits(&self) -> bool {
        let (all, each) = (self.settings.in_flight_max, self.settings.in_flight_per_shoot_max);
        limits_never_exceeded(self.in_places(), all).is_ok()
            && limits_never_exceeded(self.shared.aside, all * HANGING_SHARE).is_ok()
            && self.members.shoots().all(|m| limits_never_exceeded(m.in_flight, each).is_ok())
    }
}

impl Member {
    /// Whether one more may go to this shoot.
    pub(super) fn admits(&self, now: Timestamp, most: Most) -> bool {
        !self.pause.is_some_and(|pause| pause.holds(now))
            && (self.hanging == 0 || self.in_flight == 0)
            && self.gate.admits(now, self.in_flight, most)
    }
}
