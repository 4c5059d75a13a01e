//! What is to be done about one Secret, and why. Pure: deciding and doing are different things.
//!
//! All comparisons with a token's own times are made by the shoot's clock, which is ours plus the
//! offset that the shoot's answers show.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    inputs::{Inputs, Refusal},
    reason::Reason,
    record::{Held, Obstacle, Record, Stamp},
    shoot::{Reach, ShootStatus},
    signing::Outdated,
    token::Claims,
    window::{self, Window},
};

mod account;
mod clock;
mod generation;
mod repair;
mod target;

pub use generation::{bound_to, decide_revoked, ends, generation_wanted, grace_made, grace_of};
pub use target::{AsSeen, as_seen};

#[cfg(test)]
mod tests;

use account::Look;
use clock::ShootClock;

/// What is to be done about a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, until this moment.
    Keep {
        /// When it is to be looked at again: the moment of renewal.
        until: Timestamp,
    },
    /// Renew it now; or repair it, where the reason needs no token.
    Renew(Reason),
    /// It should be renewed, but another token so soon would be a storm (B12).
    Hold {
        /// When it may be.
        until: Timestamp,
        /// Why it should be.
        reason: Reason,
    },
    /// It asks for something impossible; nothing until somebody corrects it (B10).
    Invalid(Refusal),
    /// It cannot be written; nothing until that changes (B11).
    Obstructed(Obstacle),
    /// It should be renewed, but its shoot cannot be asked.
    WaitForShoot {
        /// Why it should be.
        reason: Reason,
        /// What keeps us.
        why: Away,
    },
}

/// Why a shoot cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Away {
    /// No token-issuer knows it: the Secrets of contract F are missing in its namespace.
    NotKnown,
    /// It does not answer or takes none of our credentials.
    Unreachable,
    /// It answers, but the ServiceAccount is being deleted: it would issue tokens that it refuses.
    AccountTerminating,
    /// It was not looked at yet, and only its clock can say whether the token's moment has come.
    NotLookedAt,
    /// Its API server is shut down on purpose, whoever runs it says.
    Hibernated,
}

/// Settings of the scheduler that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `--renewal-basis` (B4), in seconds.
    pub basis_seconds: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { basis_seconds: window::BASIS_DEFAULT_SECONDS }
    }
}

/// What is known of the shoot of a Secret.
#[derive(Clone, Copy, Debug)]
pub enum ShootView<'a> {
    /// The token-issuer's stream is down: nothing is known, so nothing is held back for it.
    Unknown,
    /// The stream is complete and this shoot is not in it.
    Missing,
    /// Its last state.
    Seen(&'a ShootStatus),
}

/// Decides about one Secret. Deterministic; the same record, shoot, policy and moment always give
/// the same answer, and a decision to renew stays one until the record changes.
#[must_use]
pub fn decide(now: Timestamp, record: &Record, shoot: ShootView<'_>, policy: &Policy) -> Decision {
    let seen = as_seen(now, record, shoot);
    let record = seen.record.as_ref();
    let decision = decide_as_seen(now, &seen, shoot, policy);
    let (&Decision::Keep { until }, Ok(inputs)) = (&decision, &record.inputs) else {
        return decision;
    };
    // Whoever fights over labels or a CA must not keep tokens alive that are revoked.
    let older_go_at = generation::older_go_at(record, inputs, shoot);
    if older_go_at.is_some_and(|at| at <= now) {
        return permit(now, record, inputs, shoot, policy, Reason::GenerationLeft);
    }
    if let Some(reason) = repair::wanted(record, inputs, shoot) {
        return permit(now, record, inputs, shoot, policy, reason);
    }
    Decision::Keep { until: older_go_at.into_iter().fold(until, Timestamp::min) }
}

/// Decides about the token of one Secret, and leaves aside what needs none: for a Secret whose
/// repair has to wait.
#[must_use]
pub fn decide_token(
    now: Timestamp,
    record: &Record,
    shoot: ShootView<'_>,
    policy: &Policy,
) -> Decision {
    decide_as_seen(now, &as_seen(now, record, shoot), shoot, policy)
}

fn decide_as_seen(
    now: Timestamp,
    seen: &AsSeen<'_>,
    shoot: ShootView<'_>,
    policy: &Policy,
) -> Decision {
    let record = seen.record.as_ref();
    if let Some(obstacle) = record.obstacle {
        return Decision::Obstructed(obstacle);
    }
    let inputs = match &record.inputs {
        Ok(inputs) => inputs,
        Err(invalid) => return Decision::Invalid(invalid.clone()),
    };
    let clock = ShootClock::of(now, shoot);
    match wanted(record, inputs, clock, policy) {
        // By our own clock a restart would re-issue a fleet whenever two clocks disagree.
        Wanted::Now(reason) if reason.is_by_the_clock() && is_to_be_looked_at(shoot) => {
            Decision::WaitForShoot { reason, why: Away::NotLookedAt }
        }
        Wanted::Now(reason) => permit(now, record, inputs, shoot, policy, reason),
        Wanted::Later(until) => {
            let until = seen.again.into_iter().fold(clock.ours(until), Timestamp::min);
            let look = account::look(now, record, inputs, shoot, clock);
            let look = look.or_else(|| generation::look(now, record, inputs, shoot, clock));
            match look {
                Look::Fits => Decision::Keep { until },
                Look::Again(at) => Decision::Keep { until: until.min(at) },
                Look::Lost(reason) => permit(now, record, inputs, shoot, policy, reason),
            }
        }
    }
}

/// Decides about one Secret that an operator wants renewed whether it is due or not. What is
/// impossible, held or away stays so.
#[must_use]
pub fn decide_requested(
    now: Timestamp,
    record: &Record,
    shoot: ShootView<'_>,
    policy: &Policy,
) -> Decision {
    match (decide_token(now, record, shoot, policy), &record.inputs) {
        (Decision::Keep { .. }, Ok(inputs)) => {
            permit(now, record, inputs, shoot, policy, Reason::Requested)
        }
        (decision, _) => decision,
    }
}

/// Decides about the token-issuer's own Secret of a shoot (section F). One that the shoot refuses is
/// replaced whatever its claims say. Where no credential holds it is tried all the same: what comes
/// of that is told to whoever can end it.
#[must_use]
pub fn decide_own(
    now: Timestamp,
    record: &Record,
    shoot: ShootView<'_>,
    policy: &Policy,
) -> Decision {
    let asked;
    let view = match shoot {
        ShootView::Seen(status) if status.reach == Reach::Refused => {
            asked = ShootStatus { reach: Reach::Unknown, ..status.clone() };
            ShootView::Seen(&asked)
        }
        other => other,
    };
    match (decide_token(now, record, view, policy), &record.inputs) {
        (Decision::Keep { .. }, Ok(inputs)) if is_refused(record, view) => {
            permit(now, record, inputs, view, policy, Reason::OwnRefused)
        }
        _ => decide(now, record, view, policy),
    }
}

/// Whether it is this very token that the shoot refuses, and not the one before.
fn is_refused(record: &Record, shoot: ShootView<'_>) -> bool {
    let ShootView::Seen(ShootStatus { own_refused: Some(refused), .. }) = shoot else {
        return false;
    };
    record.held.claims().is_some_and(|claims| claims.issued_at == *refused)
}

/// Decides about one Secret whose token is outdated by what its shoot says as a whole. What is
/// renewed anyway, impossible, held or away stays so; a repair comes after the token.
#[must_use]
pub fn decide_outdated(
    now: Timestamp,
    record: &Record,
    shoot: ShootView<'_>,
    policy: &Policy,
    outdated: Outdated,
) -> Decision {
    match (decide_token(now, record, shoot, policy), &record.inputs) {
        (Decision::Keep { .. }, Ok(inputs)) if outdated.at <= now => {
            permit(now, record, inputs, shoot, policy, outdated.reason)
        }
        (Decision::Keep { .. }, _) => match decide(now, record, shoot, policy) {
            Decision::Keep { until } => Decision::Keep { until: until.min(outdated.at) },
            repair => repair,
        },
        (decision, _) => decision,
    }
}

/// Whether its clock is about to be seen: a first look is taken within seconds, and where it fails
/// the shoot is unreachable.
fn is_to_be_looked_at(shoot: ShootView<'_>) -> bool {
    matches!(shoot, ShootView::Seen(status)
        if status.reach == Reach::Unknown
            && !status.hibernated
            && status.clock_offset.is_none()
            && status.checked_at.is_none())
}

enum Wanted {
    Later(Timestamp), // by the shoot's clock
    Now(Reason),
}

fn wanted(record: &Record, inputs: &Inputs, clock: ShootClock, policy: &Policy) -> Wanted {
    let claims = match &record.held {
        Held::Nothing => return Wanted::Now(Reason::NothingHeld),
        Held::Unreadable => return Wanted::Now(Reason::Unreadable),
        Held::Damaged(_) => return Wanted::Now(Reason::Damaged),
        Held::InTarget => return wanted_by_stamp(record.stamp, clock),
        Held::Token(claims) => claims,
    };
    if let Some(reason) = misfit(claims, record, inputs) {
        return Wanted::Now(reason);
    }
    if clock.has_passed(claims.expires_at) && !clock.may_be_wrong_about(record.stamp) {
        return Wanted::Now(Reason::Expired);
    }
    let stamp = match record.stamp {
        Stamp::Absent => return Wanted::Now(Reason::TimestampRemoved),
        Stamp::Unreadable => return Wanted::Now(Reason::TimestampUnreadable),
        Stamp::At(stamp) => stamp,
    };
    let planned = planned(claims, record, policy);
    match (clock.has_passed(planned), clock.has_passed(stamp)) {
        (true, _) => Wanted::Now(Reason::Due),
        // Without a note the timestamp is the plan, whoever wrote it.
        (false, true) if record.issued.is_none() => Wanted::Now(Reason::Due),
        (false, true) => Wanted::Now(Reason::TimestampForward),
        (false, false) => Wanted::Later(planned.min(stamp)),
    }
}

/// Nobody has looked at the target yet: whoever wrote the timestamp is believed until then.
fn wanted_by_stamp(stamp: Stamp, clock: ShootClock) -> Wanted {
    match stamp {
        Stamp::Absent => Wanted::Now(Reason::TimestampRemoved),
        Stamp::Unreadable => Wanted::Now(Reason::TimestampUnreadable),
        Stamp::At(stamp) if clock.has_passed(stamp) => Wanted::Now(Reason::Due),
        Stamp::At(stamp) => Wanted::Later(stamp),
    }
}

/// Whether the token is one for this Secret at all, by its own claims (contract, section C).
fn misfit(claims: &Claims, record: &Record, inputs: &Inputs) -> Option<Reason> {
    let as_asked = inputs.audiences.is_empty() || claims.audiences == inputs.audiences;
    let audiences_differ = !as_asked && {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list.dedup();
            list
        };
        sorted(&claims.audiences) != sorted(&inputs.audiences)
    };
    let is_bound = || bound_to(record).is_some();
    let inputs_differ = record.issued.as_ref().is_some_and(|note| note.inputs != inputs.hash())
        || (inputs.revocable && !is_bound());
    if claims.account != inputs.account {
        Some(Reason::OtherAccount)
    } else if audiences_differ {
        Some(Reason::OtherAudiences)
    } else {
        inputs_differ.then_some(Reason::InputsChanged)
    }
}

/// The moment of renewal without the timestamp: our own plan, never past *latest*; for a token
/// that somebody else wrote, the end of what the reference allows itself (B4).
fn planned(claims: &Claims, record: &Record, policy: &Policy) -> Timestamp {
    match &record.issued {
        Some(note) => note.renew_at.min(window::latest(claims, policy.basis_seconds)),
        None => window::latest_of_reference(claims),
    }
}

fn permit(
    now: Timestamp,
    record: &Record,
    inputs: &Inputs,
    shoot: ShootView<'_>,
    policy: &Policy,
    reason: Reason,
) -> Decision {
    let away = match shoot {
        ShootView::Missing => Some(Away::NotKnown),
        ShootView::Seen(status) if status.hibernated => Some(Away::Hibernated),
        ShootView::Seen(status) => match status.reach {
            Reach::Unreachable | Reach::Refused => Some(Away::Unreachable),
            Reach::Reachable | Reach::Unknown => {
                account::is_terminating(status, inputs).then_some(Away::AccountTerminating)
            }
        },
        ShootView::Unknown => None,
    };
    if !reason.needs_token() {
        return match away {
            Some(why) => Decision::WaitForShoot { reason, why },
            None => Decision::Renew(reason),
        };
    }
    let ordinary = ordinary_interval(record, inputs, policy.basis_seconds, Window::ORDINARY);
    let hold = record.memory.and_then(|memory| {
        let hold = |asked| memory.hold_until(now, ordinary, asked);
        hold(false).and_then(|_| hold(record.is_asked_for())) // who asks is held no longer than who does not
    });
    match (hold, away) {
        // Nobody is held for what nobody would be given.
        (_, Some(why @ Away::Hibernated)) => Decision::WaitForShoot { reason, why },
        (Some(until), _) => Decision::Hold { until, reason },
        (None, Some(why)) => Decision::WaitForShoot { reason, why },
        (None, None) => Decision::Renew(reason),
    }
}

/// The shortest ordinary interval between two renewals of this Secret: from `iat` to the begin of
/// its window. Pauses against a storm never grow beyond it (B12).
#[must_use]
pub fn ordinary_interval(
    record: &Record,
    inputs: &Inputs,
    basis_seconds: i64,
    window: Window,
) -> Duration {
    let granted = record.held.claims().map_or(inputs.lifetime_seconds, Claims::granted_seconds);
    Duration::from_secs_f64(window.begin_offset(granted, basis_seconds).max(0.0))
}
