//! When each shoot is looked at again. Pure: the wall clock comes in as an argument.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{backoff::doubled, shoot::ShootId};

/// First pause while a shoot is not reached; it doubles. Also the shortest one between two looks.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause while a shoot is not reached. It counts from the begin of a look, which takes 20 s
/// at most (two credentials, 10 s each), so a shoot that is back is noticed within 30 s.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Pause while a shoot hibernates. A look then is one attempt to connect, to find an annotation
/// that was forgotten: 6 an hour, where a shoot that is away costs 240.
pub(super) const PAUSE_HIBERNATED: Duration = Duration::from_secs(10 * 60);

/// The schedule of all shoots.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    slots: BTreeMap<ShootId, Slot>,
}

#[derive(Debug)]
struct Slot {
    due: Timestamp,
    /// Begin of the look under way.
    begun: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// Something changed during the look under way, so what it finds is old.
    again: bool,
    /// Looks in a row that did not reach the shoot.
    failures: u32,
    /// Looks in a row in which the own credential did not hold.
    doubts: u32,
    /// Whether the place in the interval was taken.
    spread: bool,
    /// Whether the shoot hibernates: nothing brings a look forward.
    hibernated: bool,
}

impl Schedule {
    /// A schedule that looks at every shoot once in `interval`.
    #[must_use]
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, slots: BTreeMap::new() }
    }

    /// A shoot is new, or its connections changed: look at once.
    pub(super) fn changed(&mut self, shoot: &ShootId, now: Timestamp) {
        match self.slots.get_mut(shoot) {
            Some(slot) if slot.hibernated => {}
            Some(slot) => {
                slot.due = now;
                slot.again = slot.begun.is_some();
            }
            None => {
                let slot = Slot {
                    due: now,
                    begun: None,
                    ended: None,
                    again: false,
                    failures: 0,
                    doubts: 0,
                    spread: false,
                    hibernated: false,
                };
                self.slots.insert(shoot.clone(), slot);
            }
        }
    }

    /// A shoot hibernates.
    pub(super) fn hibernated(&mut self, shoot: &ShootId, now: Timestamp) {
        self.changed(shoot, now);
        if let Some(slot) = self.slots.get_mut(shoot) {
            (slot.hibernated, slot.again) = (true, false);
            slot.due = now + PAUSE_HIBERNATED;
        }
    }

    /// A shoot hibernates no more: look at once, and then as if it were new.
    pub(super) fn woken(&mut self, shoot: &ShootId, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(shoot) {
            (slot.hibernated, slot.failures, slot.doubts) = (false, 0, 0);
        }
        self.changed(shoot, now);
    }

    /// A call failed: look soon, but not more often than once a second.
    pub(super) fn soon(&mut self, shoot: &ShootId, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(shoot).filter(|slot| !slot.hibernated) {
            let earliest = slot.ended.map_or(now, |ended| now.max(ended + PAUSE_MIN));
            slot.due = slot.due.min(earliest);
        }
    }

    /// Whether the own credential held in a look. Says whether its Secret should be read once more: at
    /// the first, second, fourth, … time in a row, because each time it is less likely to say
    /// anything new, and a shoot may be away for weeks.
    pub(super) fn doubted(&mut self, shoot: &ShootId, is_doubtful: bool) -> bool {
        let Some(slot) = self.slots.get_mut(shoot) else { return false };
        slot.doubts = if is_doubtful { slot.doubts.saturating_add(1) } else { 0 };
        slot.doubts.is_power_of_two()
    }

    /// A shoot is gone.
    pub(super) fn remove(&mut self, shoot: &ShootId) {
        self.slots.remove(shoot);
    }

    /// Takes at most `room` shoots that are due, the longest due first.
    pub(super) fn take(&mut self, now: Timestamp, room: usize) -> Vec<ShootId> {
        let awake = now + self.interval.max(PAUSE_MAX);
        let mut due: Vec<_> = Vec::new();
        for (shoot, slot) in &mut self.slots {
            let latest = if slot.hibernated { now + PAUSE_HIBERNATED } else { awake };
            slot.due = slot.due.min(latest); // the clock was set back
            if slot.begun.is_none() && slot.due <= now {
                due.push((slot.due, shoot.clone()));
            }
        }
        due.sort();
        due.truncate(room);
        for (_, shoot) in &due {
            if let Some(slot) = self.slots.get_mut(shoot) {
                slot.begun = Some(now);
            }
        }
        due.into_iter().map(|(_, shoot)| shoot).collect()
    }

    /// A look ended.
    pub(super) fn ended(&mut self, shoot: &ShootId, reached: bool, now: Timestamp) {
        let place = place(shoot);
        let Some(slot) = self.slots.get_mut(shoot) else { return };
        let begun = slot.begun.take().unwrap_or(now);
        slot.ended = Some(now);
        if std::mem::take(&mut slot.again) {
            slot.due = now;
            return;
        }
        let pause = if slot.hibernated {
            PAUSE_HIBERNATED
        } else if reached {
            slot.failures = 0;
            // The first pause is shorter, so that shoots which were all new at once part.
            let share = if slot.spread { 1.0 } else { 0.5 + place / 2.0 };
            slot.spread = true;
            self.interval.mul_f64(share)
        } else {
            slot.failures = slot.failures.saturating_add(1);
            doubled(PAUSE_MIN, slot.failures - 1, PAUSE_MAX)
        };
        slot.due = (begun + pause).max(now + PAUSE_MIN);
    }
}

/// A place in 0 to 1, the same for the same shoot.
fn place(shoot: &ShootId) -> f64 {
    let mut hasher = DefaultHasher::new();
    shoot.hash(&mut hasher);
    f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn shoot(number: usize) -> ShootId {
        format!("shoot--lab--{number}").parse().unwrap()
    }

    fn with_one() -> Schedule {
        let mut schedule = Schedule::new(MINUTE);
        schedule.changed(&shoot(1), at(0));
        schedule
    }

    /// The seconds at which a shoot is looked at, when each look takes none.
    fn looks(schedule: &mut Schedule, seconds: std::ops::Range<i64>, reached: bool) -> Vec<i64> {
        let looked = |second: &i64| {
            let due = !schedule.take(at(*second), 10).is_empty();
            if due {
                schedule.ended(&shoot(1), reached, at(*second));
            }
            due
        };
        seconds.filter(looked).collect()
    }

    #[test]
    fn a_shoot_is_looked_at_at_once_and_then_once_in_an_interval() {
        let seconds = looks(&mut with_one(), 0..200, true);
        assert_eq!(seconds[0], 0);
        assert!((30..=60).contains(&seconds[1]), "{seconds:?}");
        assert_eq!(seconds[2] - seconds[1], 60);
    }

    #[test]
    fn shoots_that_came_together_part() {
        let mut schedule = Schedule::new(MINUTE);
        (0..100).for_each(|n| schedule.changed(&shoot(n), at(0)));
        let mut most = 0;
        for second in 0..300 {
            let due = schedule.take(at(second), 1000);
            due.iter().for_each(|shoot| schedule.ended(shoot, true, at(second)));
            most = if second > 0 { most.max(due.len()) } else { 0 };
        }
        assert!(most <= 12, "{most} of 100 at once"); // evenly it would be 3 or 4 a second
    }

    #[test]
    fn a_shoot_that_is_not_reached_is_looked_at_in_growing_pauses_up_to_15_s() {
        let mut schedule = with_one();
        assert_eq!(looks(&mut schedule, 0..62, false), [0, 1, 3, 7, 15, 30, 45, 60]);
        looks(&mut schedule, 75..76, true);
        assert_eq!(looks(&mut schedule, 300..303, false), [300, 301], "the pauses begin anew");
    }

    #[test]
    fn f_what_does_not_hold_is_read_once_more_ever_more_seldom() {
        let mut schedule = with_one();
        let asked = |schedule: &mut Schedule, doubtful| schedule.doubted(&shoot(1), doubtful);
        let times: Vec<_> = (1..=20).filter(|_| asked(&mut schedule, true)).collect();
        assert_eq!(times, [1, 2, 4, 8, 16]);
        assert!(!asked(&mut schedule, false), "it holds");
        assert!(asked(&mut schedule, true), "begins anew");
    }

    #[test]
    fn the_pause_counts_from_the_begin_of_a_look() {
        let mut schedule = with_one();
        looks(&mut schedule, 0..60, false);
        assert_eq!(schedule.take(at(60), 1), [shoot(1)]);
        schedule.ended(&shoot(1), false, at(80));
        assert!(schedule.take(at(80), 1).is_empty());
        assert_eq!(schedule.take(at(81), 1), [shoot(1)]);
    }

    #[test]
    fn failed_calls_bring_a_look_forward_but_not_into_a_storm() {
        let mut schedule = with_one();
        looks(&mut schedule, 0..1, true);
        for _ in 0..1000 {
            schedule.soon(&shoot(1), at(0));
        }
        assert!(schedule.take(at(0), 1).is_empty());
        assert_eq!(schedule.take(at(1), 1), [shoot(1)]);
    }

    #[test]
    fn a_change_during_a_look_is_looked_at_again() {
        let mut schedule = with_one();
        assert_eq!(schedule.take(at(0), 1).len(), 1);
        schedule.changed(&shoot(1), at(1));
        assert!(schedule.take(at(1), 1).is_empty(), "one look at a time");
        schedule.ended(&shoot(1), true, at(2));
        assert_eq!(schedule.take(at(2), 1).len(), 1);
    }

    #[test]
    fn no_more_are_taken_than_there_is_room_for() {
        let mut schedule = Schedule::new(MINUTE);
        (0..5).for_each(|n| schedule.changed(&shoot(n), at(0)));
        assert_eq!(schedule.take(at(0), 3).len(), 3);
        assert_eq!(schedule.take(at(0), 3).len(), 2);
        assert_eq!(schedule.take(at(0), 3).len(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_looks() {
        let mut schedule = Schedule::new(MINUTE);
        schedule.changed(&shoot(1), at(100_000));
        let mut seconds = looks(&mut schedule, 0..130, true);
        assert_eq!(seconds.remove(0), 60);
        assert!(!seconds.is_empty());
    }

    #[test]
    fn a_shoot_that_hibernates_is_looked_at_once_in_ten_minutes_and_at_once_when_it_wakes() {
        let mut schedule = with_one();
        looks(&mut schedule, 0..1, true);
        schedule.hibernated(&shoot(1), at(1));
        schedule.soon(&shoot(1), at(2));
        schedule.changed(&shoot(1), at(3));
        assert_eq!(looks(&mut schedule, 1..1900, false), [601, 1201, 1801], "whatever happens");
        schedule.woken(&shoot(1), at(1900));
        let woken = looks(&mut schedule, 1900..1960, false);
        assert_eq!(woken, [1900, 1901, 1903, 1907, 1915, 1930, 1945], "as one that is away");
    }

    #[test]
    fn a_look_that_was_under_way_when_the_shoot_was_put_to_sleep_brings_no_other() {
        let mut schedule = with_one();
        assert_eq!(schedule.take(at(0), 1).len(), 1);
        schedule.hibernated(&shoot(1), at(1));
        schedule.ended(&shoot(1), false, at(5));
        assert!(schedule.take(at(590), 1).is_empty());
        assert_eq!(schedule.take(at(605), 1).len(), 1);
    }

    #[test]
    fn a_shoot_that_is_gone_is_not_looked_at() {
        let mut schedule = with_one();
        schedule.remove(&shoot(1));
        assert!(schedule.take(at(0), 1).is_empty());
        schedule.soon(&shoot(1), at(0));
        schedule.ended(&shoot(1), true, at(0));
        assert!(schedule.take(at(1000), 1).is_empty());
    }
}
