use proptest::prelude::*;

use super::*;
use crate::fixtures::at;

const SHOOTS: u8 = 6;

fn secret(shoot: u8, name: u16) -> SecretRef {
    SecretRef::parse(&format!("shoot--lab--{shoot}"), &format!("secret-{name:03}")).unwrap()
}

fn urgency() -> impl Strategy<Value = Urgency> {
    prop::sample::select(vec![
        Urgency::OwnCredential,
        Urgency::Requested,
        Urgency::NothingUsable,
        Urgency::Expiring,
        Urgency::Ordinary,
        Urgency::Repair,
    ])
}

type Fleet = Vec<(u8, Urgency, i64, i64)>;

/// Secrets of some shoots, that all are ready at second 1,000.
fn fleet() -> impl Strategy<Value = Fleet> {
    prop::collection::vec((0..SHOOTS, urgency(), 0_i64..1_000, 0_i64..100_000), 1..120)
}

fn queue(fleet: &Fleet) -> Queue {
    let mut queue = Queue::default();
    for (name, (shoot, urgency, ready, deadline)) in (0..).zip(fleet) {
        let slot = Slot { at: at(*ready), urgency: *urgency, deadline: at(*deadline) };
        queue.put(secret(*shoot, name), slot);
    }
    queue.advance(at(1_000));
    queue
}

fn is_by_age(take: u64) -> bool {
    (take + 1).is_multiple_of(OLDEST_EVERY)
}

#[test]
fn who_is_served_for_something_urgent_loses_no_ordinary_turn() {
    let mut queue = Queue::default();
    let slot = |urgency| Slot { at: at(0), urgency, deadline: at(0) };
    for (shoot, name) in [(0, 0), (1, 1), (4, 2), (5, 3), (5, 4), (5, 5)] {
        queue.put(secret(shoot, name), slot(Urgency::Ordinary));
    }
    let mut served = Vec::new();
    for round in 0..4 {
        queue.put(secret(3, 100 + round), slot(Urgency::NothingUsable));
        queue.advance(at(1));
        assert_eq!(queue.take(|_| true).unwrap().namespace.as_str(), "shoot--lab--3");
        served.push(queue.take(|_| true).unwrap().namespace.to_string());
    }
    let all = ["shoot--lab--0", "shoot--lab--1", "shoot--lab--4", "shoot--lab--5"];
    assert_eq!(served, all, "each once, before one comes again");
}

#[test]
fn a_flood_of_urgent_secrets_does_not_starve_an_ordinary_one() {
    let mut queue = Queue::default();
    let slot = |second, urgency| Slot { at: at(second), urgency, deadline: at(second) };
    queue.put(secret(1, 0), slot(0, Urgency::Ordinary));
    let taken = (1..=OLDEST_EVERY).find(|turn| {
        let second = i64::try_from(*turn).unwrap();
        queue.put(secret(2, 1), slot(second, Urgency::NothingUsable)); // fails, and comes again
        queue.advance(at(second));
        queue.take(|_| true).unwrap() == secret(1, 0)
    });
    assert_eq!(taken, Some(OLDEST_EVERY));
}

proptest! {
    #[test]
    fn nothing_leaves_before_what_is_more_urgent_but_by_age(fleet in fleet()) {
        let mut queue = queue(&fleet);
        for take in 0.. {
            let most = queue.ready.values().filter_map(|r| r.by_urgency.first()).map(|p| p.0).min();
            let slots = queue.slots.clone();
            let Some(taken) = queue.take(|_| true) else { break };
            prop_assert!(is_by_age(take) || Some(slots[&taken].urgency) == most, "{taken}");
        }
        prop_assert!(queue.is_empty());
    }

    #[test]
    fn within_a_shoot_the_earliest_deadline_of_the_most_urgent_leaves_first(fleet in fleet()) {
        let mut queue = queue(&fleet);
        for take in 0.. {
            let slots = queue.slots.clone();
            let Some(taken) = queue.take(|_| true) else { break };
            let rank = |secret: &SecretRef| (slots[secret].urgency, slots[secret].deadline);
            let mut of_shoot = slots.keys().filter(|other| other.namespace == taken.namespace);
            prop_assert!(
                is_by_age(take) || of_shoot.all(|other| rank(&taken) <= rank(other)), "{taken}"
            );
        }
    }

    #[test]
    fn no_shoot_comes_twice_before_another_with_something_as_urgent(fleet in fleet()) {
        let mut queue = queue(&fleet);
        let mut served: BTreeMap<(Urgency, ShootId), u64> = BTreeMap::new();
        for take in 0.. {
            let heads: BTreeMap<ShootId, Urgency> = queue
                .ready
                .iter()
                .filter_map(|(s, ready)| Some((s.clone(), ready.by_urgency.first()?.0)))
                .collect();
            let Some(taken) = queue.take(|_| true) else { break };
            if is_by_age(take) {
                continue;
            }
            let urgency = heads[&taken.namespace];
            let before = served.insert((urgency, taken.namespace.clone()), take);
            for (other, _) in heads.iter().filter(|(_, head)| **head == urgency) {
                let last = served.get(&(urgency, other.clone())).copied();
                let waited_all_the_time = last.is_some() && before.is_some();
                prop_assert!(!waited_all_the_time || last > before || *other == taken.namespace);
            }
        }
    }

    #[test]
    fn whoever_is_ready_and_admitted_leaves_within_so_many_takes(
        fleet in fleet(), closed in 0..SHOOTS, pick in any::<prop::sample::Index>(),
    ) {
        let mut queue = queue(&fleet);
        let closed = secret(closed, 0).namespace;
        let waiting: Vec<_> =
            queue.slots.keys().filter(|secret| secret.namespace != closed).cloned().collect();
        prop_assume!(!waiting.is_empty());
        let secret = pick.get(&waiting);
        let age = queue.slots[secret].at;
        let older = queue.slots.values().filter(|slot| slot.at <= age).count() as u64;
        let mut left = OLDEST_EVERY * older;
        let mut newer = 1_000;
        while queue.slot(secret).is_some() {
            prop_assert!(left > 0, "{secret} starves");
            left -= 1;
            let taken = queue.take(|shoot| *shoot != closed).unwrap();
            prop_assert!(taken.namespace != closed);
            // What is taken fails and comes again, more urgent than all.
            newer += 1;
            let slot = Slot { at: at(newer), urgency: Urgency::NothingUsable, deadline: at(0) };
            if taken != *secret {
                queue.put(taken, slot);
                queue.advance(at(newer));
            }
        }
    }

    #[test]
    fn what_is_counted_is_there(fleet in fleet(), takes in 0_usize..150) {
        let mut queue = queue(&fleet);
        (0..takes).for_each(|_| drop(queue.take(|_| true)));
        let left = fleet.len().saturating_sub(takes);
        let (urgent, aged) = queue
            .ready
            .values()
            .fold((0, 0), |(u, a), r| (u + r.by_urgency.len(), a + r.by_age.len()));
        prop_assert_eq!((queue.ready_len(), urgent, aged), (left, left, left));
        for secret in queue.slots.keys() {
            let ahead = queue.ahead_of(secret).unwrap();
            prop_assert!(ahead < queue.ready[&secret.namespace].by_urgency.len());
        }
    }
}
