//! What nobody in the product knows, and the invariants ask for.

use jiff::Timestamp;
use perennial_core::invariants::{
    Broken, grace_respected, no_revoked_generation_made_again, no_usable_token_revoked,
};

use crate::{
    bound::{Content, GENERATIONS, GRACE_USUAL, Number, Present, Token},
    secret::{Tick, at},
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// Tokens that the shoot issued, a bit each.
    pub issued: u16,
    /// Those of them that were written to the seed.
    pub written: u16,
    /// What a token was needed for: each generation that is to go, and what strangers do.
    pub causes: u8,
    /// Failures that cost a token each, by the table.
    pub failures: u8,
    /// How many there were of each number.
    lives: [u8; GENERATIONS],
    /// Those of them that a token was written of, a bit each.
    held: [u8; GENERATIONS],
    /// Those of them that we deleted, a bit each.
    deleted: [u8; GENERATIONS],
    /// When the first token was noted that is newer than each.
    newer_at: [Option<Tick>; GENERATIONS],
    /// The shortest grace that was asked for, for all up to each.
    shortest: [Option<Tick>; GENERATIONS],
    /// The least end of each that stood in the note.
    promised: [Option<Tick>; GENERATIONS],
    /// A stranger deleted one: what follows may be a moment late.
    pub is_disturbed: bool,
    /// A wrong scheduler need not respect a grace.
    pub is_grace_void: bool,
}

impl Ledger {
    pub(super) fn new(begins_due: bool) -> Self {
        let first = [1, 0, 0, 0];
        let none = [None; GENERATIONS];
        Self {
            issued: 0,
            written: 0,
            causes: begins_due.into(),
            failures: 0,
            lives: first,
            held: first,
            deleted: [0; GENERATIONS],
            newer_at: none,
            shortest: none,
            promised: none,
            is_disturbed: false,
            is_grace_void: false,
        }
    }

    /// The newest that we deleted; 0 where there is none.
    #[must_use]
    pub fn revoked(&self) -> Number {
        let newest = self.deleted.iter().rposition(|lives| *lives > 0);
        newest.map_or(0, |place| place as Number + 1)
    }

    /// Somebody asks that all up to this one go. Gives back the grace that he is promised: where he
    /// did not say, what is usual, unless it was begun already.
    pub(super) fn asked(
        &mut self,
        up_to: Number,
        grace: Option<Tick>,
        present: Number,
    ) -> Option<Tick> {
        let shortest = &mut self.shortest[usize::from(up_to) - 1];
        let is_first = shortest.is_none() && up_to >= present;
        self.causes += u8::from(is_first);
        let least = grace.unwrap_or(GRACE_USUAL);
        *shortest = Some(shortest.map_or(least, |shortest| shortest.min(least)));
        grace.or(is_first.then_some(GRACE_USUAL))
    }

    pub(super) fn issued(&mut self, now: Tick, generation: Number, life: u8) -> Token {
        let serial = u8::try_from(self.issued.count_ones()).unwrap_or(u8::MAX) + 1;
        let token = Token { serial, at: now, is_due: false, generation, life };
        self.issued |= bit(token);
        token
    }

    pub(super) fn written(&mut self, before: Content, put: Content) {
        self.written |= bit(put.token);
        self.held[usize::from(put.token.generation) - 1] |= 1 << put.token.life;
        let newer = usize::from(before.token.generation)..usize::from(put.token.generation);
        for number in newer {
            self.newer_at[number - 1].get_or_insert(put.noted_at);
        }
        for (promised, noted) in self.promised.iter_mut().zip(put.until.0) {
            *promised = [*promised, noted].into_iter().flatten().min();
        }
    }

    /// One is made by who looked when all up to `revoked` had gone. Whoever looked before may make one
    /// anew that goes meanwhile: it is of another uid, and goes as it came.
    pub(super) fn made(&mut self, number: Number, revoked: Number) -> (u8, Result<(), Broken>) {
        let lives = &mut self.lives[usize::from(number) - 1];
        let life = *lives;
        *lives += 1;
        (life, no_revoked_generation_made_again(number.into(), revoked.into()))
    }

    pub(super) fn deleted(
        &mut self,
        now: Tick,
        (number, life): (Number, u8),
        held: Option<Number>,
    ) -> Result<(), Broken> {
        self.deleted[usize::from(number) - 1] |= 1 << life;
        no_usable_token_revoked(number.into(), held.map(u32::from))?;
        let ends = (number.into()..=GENERATIONS)
            .filter_map(|up_to| Some(self.newer_at[up_to - 1]? + self.shortest[up_to - 1]?));
        let promised = ends.min().map_or(Timestamp::MAX, at);
        match self.is_grace_void {
            true => Ok(()),
            false => grace_respected(number.into(), at(now), promised),
        }
    }

    /// The token that stands is of a generation that we deleted.
    pub(super) fn stands(&self, Token { generation, life, .. }: Token) -> Result<(), Broken> {
        let deleted = self.deleted[usize::from(generation) - 1] & (1 << life) != 0;
        let generation = u32::from(generation);
        no_usable_token_revoked(generation, deleted.then_some(generation))
    }

    /// Whether a token works that was written, of this generation or an older one.
    pub(super) fn works(&self, present: Present, up_to: Number) -> bool {
        (1..=up_to).any(|number| {
            let held = self.held[usize::from(number) - 1];
            present.get(number).is_some_and(|made| held & (1 << made.life) != 0)
        })
    }

    /// By when an older generation is to be gone, by what was ever promised on the seed.
    pub(super) fn promised(&self, number: Number) -> Option<Tick> {
        self.promised[usize::from(number) - 1]
    }

    /// How many tokens were issued in vain, or without need.
    pub(super) fn extra(&self, held: impl Iterator<Item = Token>) -> u32 {
        let held = held.fold(0, |held, token| held | bit(token));
        let in_vain = (self.issued & !self.written & !held).count_ones();
        let needless = self.issued.count_ones().saturating_sub(self.causes.into());
        in_vain.max(needless)
    }

    /// What counts no more for a generation that is gone is forgotten: fewer states.
    pub(super) fn tidy(&mut self, present: Present) {
        for number in 1..=GENERATIONS {
            if present.get(number as Number).is_none() {
                self.promised[number - 1] = None;
            }
            let is_left = (1..=number).any(|older| present.get(older as Number).is_some());
            if self.newer_at[number - 1].is_some() && !is_left {
                (self.newer_at[number - 1], self.shortest[number - 1]) = (Some(0), Some(0));
            }
        }
    }

    /// The same without what says nothing of the future.
    pub(super) fn calm(self) -> Self {
        Self { issued: 0, written: 0, causes: 0, failures: 0, ..self }
    }
}

/// The bit of a token.
const fn bit(token: Token) -> u16 {
    match token.serial {
        0 => 0,
        serial => 1 << (serial - 1),
    }
}
