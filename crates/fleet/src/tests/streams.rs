use super::*;

#[test]
fn a_stale_view_orders_nothing_and_the_next_whole_set_replaces_it() {
    let records = [fresh("shoot-1/a", 0), fresh("shoot-1/gone", 0)];
    let mut world = World::of(&records, &reachable());
    world.record(Event::Lost);
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    let schedule = world.schedule("shoot-1/a");
    assert_eq!(schedule.state, State::Due, "it says what should happen");
    assert!(schedule.detail.contains("record stream broke"), "and why it does not");

    world.record(Event::Opened);
    world.record(Event::Upsert(fresh("shoot-1/a", 0)));
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    let _ = world.fleet.take_effects();
    world.record(Event::Complete);
    assert!(world.fleet.schedule(at(0), &secret("shoot-1/gone")).is_none());
    assert!(world.fleet.take_effects().changed.contains(&secret("shoot-1/gone")));
    assert_eq!(world.ordered_at(PLANNED), ["shoot-1/a"]);
}

#[test]
fn when_the_state_of_shoots_is_unknown_orders_go_on() {
    let mut world =
        World::of(&[bare("shoot-1/a"), bare("shoot-2/b")], &[shoot("shoot-1", Reach::Unreachable)]);
    assert_eq!(world.ordered_at(0), [""; 0]);
    let schedule = world.schedule("shoot-2/b");
    assert_eq!(schedule.state, State::WaitingForShoot);
    assert!(schedule.detail.contains("no token-issuer knows a shoot shoot-2"));
    world.shoot(Event::Lost);
    assert_eq!(world.ordered_at(0), ["shoot-1/a", "shoot-2/b"]);
}

#[test]
fn the_clock_of_a_shoot_is_remembered_while_the_stream_is_down() {
    let offset = SignedDuration::from_hours(-13);
    let behind = ShootStatus { clock_offset: Some(offset), ..reachable()[0].clone() };
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &[behind]);
    let due = PLANNED + 13 * HOUR;
    assert_eq!(world.ordered_at(due - 2), [""; 0]);
    world.shoot(Event::Lost);
    assert_eq!(world.ordered_at(due - 1), [""; 0]);
    assert_eq!(world.ordered_at(due), ["shoot-1/a"]);
}

#[test]
fn the_next_whole_set_of_shoots_replaces_what_was_known() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    world.shoot(Event::Lost);
    world.shoots(&[]);
    assert_eq!(world.state("shoot-1/a"), State::WaitingForShoot);
    assert_eq!(world.ordered_at(0), [""; 0]);
}

#[test]
fn a_token_issuer_that_reaches_a_shoot_counts_more_than_one_that_does_not() {
    let mut world = World::of(&[bare("shoot-1/a")], &[shoot("shoot-1", Reach::Unreachable)]);
    assert_eq!(world.ordered_at(0), [""; 0]);
    for event in [Event::Opened, Event::Upsert(reachable()[0].clone()), Event::Complete] {
        world.fleet.hear_of_shoots(at(0), 1, event);
    }
    assert_eq!(world.ordered_at(0), ["shoot-1/a"]);
}

#[test]
fn the_answer_counts_before_the_stream_shows_it() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    let order = world.order_at(PLANNED);
    let written = world.succeed(&order);
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    world.record(Event::Upsert(fresh("shoot-1/a", 0)));
    assert_eq!(world.ordered_at(PLANNED + 4), [""; 0], "a stream that lags orders nothing");
    world.record(Event::Upsert(written));
    assert_eq!(world.state("shoot-1/a"), State::Fresh);
    assert_eq!(world.ordered_at(PLANNED + 10), [""; 0]);
}

#[test]
fn somebody_who_puts_the_old_token_back_is_noticed_all_the_same() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    let order = world.order_at(PLANNED);
    world.succeed(&order);
    world.record(Event::Upsert(fresh("shoot-1/a", 0)));
    assert_eq!(world.next_order(PLANNED + 60).map(|(second, _)| second), Some(PLANNED + 5));
}

#[test]
fn an_answer_never_undoes_what_the_stream_has_shown_since() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    let ours = written(&bare("shoot-1/a"), 0, Reason::NothingHeld);
    let edited = without_timestamp(&ours, 0);
    world.record(Event::Upsert(edited.clone()));
    world.end(&order, Ok(ours));
    assert_eq!(world.order_at(0).digest, edited.digest, "the edit came after our write");
}

#[test]
fn where_the_answer_is_lost_the_stream_is_the_acknowledgement() {
    for answer_first in [true, false] {
        let mut world = World::of(&[bare("shoot-1/a")], &reachable());
        let order = world.order_at(0);
        if answer_first {
            world.fail(&order, Kind::TimedOut);
        }
        world.record(Event::Upsert(fresh("shoot-1/a", 0)));
        if !answer_first {
            world.fail(&order, Kind::TimedOut);
        }
        let schedule = world.schedule("shoot-1/a");
        assert_eq!((schedule.state, schedule.failures), (State::Fresh, 0));
        assert_eq!(world.ordered_at(100), [""; 0]);
    }
}

#[test]
fn a_secret_that_goes_while_it_is_renewed_still_counts_until_the_attempt_ends() {
    let mut world = World::limited(1, 1, &[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    world.record(Event::Removed(secret("shoot-1/a")));
    world.record(Event::Upsert(bare("shoot-1/b")));
    let anew = Record { uid: "another".into(), ..bare("shoot-1/a") };
    world.record(Event::Upsert(anew));
    assert_eq!(world.ordered_at(0), [""; 0]);
    assert_eq!(world.state("shoot-1/a"), State::Renewing);
    world.end(&order, Ok(fresh("shoot-1/a", 0)));
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.renewals), (State::Due, 0), "its namesake was renewed");
    assert_eq!(world.tick_at(0).len(), 1);
}
