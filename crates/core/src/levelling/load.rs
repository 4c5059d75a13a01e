//! How many renewals are planned for each second of the coming time.

use std::{collections::BTreeMap, ops::Range};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// Renewals by second, with sums by minute and hour. What is put in must be taken out at the same
/// second. An hour with anything in it costs 14,644 bytes (3,661 counts of four); so 24 of them,
/// more than the plans of 24 h tokens span, cost 350 kB, and 32 days 11 MB.
#[derive(Clone, Debug, Default)]
pub struct Load {
    hours: BTreeMap<i64, Box<Hour>>,
    count: u64,
}

#[derive(Clone, Debug)]
struct Hour {
    total: u32,
    minutes: [u32; 60],
    seconds: [u32; 3_600],
}

/// How long a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Second,
    Minute,
}

impl Width {
    pub(super) const fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => MINUTE,
        }
    }
}

impl Load {
    /// Plans one more for this second (since the epoch).
    pub fn put(&mut self, second: i64) {
        let hour = self.hours.entry(second.div_euclid(HOUR)).or_insert_with(Hour::empty);
        let (minute, within) = places(second);
        hour.total += 1;
        hour.minutes[minute] += 1;
        hour.seconds[within] += 1;
        self.count += 1;
    }

    /// Takes one out again.
    pub fn remove(&mut self, second: i64) {
        let key = second.div_euclid(HOUR);
        let (minute, within) = places(second);
        let Some(hour) = self.hours.get_mut(&key).filter(|hour| hour.seconds[within] > 0) else {
            debug_assert!(false, "only what was put in is taken out");
            return;
        };
        hour.total -= 1;
        hour.minutes[minute] -= 1;
        hour.seconds[within] -= 1;
        self.count -= 1;
        if hour.total == 0 {
            self.hours.remove(&key);
        }
    }

    /// How many are planned.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many are planned from one second to before another.
    #[must_use]
    pub fn between(&self, seconds: Range<i64>) -> u64 {
        if seconds.is_empty() {
            return 0;
        }
        let hours = seconds.start.div_euclid(HOUR)..=(seconds.end - 1).div_euclid(HOUR);
        let hours = self.hours.range(hours).map(|(key, hour)| {
            let within = |second: i64| {
                usize::try_from((second - key * HOUR).clamp(0, HOUR)).unwrap_or_default()
            };
            hour.between(within(seconds.start), within(seconds.end))
        });
        hours.sum()
    }

    /// Tells the count of each of these slots, in their order; slot `n` begins at `n` times its width.
    pub(super) fn each_slot(
        &self,
        width: Width,
        slots: Range<i64>,
        mut tell: impl FnMut(i64, u32),
    ) {
        let per_hour = HOUR / width.seconds();
        for key in slots.start.div_euclid(per_hour)..(slots.end - 1).div_euclid(per_hour) + 1 {
            let begin = key * per_hour;
            let within = slots.start.max(begin)..slots.end.min(begin + per_hour);
            if within.is_empty() {
                continue;
            }
            let place = |slot: i64| usize::try_from(slot - begin).unwrap_or_default();
            match self.hours.get(&key).map(|hour| hour.counts(width)) {
                Some(counts) => {
                    let counts = &counts[place(within.start)..place(within.end)];
                    within.zip(counts).for_each(|(slot, count)| tell(slot, *count));
                }
                None => within.for_each(|slot| tell(slot, 0)),
            }
        }
    }
}

impl Hour {
    fn empty() -> Box<Self> {
        Box::new(Self { total: 0, minutes: [0; 60], seconds: [0; 3_600] })
    }

    fn counts(&self, width: Width) -> &[u32] {
        match width {
            Width::Second => &self.seconds,
            Width::Minute => &self.minutes,
        }
    }

    /// From one second to before another: minutes where they are whole, seconds at the edges.
    fn between(&self, from: usize, to: usize) -> u64 {
        let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let (first, last) = (from.div_ceil(60), to / 60);
        match (first, last) {
            (0, 60) => u64::from(self.total),
            _ if first >= last => sum(&self.seconds[from..to]),
            _ => {
                sum(&self.seconds[from..first * 60])
                    + sum(&self.minutes[first..last])
                    + sum(&self.seconds[last * 60..to])
            }
        }
    }
}

/// Minute and second within the hour.
fn places(second: i64) -> (usize, usize) {
    let within = usize::try_from(second.rem_euclid(HOUR)).unwrap_or_default();
    (within / 60, within)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_counts_are_right_after_any_puts_and_removals(
            steps in prop::collection::vec(
                (-8_000_i64..20_000, any::<bool>(), any::<usize>()), 0..200,
            ),
            from in -9_000_i64..21_000, length in 0_i64..15_000,
        ) {
            let (mut load, mut held) = (Load::default(), Vec::new());
            for (second, puts, pick) in steps {
                if puts || held.is_empty() {
                    load.put(second);
                    held.push(second);
                } else {
                    load.remove(held.swap_remove(pick % held.len()));
                }
            }
            let count = |range: Range<i64>| held.iter().filter(|at| range.contains(at)).count();
            prop_assert_eq!(load.count(), held.len() as u64);
            prop_assert_eq!(load.between(from..from + length), count(from..from + length) as u64);
            for (width, slots) in [(Width::Minute, -150..350), (Width::Second, from..from + 500)] {
                let mut shown = Vec::new();
                load.each_slot(width, slots.clone(), |slot, count| shown.push((slot, count)));
                prop_assert!(shown.iter().map(|(slot, _)| *slot).eq(slots));
                for (slot, shown) in shown {
                    let seconds = slot * width.seconds()..(slot + 1) * width.seconds();
                    prop_assert_eq!(shown as usize, count(seconds));
                }
            }
            held.into_iter().for_each(|second| load.remove(second));
            prop_assert!(load.hours.is_empty(), "memory is given back");
        }
    }
}
