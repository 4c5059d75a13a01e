//! Draws from the seed.

use crate::time::Ms;

/// A source of draws. One seed, one row of draws.
#[derive(Clone, Debug)]
pub struct Draw(fastrand::Rng);

impl Draw {
    /// The draws of this seed; `about` keeps rows apart that are drawn for different things.
    #[must_use]
    pub fn new(seed: u64, about: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ about))
    }

    /// From `low` up to, and without, `high`.
    pub fn between(&mut self, low: Ms, high: Ms) -> Ms {
        if low >= high { low } else { self.0.i64(low..high) }
    }

    /// One of so many.
    pub fn index(&mut self, count: usize) -> usize {
        self.0.usize(0..count.max(1))
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// From 0 up to, and without, 1.
    pub fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// At least `least`, and `more` on top on average, with the long tail that calls have.
    pub fn latency(&mut self, least: Ms, more: Ms) -> Ms {
        let tail = -(1.0 - self.0.f64()).ln() * more as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a few hundred times `more` at most")]
        let tail = tail as Ms;
        least + tail
    }

    /// As many as happen in `span` if one happens every `interval` on average, at random moments.
    pub fn moments(&mut self, span: Ms, interval: Ms) -> Vec<Ms> {
        let mut moments = Vec::new();
        let mut at = self.latency(0, interval);
        while at < span {
            moments.push(at);
            at += self.latency(1, interval);
        }
        moments
    }
}
