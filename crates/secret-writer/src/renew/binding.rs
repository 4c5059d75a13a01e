//! What a token is bound to, so that it can be revoked (contract, section D).

use jiff::Timestamp;
use perennial_core::{
    decision::bound_to,
    generation::{Family, GRACE_DEFAULT, Noted, Number},
    inputs::Inputs,
    reason::Reason,
    record::Record,
    token::Claims,
};

use super::Order;
use crate::issuer::Binding;

/// Highest generation that is asked for where the Secret holds no token to compare with. A scheduler
/// that is wrong or stolen must not use up the numbers: behind the last one nothing can be revoked.
const UNSEEN_MAX: Number = Number::MAX / 2;

/// What the next token is to be bound to; `None` where the Secret is not revocable. A generation is
/// at most one ahead of the present one: where newer ones are there, the token-issuer sees them.
pub(super) fn wanted(order: &Order, record: &Record, inputs: &Inputs) -> Option<Binding> {
    let generation = match bound_to(record) {
        Some(present) => order.generation.clamp(present, present.saturating_add(1)),
        None => order.generation.min(UNSEEN_MAX),
    };
    let is_next = bound_to(record).is_some_and(|present| generation > present);
    let revokes = is_next || order.reason == Reason::Revoked;
    let grace = revokes.then(|| order.grace.unwrap_or(GRACE_DEFAULT));
    inputs.revocable.then_some(Binding { generation, revokes, grace })
}

/// What to note of the generation of a token with these claims, written at `at`.
pub(super) fn noted(
    order: &Order,
    record: &Record,
    inputs: &Inputs,
    claims: &Claims,
    at: Timestamp,
) -> Option<Noted> {
    let family = Family::new(&inputs.account.namespace, &order.secret);
    let noted = Noted::of(&family, claims, None).filter(|_| inputs.revocable)?;
    let before = record.issued.as_ref().and_then(|note| note.generation.as_deref());
    let older_until = match bound_to(record) {
        Some(present) if present == noted.number => before.and_then(|before| before.older_until),
        // Whatever the token is for: it may have been due in the moment in which it was revoked. The end
        // is noted once, or each renewal would put it off.
        Some(_) => {
            let written_at = Timestamp::from_second(at.as_second()).unwrap_or(at);
            written_at.checked_add(order.grace.unwrap_or(GRACE_DEFAULT)).ok()
        }
        None => None, // the generation itself says how long
    };
    // What was promised of each stays, whatever is revoked now.
    let promised = before.map(|before| before.ends(None)).unwrap_or_default();
    let noted = Noted { older_until, ..noted }.with(at, promised);
    Some(noted.with(at, order.ends.clone()))
}
