//! What is wrong with a Secret so that only a person can end it.

use jiff::Timestamp;
use perennial_core::{
    decision::{Decision, Policy, ShootView, decide},
    failure::{Failure, Kind},
    inputs::Refusal,
    reason::Reason,
    record::{Obstacle, Record},
    storm::Early,
};
use perennial_kube::access::Seen;

use crate::renew::RenewError;

/// From so many tokens in a row that did not live to their planned moment, a held renewal is
/// nobody's slip any more. With 3 that is half a minute after the begin of a fight.
const STORM_STREAK_MIN: u32 = 3;

/// Reasons of a token-issuer that stand for something to be done by a person though their kind
/// alone does not say so.
const FOR_A_PERSON: [&str; 5] = [
    "SHOOT_NAMESPACE_NOT_ALLOWED",
    "NAMESPACE_MISSING",
    "TARGET_NAMESPACE_MISSING",
    "TOKEN_MISMATCH",
    "SHOOT_WITHOUT_CREDENTIAL",
];
/// Tokens are issued too early, again and again.
const RENEWAL_HELD: &str = "RENEWAL_HELD";
/// Refusals by the token-issuer's own policy.
const POLICY: &str = "POLICY_";
/// Refusals that no service of ours worded: they speak of the way between services, not of a
/// Secret.
const PEER: &str = "PEER_";

/// What is wrong, without the Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub reason: String,
    /// The key that is wrong; may be empty.
    pub key: String,
    pub message: String,
    /// See [`Notice::exact`](perennial_kube::events::Notice::exact).
    pub exact: bool,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing, and nothing will be while it stays as it is.
    Well,
    /// Nothing before this moment.
    WellUntil(Timestamp),
    Wrong(Trouble),
}

/// What is wrong with a Secret. Where tokens were issued that could not be written, what keeps them
/// from it is the trouble, and has its own Event; nobody else spoilt them.
pub(super) fn of_seen(seen: &Seen, now: Timestamp) -> Finding {
    match of_record(&seen.record, now) {
        Finding::Wrong(trouble) if seen.in_vain && trouble.reason == RENEWAL_HELD => Finding::Well,
        finding => finding,
    }
}

/// Looks at a record as a scheduler would. That one's basis and the shoot's clock are not known
/// here: with a basis below the default the Event about an immutable Secret comes later.
fn of_record(record: &Record, now: Timestamp) -> Finding {
    let decide = |record: &Record| decide(now, record, ShootView::Unknown, &Policy::default());
    match decide(record) {
        Decision::Invalid(Refusal { reason, key, message }) => {
            Finding::Wrong(Trouble { reason, key, message, exact: true })
        }
        Decision::Hold { reason, .. } => storm(record, reason),
        Decision::Obstructed(Obstacle::Immutable) => {
            let writable = Record { obstacle: None, ..record.clone() };
            match decide(&writable) {
                Decision::Keep { until } => Finding::WellUntil(until),
                Decision::Renew(reason)
                | Decision::Hold { reason, .. }
                | Decision::WaitForShoot { reason, .. } => {
                    immutable(&format!("should be renewed ({})", reason.as_str()))
                }
                Decision::Invalid(refusal) => immutable(&format!("is not served: {refusal}")),
                Decision::Obstructed(_) => Finding::Well,
            }
        }
        Decision::Obstructed(Obstacle::Terminating)
        | Decision::Keep { .. }
        | Decision::Renew(_)
        | Decision::WaitForShoot { .. } => Finding::Well,
    }
}

fn immutable(why: &str) -> Finding {
    Finding::Wrong(Trouble {
        reason: "SECRET_IMMUTABLE".to_owned(),
        key: "immutable".to_owned(),
        message: format!(
            "immutable is true, so no token can be written, and the Secret {why}; delete it and \
             make it anew without `immutable`"
        ),
        exact: false,
    })
}

fn storm(record: &Record, reason: Reason) -> Finding {
    let streak = record.memory.map_or(0, |memory| memory.streak);
    if streak < STORM_STREAK_MIN {
        return Finding::Well;
    }
    let early = Early::of(record, Some(reason));
    let clocks =
        if early.may_be_the_clock() { "; compare the clocks of seed and shoot" } else { "" };
    Finding::Wrong(Trouble {
        reason: RENEWAL_HELD.to_owned(),
        // Not the other writer: somebody who changes its name each time would get an Event each.
        key: String::new(),
        message: format!(
            "tokens issued in a row before the planned moment: {streak}, now because of {}; the next \
             one is held back, at pauses that double; {why}{clocks}",
            reason.as_str(),
            why = early.words(record),
        ),
        exact: false,
    })
}

/// What a failed renewal says; `None` where it may succeed by itself, or where the record says the
/// same.
pub(super) fn of_error(error: &RenewError) -> Option<Trouble> {
    let cause: &dyn Failure = match error {
        RenewError::Issue { cause, .. } | RenewError::Sync { cause, .. }
            if is_for_a_person(cause) =>
        {
            cause
        }
        RenewError::Write(cause) if is_for_a_person(cause) => cause,
        RenewError::Unfit { .. } => error,
        RenewError::Issue { .. }
        | RenewError::Sync { .. }
        | RenewError::Write(_)
        | RenewError::Request(_)
        | RenewError::SnapshotIncomplete
        | RenewError::NotFound { .. }
        | RenewError::Changed { .. }
        | RenewError::Invalid { .. }
        | RenewError::Obstructed { .. }
        | RenewError::Audit { .. }
        | RenewError::UnderWay { .. }
        | RenewError::Full { .. }
        | RenewError::Held { .. }
        | RenewError::TimedOut { .. }
        | RenewError::Draining
        | RenewError::NotBound { .. }
        | RenewError::Lost => return None,
    };
    Some(Trouble {
        reason: cause.reason().to_owned(),
        key: String::new(),
        message: cause.to_string(),
        exact: false,
    })
}

fn is_for_a_person(cause: &dyn Failure) -> bool {
    let reason = cause.reason();
    let by_kind = matches!(cause.kind(), Kind::Denied | Kind::Invalid);
    !reason.starts_with(PEER)
        && (by_kind || reason.starts_with(POLICY) || FOR_A_PERSON.contains(&reason))
}
