use super::*;

#[test]
fn pauses_between_failed_attempts_grow_and_success_ends_them() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let mut moments = Vec::new();
    for _ in 0..7 {
        let (second, order) = world.next_order(1_000).unwrap();
        moments.push(second);
        world.fail(&order, Kind::Internal);
    }
    let pauses: Vec<_> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 30), "somebody waits for a token: {pauses:?}");
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.failures), (State::BackingOff, 7));
    assert_eq!(schedule.detail, "it is internal");

    let (_, order) = world.next_order(1_000).unwrap();
    world.succeed(&order);
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.failures, schedule.renewals), (State::Fresh, 0, 1));
    assert_eq!(schedule.last_failure, None);
}

#[test]
fn a_changed_record_ends_the_pause() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    let order = world.order_at(PLANNED);
    world.fail(&order, Kind::Invalid);
    assert_eq!(world.ordered_at(PLANNED + 100), [""; 0], "the longest pause");
    world.record(Event::Upsert(without_timestamp(&fresh("shoot-1/a", 0), 0)));
    assert_eq!(world.order_at(PLANNED + 100).reason, Reason::TimestampRemoved);
}

#[test]
fn a_shoot_that_answers_again_ends_the_pause() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    for second in [0, 10, 20, 40, 80] {
        let order = world.order_at(PLANNED + second);
        world.fail(&order, Kind::Unavailable);
    }
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    assert_eq!(world.state("shoot-1/a"), State::WaitingForShoot);
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.ordered_at(PLANNED + 82), ["shoot-1/a"], "16 s would have been the pause");
}

#[test]
fn a_record_that_changed_meanwhile_is_decided_on_anew_without_a_failure() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    world.fail(&order, Kind::Changed);
    assert_eq!(world.ordered_at(1), [""; 0], "its new record is on its way");
    let put_there = fresh("shoot-1/a", 1);
    world.record(Event::Upsert(put_there));
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.failures), (State::Fresh, 0));
    assert_eq!(world.ordered_at(1), [""; 0]);
}

#[test]
fn a_record_that_is_still_not_good_is_ordered_as_soon_as_it_is_seen() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    world.fail(&order, Kind::Changed);
    let other = Record { digest: Digest::received("other".to_owned()), ..bare("shoot-1/a") };
    world.record(Event::Upsert(other.clone()));
    let order = world.order_at(0);
    assert_eq!(order.digest, other.digest);

    let third = Record { digest: Digest::received("third".to_owned()), ..other };
    world.record(Event::Upsert(third));
    world.fail(&order, Kind::Changed);
    assert_eq!(world.ordered_at(0), [""; 0], "whoever edits without pause");
    assert_eq!(world.ordered_at(1), ["shoot-1/a"], "gets one attempt a second");
}

#[test]
fn when_no_new_record_comes_within_five_seconds_it_is_decided_again() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    world.fail(&order, Kind::Changed);
    assert_eq!(world.next_order(60).map(|(second, _)| second), Some(5));
}

#[test]
fn b12_a_hold_of_the_secret_writer_is_honoured_and_no_failure() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    world.end(&order, Err(asked_to_wait(Kind::Held, 40)));
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.failures), (State::Held, 0));
    assert_eq!(schedule.next_at, Some(at(40)));
    assert_eq!(world.next_order(100).map(|(second, _)| second), Some(40));
}

#[test]
fn b12_a_streak_of_spoilt_tokens_is_held_by_its_memory() {
    let spoilt = without_timestamp(&fresh("shoot-1/a", 0), 3);
    let mut world = World::of(&[spoilt], &reachable());
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.next_at), (State::Held, Some(at(40))));
    assert!(schedule.detail.contains("planned moment: 3"), "{}", schedule.detail);
    assert_eq!(world.next_order(100).map(|(second, _)| second), Some(40));
}

#[test]
fn a_seed_that_asks_to_slow_down_is_obeyed_for_that_secret_and_nothing_is_held_against_its_shoot() {
    let records = [bare("shoot-1/a"), bare("shoot-1/b")];
    let mut world = World::limited(1, 1, &records, &reachable());
    let order = world.order_at(0);
    world.end(&order, Err(asked_to_wait(Kind::Throttled, 40))); // blames nobody but the Secret
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.next_at), (State::BackingOff, Some(at(40))));

    let other = world.order_at(0);
    assert_eq!(other.secret, secret("shoot-1/b"), "the others of the shoot go on");
    world.succeed(&other);
    world.record(Event::Upsert(without_timestamp(&bare("shoot-1/a"), 0)));
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.next_order(100).map(|(second, _)| second), Some(40), "nothing ends it early");
}

#[test]
fn a_secret_writer_that_is_not_reached_pauses_all_and_is_nobodys_failure() {
    let records = [bare("shoot-1/a"), bare("shoot-1/b")];
    let mut world = World::limited(1, 1, &records, &reachable());
    let order = world.order_at(0);
    let away = Fault { blame: Blame::Writer, ..fault(Kind::Unavailable) };
    world.end(&order, Err(away));
    assert_eq!(world.ordered_at(0), [""; 0]);
    let schedule = world.schedule("shoot-1/b");
    assert_eq!((schedule.state, schedule.failures), (State::Due, 0));
    assert!(schedule.detail.contains("the secret-writer is not reached"), "{}", schedule.detail);
    assert_eq!(world.tick_at(1).len(), 1);
}

#[test]
fn what_asks_for_something_impossible_is_left_alone_until_it_is_corrected() {
    let mut world = World::of(&[invalid("shoot-1/a"), bare("shoot-1/b")], &reachable());
    let order = world.order_at(0);
    assert_eq!(order.secret, secret("shoot-1/b"));
    world.succeed(&order);
    let schedule = world.schedule("shoot-1/a");
    assert_eq!(schedule.state, State::Invalid);
    assert!(schedule.detail.contains("not a Go duration"));
    assert_eq!(world.ordered_at(HOUR), [""; 0]);
    world.record(Event::Upsert(bare("shoot-1/a")));
    assert_eq!(world.ordered_at(HOUR), ["shoot-1/a"]);
}

#[test]
fn a_clock_that_is_set_back_ends_pauses_and_orders_nothing_early() {
    let mut world = World::of(&[bare("shoot-1/a"), fresh("shoot-1/b", 0)], &reachable());
    let order = world.order_at(HOUR);
    world.end(&order, Err(asked_to_wait(Kind::Throttled, 60)));
    assert_eq!(world.ordered_at(HOUR + 59), [""; 0]);
    assert_eq!(world.ordered_at(100), ["shoot-1/a"]);
}
