//! The annotation `perennial.dev/issued`, which anybody may write.

use perennial_core::{
    inputs::{Inputs, Interpretation, Mode},
    issued::{Issued, IssuedFor},
    reason::Reason,
    token::{Claims, TokenHash},
    window::{BASIS_DEFAULT_SECONDS, Plan, Window},
};

use super::claims::token;
use crate::samples::Sample;

/// A token and the note about it, where the token reads well.
pub(super) fn renewed(number: u64, sample: &Sample) -> Option<(String, Issued)> {
    let token = token(number);
    let claims = Claims::read(token.as_bytes()).ok()?;
    let interpretation = Interpretation::default();
    let inputs = Inputs::read(&sample.annotations, Mode::Token, &interpretation).ok()?;
    let note = Issued::note(IssuedFor {
        token: TokenHash::of(token.as_bytes()),
        claims: &claims,
        inputs: &inputs,
        plan: Plan::draw(&claims, BASIS_DEFAULT_SECONDS, Window::ORDINARY, 0.5),
        reason: Reason::Due,
        written_at: claims.issued_at,
        streak: u32::try_from(number % 5).unwrap_or_default(),
        spent: u32::try_from(number % 3).unwrap_or_default(),
        left: Vec::new(),
        generation: None,
    });
    Some((token, note))
}

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    let note = renewed(number, &Sample::right(number));
    note.map(|(_, note)| note.to_line().into_bytes()).into_iter().collect()
}

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(note) = Issued::read(text) else { return };
    let line = note.to_line();
    assert!(!line.contains('\n'), "one line");
    assert_eq!(Issued::read(&line).as_ref(), Some(&note), "what was read can be written and read");
    let memory = note.memory();
    assert_eq!((memory.at, memory.streak), (note.at, note.streak));
}
