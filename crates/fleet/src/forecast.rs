//! How many renewals are planned for each slot of the coming time.
//!
//! It is read shoot by shoot, a bounded part at a time: whoever holds the fleet meanwhile holds it
//! for a moment only, and puts the parts together.

use jiff::Timestamp;
use perennial_core::{name::Namespace, shoot::ShootId};

use super::{
    Fleet,
    entry::{Entry, Standing},
};

/// The slots that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Begin of the first one, in seconds since the epoch.
    pub begin: i64,
    /// Length of each, in seconds; more than 0.
    pub seconds: i64,
    /// How many.
    pub count: usize,
}

/// Secrets by when they are renewed. Fields are explained in `forecast.proto`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in forecast.proto")]
pub struct Planned {
    pub slots: Vec<u32>,
    pub beyond: u64,
    pub waiting: u64,
    pub under_way: u64,
    pub without_moment: u64,
}

impl Planned {
    /// Takes another one in.
    pub fn add(&mut self, other: &Self) {
        if self.slots.len() < other.slots.len() {
            self.slots.resize(other.slots.len(), 0);
        }
        self.slots.iter_mut().zip(&other.slots).for_each(|(all, more)| *all += more);
        self.beyond += other.beyond;
        self.waiting += other.waiting;
        self.under_way += other.under_way;
        self.without_moment += other.without_moment;
    }

    /// How many are in slots.
    #[must_use]
    pub fn in_slots(&self) -> u64 {
        self.slots.iter().map(|count| u64::from(*count)).sum()
    }

    fn count(&mut self, slots: &Slots, entry: &Entry) {
        match (&entry.standing, entry.planned_second()) {
            (Standing::Renewing { reason, .. }, _) if reason.needs_token() => self.under_way += 1,
            (_, Some(second)) => self.count_at(slots, second),
            // It lies so far ahead that nothing counts it.
            (Standing::Fresh { .. }, None) => self.beyond += 1,
            (Standing::Due { .. } | Standing::Waiting { .. }, None) => self.waiting += 1,
            (Standing::Renewing { .. }, None) => self.under_way += 1,
            (Standing::Invalid(_) | Standing::Obstructed(_) | Standing::Parked { .. }, None) => {
                self.without_moment += 1;
            }
        }
    }

    fn count_at(&mut self, slots: &Slots, second: i64) {
        let ahead = second - slots.begin;
        match usize::try_from(ahead.div_euclid(slots.seconds)) {
            Err(_) => self.waiting += 1, // it has just come
            Ok(slot) if slot >= slots.count => self.beyond += 1,
            Ok(slot) => {
                if self.slots.len() <= slot {
                    self.slots.resize(slot + 1, 0);
                }
                self.slots[slot] += 1;
            }
        }
    }
}

impl Fleet {
    /// What is planned for the next shoots behind `after`, only of `namespace` where one is given:
    /// as many shoots as have `secrets_max` Secrets together, and at least one. Empty at the end.
    #[must_use]
    pub fn forecast(
        &self,
        slots: &Slots,
        namespace: Option<&Namespace>,
        after: Option<&ShootId>,
        secrets_max: usize,
    ) -> Vec<(ShootId, Planned)> {
        let (mut secrets, mut part) = (0, Vec::new());
        for (shoot, member) in self.members.shoots_behind(namespace, after) {
            let mut planned = Planned::default();
            member.secrets.values().for_each(|entry| planned.count(slots, entry));
            part.push((shoot.clone(), planned));
            secrets += member.secrets.len();
            if secrets >= secrets_max {
                break;
            }
        }
        part
    }

    /// How many renewals are planned for the coming `seconds`.
    #[must_use]
    pub fn planned_within(&self, now: Timestamp, seconds: i64) -> u64 {
        let now = now.as_second();
        self.load.between(now..now.saturating_add(seconds))
    }
}

#[cfg(test)]
mod tests {
    use perennial_core::shoot::Reach;

    use super::*;
    use crate::{
        feed::Event,
        fixtures::{HOUR, PLANNED, at, bare, fresh, invalid, settings, shoot},
    };

    const BY_HOUR: Slots = Slots { begin: 0, seconds: HOUR, count: 12 };

    fn fleet() -> Fleet {
        let mut fleet = Fleet::new(settings());
        let records = [
            fresh("shoot-1/a", 0),
            fresh("shoot-1/b", 2 * HOUR),
            fresh("shoot-1/c", 8 * HOUR),
            invalid("shoot-1/d"),
            bare("shoot-2/a"),
            fresh("shoot-2/b", 0),
            bare("shoot-3/a"),
        ];
        fleet.hear_of_shoots(at(0), 0, Event::Opened);
        for name in ["shoot-1", "shoot-2"] {
            let status = shoot(name, Reach::Reachable);
            fleet.hear_of_shoots(at(0), 0, Event::Upsert(status));
        }
        fleet.hear_of_shoots(at(0), 0, Event::Complete);
        records.into_iter().for_each(|r| fleet.hear_of_records(at(0), Event::Upsert(r)));
        fleet
    }

    fn all(fleet: &Fleet, secrets_max: usize) -> (Planned, Vec<String>) {
        let (mut total, mut shoots, mut after) = (Planned::default(), Vec::new(), None);
        loop {
            let part = fleet.forecast(&BY_HOUR, None, after.as_ref(), secrets_max);
            let Some((last, _)) = part.last() else { return (total, shoots) };
            after = Some(last.clone());
            part.iter().for_each(|(_, planned)| total.add(planned));
            shoots.extend(part.iter().map(|(shoot, _)| shoot.to_string()));
        }
    }

    #[test]
    fn every_secret_is_counted_once_whatever_the_parts() {
        let fleet = fleet();
        let (total, shoots) = all(&fleet, 1);
        assert_eq!(shoots, ["shoot-1", "shoot-2", "shoot-3"]);
        let mut slots = vec![0; 12];
        (slots[9], slots[11]) = (2, 1); // 9 h 7 m 12 s after issue
        let expected = Planned { slots, beyond: 1, waiting: 1, under_way: 0, without_moment: 2 };
        assert_eq!((&total, total.in_slots()), (&expected, 3));
        assert_eq!(all(&fleet, 100), (total, shoots));
    }

    #[test]
    fn a_namespace_is_asked_for_alone_and_what_has_come_waits() {
        let fleet = fleet();
        let slots = Slots { begin: PLANNED + 1, ..BY_HOUR };
        let name = "shoot-1".parse().unwrap();
        let part = fleet.forecast(&slots, Some(&name), None, 100);
        assert_eq!(part.len(), 1);
        assert_eq!((part[0].1.waiting, part[0].1.in_slots()), (1, 2));
        assert_eq!(fleet.forecast(&slots, Some(&name), Some(&name), 100), []);
    }

    #[test]
    fn what_is_planned_soon_is_known_without_a_look_at_each() {
        let fleet = fleet();
        assert_eq!(fleet.planned_within(at(0), PLANNED), 0);
        assert_eq!(fleet.planned_within(at(0), PLANNED + 1), 2);
    }
}
