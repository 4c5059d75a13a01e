//! Schedules as messages.

use perennial_core::{name::SecretRef, reason::Reason};
use perennial_proto::scheduler::v1 as proto;
use perennial_rpc::convert::{duration, timestamp};

use perennial_fleet::{
    attempts::Failure,
    schedule::{Renewal, Schedule, State},
};

mod explain;

pub(super) use explain::explanation;

pub(super) fn schedule(schedule: Schedule) -> proto::Schedule {
    let Schedule {
        secret,
        state,
        reason,
        detail,
        account,
        issued_at,
        expires_at,
        planned_at,
        latest_at,
        next_at,
        last_renewal,
        failures,
        last_failure,
        renewals,
        troubled_since,
        overdue,
        paused,
    } = schedule;
    proto::Schedule {
        namespace: secret.namespace.into(),
        name: secret.name.into(),
        state: self::state(state).into(),
        reason: reason.map_or_else(String::new, |reason| reason.as_str().to_owned()),
        detail,
        account: account.map_or_else(String::new, |account| account.to_string()),
        issued_at: issued_at.map(timestamp),
        expires_at: expires_at.map(timestamp),
        planned_at: planned_at.map(timestamp),
        latest_at: latest_at.map(timestamp),
        next_at: next_at.map(timestamp),
        last_renewal: last_renewal.map(renewal),
        failures,
        last_failure: last_failure.map(failure),
        renewals,
        troubled_since: troubled_since.map(timestamp),
        overdue,
        paused,
    }
}

pub(super) fn secret_name(secret: SecretRef) -> proto::SecretName {
    proto::SecretName { namespace: secret.namespace.into(), name: secret.name.into() }
}

fn renewal(renewal: Renewal) -> proto::Renewal {
    let reason: Reason = renewal.reason;
    proto::Renewal {
        at: Some(timestamp(renewal.at)),
        reason: reason.as_str().to_owned(),
        took: renewal.took.map(duration),
    }
}

fn failure(failure: Failure) -> proto::Failure {
    proto::Failure {
        at: Some(timestamp(failure.at)),
        kind: failure.trouble.kind.as_str().to_owned(),
        message: failure.trouble.message.to_string(),
        code: failure.trouble.code.to_string(),
    }
}

const fn state(state: State) -> proto::State {
    match state {
        State::Fresh => proto::State::Fresh,
        State::Due => proto::State::Due,
        State::Renewing => proto::State::Renewing,
        State::BackingOff => proto::State::BackingOff,
        State::Held => proto::State::Held,
        State::Invalid => proto::State::Invalid,
        State::Obstructed => proto::State::Obstructed,
        State::WaitingForShoot => proto::State::WaitingForShoot,
        State::Hibernated => proto::State::Hibernated,
    }
}
