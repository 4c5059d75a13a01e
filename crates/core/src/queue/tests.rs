use proptest::prelude::*;

use super::*;
use crate::fixtures::at;

fn secret(shoot: u8, name: u8) -> SecretRef {
    SecretRef::parse(&format!("shoot--lab--{shoot}"), &format!("secret-{name}")).unwrap()
}

fn slot(seconds: i64) -> Slot {
    Slot { at: at(seconds), urgency: Urgency::Ordinary, deadline: at(seconds) }
}

fn drain(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| queue.take(|_| true)).map(|s| s.to_string()).collect()
}

#[test]
fn nothing_is_ready_before_its_moment_and_the_earliest_goes_first() {
    let mut queue = Queue::default();
    queue.put(secret(1, 1), slot(20));
    queue.put(secret(1, 2), slot(10));
    queue.advance(at(9));
    assert_eq!(queue.take(|_| true), None);
    queue.advance(at(30));
    assert_eq!(drain(&mut queue), ["shoot--lab--1/secret-2", "shoot--lab--1/secret-1"]);
}

#[test]
fn a_secret_has_one_slot_and_the_last_one_counts() {
    let mut queue = Queue::default();
    queue.put(secret(1, 1), slot(10));
    queue.advance(at(10));
    queue.put(secret(1, 1), slot(50));
    queue.advance(at(49));
    assert_eq!((queue.len(), queue.ready_len(), queue.take(|_| true)), (1, 0, None));
    queue.advance(at(50));
    assert_eq!(drain(&mut queue).len(), 1);
    assert!(queue.is_empty());
}

#[test]
fn shoots_take_turns_and_a_full_one_is_passed_over() {
    let mut queue = Queue::default();
    for name in 0..3 {
        queue.put(secret(1, name), slot(i64::from(name)));
    }
    queue.put(secret(2, 0), slot(90));
    queue.advance(at(100));
    let order = drain(&mut queue);
    assert_eq!(order[1], "shoot--lab--2/secret-0", "{order:?}");
    queue.put(secret(1, 0), slot(0));
    queue.advance(at(100));
    assert_eq!(queue.take(|shoot| shoot.as_str() != "shoot--lab--1"), None);
    assert_eq!(queue.len(), 1);
}

#[test]
fn an_unusable_token_goes_before_every_ordinary_renewal() {
    let mut queue = Queue::default();
    queue.put(secret(1, 1), slot(0));
    queue.put(secret(2, 2), Slot { urgency: Urgency::NothingUsable, ..slot(5) });
    queue.put(secret(3, 3), Slot { urgency: Urgency::OwnCredential, ..slot(5) });
    queue.advance(at(10));
    let names = ["shoot--lab--3/secret-3", "shoot--lab--2/secret-2", "shoot--lab--1/secret-1"];
    assert_eq!(drain(&mut queue), names);
}

#[test]
fn a_clock_that_jumps_back_loses_nothing() {
    let mut queue = Queue::default();
    queue.put(secret(1, 1), slot(100));
    queue.advance(at(100));
    queue.advance(at(-1_000));
    queue.put(secret(1, 2), slot(50));
    queue.advance(at(100));
    assert_eq!(drain(&mut queue).len(), 2);
}

proptest! {
    #[test]
    fn every_secret_leaves_exactly_once_and_never_early(
        puts in prop::collection::vec((0_u8..4, 0_u8..6, 0_i64..100), 0..60),
        steps in prop::collection::vec(0_i64..120, 1..20),
    ) {
        let mut queue = Queue::default();
        let mut expected = HashMap::new();
        for (shoot, name, seconds) in puts {
            queue.put(secret(shoot, name), slot(seconds));
            expected.insert(secret(shoot, name), seconds);
        }
        let mut horizon = i64::MIN; // a clock may go back, what it made ready stays so
        for now in steps.into_iter().chain([1_000]) {
            queue.advance(at(now));
            horizon = horizon.max(now);
            while let Some(taken) = queue.take(|_| true) {
                let due = expected.remove(&taken);
                prop_assert!(due.is_some_and(|due| due <= horizon), "{taken} {due:?} {horizon}");
            }
        }
        prop_assert!(expected.is_empty() && queue.is_empty());
    }
}
