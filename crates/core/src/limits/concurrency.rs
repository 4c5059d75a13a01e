use super::{Answer, Turn};

/// A limit of 1 grows to 8 with 32 quick answers, to 64 with some 900: a second or three of a
/// backlog, whoever it was.
const GROWTH_MIN: f64 = 1.0 / 16.0;

/// Calls at once: additive up, multiplicative down.
#[derive(Clone, Copy, Debug)]
pub struct Concurrency {
    limit: f64,
    /// Answers of calls up to this one were on their way when it was cut.
    cut_at: u64,
    why: Option<Answer>,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { limit: f64::INFINITY, cut_at: 0, why: None }
    }
}

impl Concurrency {
    /// The present limit, from 1 to `most`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and most"
    )]
    pub fn limit(&self, most: usize) -> usize {
        self.limit.min(most as f64).max(1.0) as usize
    }

    /// Why it is lower than it may be.
    #[must_use]
    pub fn slowed(&self, most: usize) -> Option<Answer> {
        self.why.filter(|_| self.limit(most) < most)
    }

    pub(super) fn hear(&mut self, turn: Turn, answer: Answer, most: usize) {
        if turn.call <= self.cut_at {
            return;
        }
        let before = self.limit.min(most as f64);
        let after = match answer {
            Answer::Quick => before + (1.0 / before).max(GROWTH_MIN),
            Answer::Slow => before * 0.75,
            Answer::Throttled => before * 0.5,
            Answer::TimedOut => 1.0,
        };
        self.limit = after.max(1.0).min(most as f64);
        if answer != Answer::Quick {
            (self.cut_at, self.why) = (turn.newest, Some(answer));
        }
    }
}
