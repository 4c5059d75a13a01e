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
    generation::{Family, GRACE_DEFAULT, GenerationsSeen, Number},
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
    let reason = match seen.newest() {
        _ if !seen.has(number, &bound.uid) => Reason::GenerationGone,
        Some(newest) if newest.number > number => Reason::Revoked,
        Some(_) | None => return Look::Fits,
    };
    speaks_against(now, record, claims, (seen.at, reason), clock)
}

/// When the generations go that are older than the token's, by our clock; `None` where there are
/// none.
pub(super) fn older_go_at(
    record: &Record,
    inputs: &Inputs,
    shoot: ShootView<'_>,
) -> Option<Timestamp> {
    let is_left = seen(record, inputs, shoot)?.has_older(bound_to(record)?);
    older_until(record, shoot).filter(|_| is_left)
}

/// Until when generations older than the token's may live, by our clock, whether any is left or not;
/// `None` without a token of ours that is bound to one.
#[must_use]
pub fn older_until(record: &Record, shoot: ShootView<'_>) -> Option<Timestamp> {
    let (note, number) = (record.issued.as_ref()?, bound_to(record)?);
    let noted = note.generation.as_ref().and_then(|noted| noted.older_until);
    noted.or_else(|| note.at.checked_add(grace_of(record, shoot, number)).ok())
}

/// For how long generations older than this one live on after a token of it is written, as whoever
/// made it was told.
#[must_use]
pub fn grace_of(record: &Record, shoot: ShootView<'_>, number: Number) -> Duration {
    let inputs = record.inputs.as_ref().ok();
    let seen = inputs.and_then(|inputs| seen(record, inputs, shoot));
    let own = seen.and_then(|seen| seen.present.iter().find(|own| own.number == number));
    own.and_then(|own| own.grace).unwrap_or(GRACE_DEFAULT)
}

/// Decides about a Secret all whose tokens up to this generation are to be revoked. Where its token
/// is of a newer one and `at_once`, older generations go whatever the grace.
#[must_use]
pub fn decide_revoked(
    now: Timestamp,
    record: &Record,
    shoot: ShootView<'_>,
    policy: &Policy,
    (up_to, at_once): (Number, bool),
) -> Decision {
    let Ok(inputs) = &record.inputs else { return decide(now, record, shoot, policy) };
    let is_left = || seen(record, inputs, shoot).is_some_and(|seen| seen.has_older(up_to + 1));
    match (decide_token(now, record, shoot, policy), bound_to(record)) {
        (Decision::Keep { .. }, Some(number)) if number <= up_to => {
            permit(now, record, inputs, shoot, policy, Reason::Revoked)
        }
        (Decision::Keep { .. }, Some(_)) if at_once && is_left() => {
            permit(now, record, inputs, shoot, policy, Reason::GenerationLeft)
        }
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
