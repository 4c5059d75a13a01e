//! What stands in the target of a Secret, taken for what the Secret holds (contract, B7 and C).
//!
//! The note says what was put there, and counts until somebody has looked: a restart costs no
//! token. What is seen and is another thing counts more, unless it is from before the note.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{
    ShootClock, ShootView,
    account::{Worth, worth},
};
use crate::{
    inputs::Inputs,
    issued::Issued,
    record::{Held, Record},
    target::{TargetHeld, TargetSeen, TargetState},
    token::Claims,
};

/// A record that holds what stands in its target.
#[derive(Clone, Debug)]
pub struct AsSeen<'a> {
    /// The record; the one given where it names no target, or where nothing counts that was seen.
    pub record: Cow<'a, Record>,
    /// What was seen may be from before the note: to be looked at again then, by our clock.
    pub again: Option<Timestamp>,
}

/// What a Secret holds, its target included.
#[must_use]
pub fn as_seen<'a>(now: Timestamp, record: &'a Record, shoot: ShootView<'_>) -> AsSeen<'a> {
    let as_noted = |again| AsSeen { record: Cow::Borrowed(record), again };
    let Ok(inputs) = &record.inputs else { return as_noted(None) };
    let Some(seen) = seen(shoot, inputs) else { return as_noted(None) };
    let note = record.issued.as_ref();
    let is_noted = note.is_some_and(|note| is_of(&seen.state, note));
    if let (Some(note), false) = (note, is_noted) {
        let issued_at = ShootClock::of(now, shoot).ours(note.iat);
        match worth(now, seen.at, issued_at, Some(note.at)) {
            Worth::Nothing => return as_noted(None),
            Worth::Later(calm_at) => return as_noted(Some(calm_at)),
            Worth::Now => {}
        }
    }
    let (held, mode, ca) = match &seen.state {
        TargetState::Absent => (Held::Nothing, inputs.mode, None),
        TargetState::Present { held, mode, ca } => (held_of(held, note), *mode, *ca),
    };
    let seen = Record {
        held,
        inputs: Ok(Inputs { mode, ..inputs.clone() }),
        issued: note.filter(|_| is_noted).cloned(),
        ca,
        ..record.clone()
    };
    AsSeen { record: Cow::Owned(seen), again: None }
}

fn held_of(held: &TargetHeld, note: Option<&Issued>) -> Held {
    match held {
        TargetHeld::Nothing => Held::Nothing,
        TargetHeld::Unreadable => Held::Unreadable,
        TargetHeld::Token { claims, sha256 } => {
            let same_claims = |note: &Issued| {
                note.iat == claims.issued_at
                    && note.exp == claims.expires_at
                    && note.sha256 != *sha256
            };
            match note.is_some_and(same_claims) {
                // One flipped character of the signature leaves all claims as they were.
                true => Held::Damaged(Claims::clone(claims)),
                false => Held::Token(Claims::clone(claims)),
            }
        }
    }
}

/// Whether the target was seen as this note says.
pub(super) fn is_seen(shoot: ShootView<'_>, inputs: &Inputs, note: &Issued) -> bool {
    seen(shoot, inputs).is_some_and(|seen| is_of(&seen.state, note))
}

fn is_of(state: &TargetState, note: &Issued) -> bool {
    match state {
        TargetState::Present { held: TargetHeld::Token { sha256, .. }, .. } => {
            *sha256 == note.sha256
        }
        TargetState::Present { .. } | TargetState::Absent => false,
    }
}

fn seen<'a>(shoot: ShootView<'a>, inputs: &Inputs) -> Option<&'a TargetSeen> {
    match shoot {
        ShootView::Seen(status) => status.targets.get(inputs.target.as_ref()?),
        ShootView::Missing | ShootView::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
