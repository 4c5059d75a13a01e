//! Whether the generation that the token is bound to is there, and whether one goes (section D).
//!
//! What was seen counts as with accounts: see [`speaks_against`].

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Decision, Policy, ShootClock, ShootView,
    account::{Look, speaks_against},
    decide, decide_token, permit,
};
use crate::{
    generation::{Ends, Family, GRACE_DEFAULT, GenerationsSeen, Noted, Number},
    inputs::Inputs,
    reason::Reason,
    record::Record,
};

/// The generation that the token of a Secret is bound to; `None` where it can not be revoked.
#[must_use]
pub fn bound_to(record: &Record) -> Option<Number> {
    let (claims, inputs) = (record.held.claims()?, record.inputs.as_ref().ok()?);
    let family = Family::new(&inputs.account.namespace, &record.secret);
    family.number(&claims.bound.as_ref()?.name)
}

/// The generation that the next token is to be bound to at least: that of the present one, unless a
/// newer one is there or all up to `revoked` are to go; 0 where nothing is known of any.
#[must_use]
pub fn generation_wanted(record: &Record, shoot: ShootView<'_>, revoked: Option<Number>) -> Number {
    let Ok(inputs) = &record.inputs else { return 0 };
    let newest = seen(record, inputs, shoot).and_then(GenerationsSeen::newest);
    let newest = newest.map(|generation| generation.number);
    let after = revoked.map(|revoked| revoked.saturating_add(1));
    [bound_to(record), newest, after].into_iter().flatten().max().unwrap_or(0)
}

/// What the generations say of a token. Where a newer one is there, somebody began to revoke the
/// token's and did not come to its end.
pub(super) fn look(
    now: Timestamp,
    record: &Record,
    inputs: &Inputs,
    shoot: ShootView<'_>,
    clock: ShootClock,
) -> Look {
    let (Some(seen), Some(claims)) = (seen(record, inputs, shoot), record.held.claims()) else {
        return Look::Fits;
    };
    let (Some(number), Some(bound)) = (bound_to(record), claims.bound.as_ref()) else {
        return Look::Fits;
    };
    let speaks = match seen.newest() {
        _ if !seen.has(number, &bound.uid) => (seen.at, Reason::GenerationGone),
        // Also where it was seen before the token was made: that was on its way when somebody began.
        Some(newest) if newest.number > number => {
            (seen.at.max(clock.ours(claims.issued_at)), Reason::Revoked)
        }
        Some(_) | None => return Look::Fits,
    };
    speaks_against(now, record, claims, speaks, clock)
}

/// When the next generation goes that is older than the token's, by our clock; `None` where there is
/// none.
pub(super) fn older_go_at(
    record: &Record,
    inputs: &Inputs,
    shoot: ShootView<'_>,
) -> Option<Timestamp> {
    let (seen, present) = (seen(record, inputs, shoot)?, bound_to(record)?);
    let oldest = seen.present.first().map(|oldest| oldest.number);
    ends(record, shoot).of(oldest.filter(|oldest| *oldest < present)?)
}

/// Until when each generation older than the token's may live, by our clock, whether it is left or
/// not; nothing without a token of ours that is bound to one.
#[must_use]
pub fn ends(record: &Record, shoot: ShootView<'_>) -> Ends {
    let (Some(note), Some(number)) = (record.issued.as_ref(), bound_to(record)) else {
        return Ends::default();
    };
    let usual = note.at.checked_add(grace_of(record, shoot, number)).ok();
    let of_another =
        || Noted { number, uid: String::new(), older_until: None, sooner: Ends::default() };
    let noted = note.generation.as_deref().cloned().filter(|noted| noted.number == number);
    noted.unwrap_or_else(of_another).ends(usual)
}

/// For how long generations older than this one live on after a token of it is written, as whoever
/// made it was told; what is usual where nobody did, or nothing is known of it.
#[must_use]
pub fn grace_of(record: &Record, shoot: ShootView<'_>, number: Number) -> Duration {
    grace_made(record, shoot, number).unwrap_or(GRACE_DEFAULT)
}

/// The same, where it is there and somebody was told.
#[must_use]
pub fn grace_made(record: &Record, shoot: ShootView<'_>, number: Number) -> Option<Duration> {
    let inputs = record.inputs.as_ref().ok();
    let seen = inputs.and_then(|inputs| seen(record, inputs, shoot));
    let own = seen.and_then(|seen| seen.present.iter().find(|own| own.number == number));
    own.and_then(|own| own.grace)
}

/// Decides about a Secret all whose tokens up to this generation are to be revoked. Where its token
/// is of a newer one, older generations go by these ends too. One that is sooner than what is noted
/// is noted: whoever starts anew keeps it.
#[must_use]
pub fn decide_revoked(
    now: Timestamp,
    record: &Record,
    shoot: ShootView<'_>,
    policy: &Policy,
    (up_to, asked): (Number, &Ends),
) -> Decision {
    let Ok(inputs) = &record.inputs else { return decide(now, record, shoot, policy) };
    let left = || seen(record, inputs, shoot).into_iter().flat_map(|seen| &seen.present);
    let is_over = || left().any(|seen| seen.number <= asked.over(now));
    let is_sooner = || {
        let noted = ends(record, shoot);
        let sooner = |number| asked.of(number).is_some_and(|end| Some(end) < noted.of(number));
        left().any(|seen| sooner(seen.number))
    };
    match (decide_token(now, record, shoot, policy), bound_to(record)) {
        (Decision::Keep { .. }, Some(number)) if number <= up_to => {
            permit(now, record, inputs, shoot, policy, Reason::Revoked)
        }
        (Decision::Keep { .. }, Some(_)) if is_over() => {
            permit(now, record, inputs, shoot, policy, Reason::GenerationLeft)
        }
        (Decision::Keep { .. }, Some(_)) if is_sooner() => Decision::Renew(Reason::GraceShortened),
        _ => decide(now, record, shoot, policy),
    }
}

fn seen<'a>(record: &Record, inputs: &Inputs, shoot: ShootView<'a>) -> Option<&'a GenerationsSeen> {
    let ShootView::Seen(status) = shoot else { return None };
    if !inputs.revocable || status.generations.is_empty() {
        return None;
    }
    status.generations.get(&Family::new(&inputs.account.namespace, &record.secret))
}

#[cfg(test)]
mod tests;
