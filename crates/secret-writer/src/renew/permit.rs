//! Whether an order may be carried out, by what we see ourselves: a scheduler that is wrong or
//! stolen gets no storm out of us (B12).

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::ordinary_interval,
    digest::Digest,
    inputs::Inputs,
    name::SecretRef,
    record::Record,
    storm::Memory,
    window::{BASIS_DEFAULT_SECONDS, Window},
};
use perennial_kube::access::Seen;

use super::{Means, Order, RenewError};

/// A token that lived three quarters of the way to its planned moment, by our clock, is settled.
/// The plan counts from `iat`, which is earlier than our note by the time the write took, and both
/// are cut to whole seconds: with `--renewal-basis 8s` that is two of six seconds.
const SETTLED_SHARE: f64 = 0.75;

/// An order that may be carried out.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) seen: Arc<Seen>,
    pub(super) inputs: Inputs,
    /// To be noted beside the token.
    pub(super) memory: Memory,
}

/// The Secret that was decided on, if it is still that one and can be written.
pub(super) fn decided_on(
    means: &Means,
    secret: &SecretRef,
    digest: &Digest,
) -> Result<(Arc<Seen>, Inputs), RenewError> {
    if !means.store.is_complete() {
        return Err(RenewError::SnapshotIncomplete);
    }
    let named = || secret.clone();
    let seen = means.store.get(secret).ok_or_else(|| RenewError::NotFound { secret: named() })?;
    let record = &seen.record;
    if record.digest != *digest {
        return Err(RenewError::Changed { secret: named() });
    }
    if let Some(obstacle) = record.obstacle {
        return Err(RenewError::Obstructed { secret: named(), obstacle });
    }
    let inputs = record.inputs.clone();
    let inputs = inputs.map_err(|refusal| RenewError::Invalid { secret: named(), refusal })?;
    Ok((seen, inputs))
}

pub(super) fn permit(means: &Means, order: &Order) -> Result<Permit, RenewError> {
    let (seen, inputs) = decided_on(means, &order.secret, &order.digest)?;
    let record = &seen.record;
    let interval_min = means.settings.interval_min;
    let ordinary = ordinary(record, &inputs, order, interval_min);
    let now = means.clock.now();
    if let Some(left) = hold_left(record, now, ordinary) {
        let until = now.checked_add(left).unwrap_or(now);
        return Err(RenewError::Held { secret: order.secret.clone(), until, left });
    }
    let settled = settled(record, now, interval_min);
    let next = |memory: Memory| memory.next(now, settled, ordinary, record.is_asked_for());
    let memory = record.memory.map_or(Memory::new(now, 0), next);
    Ok(Permit { seen, inputs, memory })
}

/// The interval up to which pauses grow. An order whose basis makes it shorter than `interval_min` is
/// that of a scheduler which is wrong or stolen; then it is the interval of the default basis.
fn ordinary(record: &Record, inputs: &Inputs, order: &Order, interval_min: Duration) -> Duration {
    let ordered = ordinary_interval(record, inputs, order.basis_seconds, order.window);
    if ordered >= interval_min {
        return ordered;
    }
    ordinary_interval(record, inputs, BASIS_DEFAULT_SECONDS, Window::ORDINARY).max(interval_min)
}

fn hold_left(record: &Record, now: Timestamp, ordinary: Duration) -> Option<Duration> {
    let until = record.memory?.hold_until(now, ordinary, record.is_asked_for())?;
    Duration::try_from(until.duration_since(now)).ok()
}

/// Whether the last token lived to its planned moment. A plan shorter than `interval_min` is not
/// believed: it would make every token settled at once, whatever a scheduler orders. Nor is the
/// token settled that is held, where another was issued in vain after it.
fn settled(record: &Record, now: Timestamp, interval_min: Duration) -> bool {
    let Some(note) = &record.issued else { return false };
    let age = now.duration_since(note.at);
    let planned = note.renew_at.duration_since(note.iat);
    let is_the_last = record.memory.is_none_or(|memory| memory.at <= note.at);
    let interval_min = SignedDuration::try_from(interval_min).unwrap_or(SignedDuration::MAX);
    is_the_last
        && planned >= interval_min
        && age >= interval_min
        && age.as_secs_f64() >= SETTLED_SHARE * planned.as_secs_f64()
}
