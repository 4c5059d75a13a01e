use super::Answer;
use crate::shoot::ShootId;

/// So many slow answers in a row, of more than one shoot, are not the fault of a shoot.
const IN_A_ROW: u32 = 16;

/// Tells what all shoots share, the seed and our own services, from one shoot. Every renewal goes
/// through both, and its answer does not say where the time went; but where even the quickest of
/// many shoots is slower than it uses to be, it is not the shoots.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    slow: u32,
    first: Option<ShootId>,
    are_several: bool,
}

impl Crowd {
    /// What a good answer of a shoot says of what all share; `None` while that is not clear.
    pub fn hear(&mut self, shoot: &ShootId, answer: Answer) -> Option<Answer> {
        if answer == Answer::Quick {
            *self = Self::default();
            return Some(Answer::Quick);
        }
        self.slow = self.slow.saturating_add(1);
        let first = self.first.get_or_insert_with(|| shoot.clone());
        self.are_several |= first != shoot;
        if self.slow < IN_A_ROW || !self.are_several {
            return None;
        }
        *self = Self::default();
        Some(Answer::Slow)
    }
}
