//! A histogram of milliseconds: exact up to ten seconds, then by the second.

use crate::time::{Ms, SECOND};

const FINE: usize = 10_000;
const COARSE: usize = 24 * 3_600;

/// The histogram.
#[derive(Clone, Debug)]
pub struct Lateness {
    fine: Vec<u32>,
    coarse: Vec<u32>,
    count: u64,
    most: Ms,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { fine: vec![0; FINE], coarse: vec![0; COARSE], count: 0, most: 0 }
    }
}

impl Lateness {
    /// Counts one.
    pub fn add(&mut self, late: Ms) {
        let late = late.max(0);
        self.count += 1;
        self.most = self.most.max(late);
        let at = |moment: Ms| usize::try_from(moment).unwrap_or(usize::MAX);
        match self.fine.get_mut(at(late)) {
            Some(count) => *count += 1,
            None => self.coarse[at(late / SECOND).min(COARSE - 1)] += 1,
        }
    }

    /// The value that this share of all does not exceed.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Ms {
        let wanted = (share * self.count as f64).ceil().max(1.0);
        let fine = self.fine.iter().enumerate().map(|(at, count)| (at as Ms, count));
        let coarse = self.coarse.iter().enumerate().map(|(at, count)| (at as Ms * SECOND, count));
        let mut seen = 0.0;
        for (at, count) in fine.chain(coarse) {
            seen += f64::from(*count);
            if seen >= wanted {
                return at;
            }
        }
        self.most
    }

    /// How many were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The greatest.
    #[must_use]
    pub const fn most(&self) -> Ms {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_that_so_many_do_not_exceed() {
        let mut lateness = Lateness::default();
        (1..=100).for_each(|late| lateness.add(late));
        assert_eq!((lateness.percentile(0.5), lateness.percentile(0.99)), (50, 99));
        lateness.add(3_600 * SECOND);
        assert_eq!((lateness.percentile(1.0), lateness.most()), (3_600 * SECOND, 3_600 * SECOND));
    }
}
