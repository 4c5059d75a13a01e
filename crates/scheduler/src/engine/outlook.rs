//! One line when it turns out that something will not be done in time, and one when all will be.

use perennial_fleet::stats::Stats;
use tracing::{info, warn};

/// So many looks in a row, one a second, before it is said: a stream that breaks for a moment is none.
const BAD_LOOKS: u32 = 3;
/// So many before it is said to be over.
const GOOD_LOOKS: u32 = 10;

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    is_bad: bool,
    /// Looks in a row that say otherwise.
    otherwise: u32,
}

impl Outlook {
    pub(super) fn log(&mut self, stats: &Stats) {
        if !self.turns(stats.foreseen.is_bad()) {
            return;
        }
        let (late, expire) = (stats.foreseen.late, stats.foreseen.expire);
        if self.is_bad {
            let (limits, ready) = (&stats.limits, stats.ready);
            warn!(
                late,
                expire,
                ready,
                limit_in_flight = limits.in_flight,
                limit_rate = limits.per_second,
                shoots_slowed = limits.shoots_slowed,
                hanging = limits.hanging,
                "at the present rate some renewals will be late (docs/limits.md)"
            );
        } else {
            info!("at the present rate every renewal will be in time again");
        }
    }

    /// Whether it is the other way round from now on.
    fn turns(&mut self, is_bad: bool) -> bool {
        if is_bad == self.is_bad {
            self.otherwise = 0;
            return false;
        }
        self.otherwise += 1;
        let enough = if is_bad { BAD_LOOKS } else { GOOD_LOOKS };
        if self.otherwise < enough {
            return false;
        }
        *self = Self { is_bad, otherwise: 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_time_has_one_begin_and_one_end_whatever_flickers() {
        let mut outlook = Outlook::default();
        let looks = [(2, true), (1, false), (40, true), (9, false), (1, true), (30, false)];
        let looks = looks.iter().flat_map(|(count, is_bad)| std::iter::repeat_n(*is_bad, *count));
        let turns: Vec<bool> = looks.filter(|is_bad| outlook.turns(*is_bad)).collect();
        assert_eq!(turns, [true, false]);
    }
}
