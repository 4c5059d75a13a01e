use super::*;

fn bare_in(shoot: &str, count: usize) -> Vec<Record> {
    (0..count).map(|n| bare(&format!("{shoot}/secret-{n:04}"))).collect()
}

#[test]
fn one_shoot_gets_no_more_than_its_share_at_once() {
    let mut world = World::of(&bare_in("shoot-1", 20), &reachable());
    let orders = world.tick_at(0);
    assert_eq!(orders.len(), 8);
    assert_eq!(world.tick_at(0).len(), 0);
    let waiting = world.schedule("shoot-1/secret-0019");
    assert_eq!(waiting.state, State::Due);
    assert!(waiting.detail.contains("--in-flight-per-shoot-max"), "{}", waiting.detail);
    world.succeed(&orders[0]);
    assert_eq!(world.tick_at(0).len(), 1, "whoever is done makes room for one");
}

#[test]
fn a_shoot_that_is_away_holds_up_nobody() {
    let records = [bare_in("shoot-1", 100), bare_in("shoot-2", 2)].concat();
    let away = [shoot("shoot-1", Reach::Unreachable), shoot("shoot-2", Reach::Reachable)];
    let mut world = World::of(&records, &away);
    assert_eq!(world.ordered_at(0), ["shoot-2/secret-0000", "shoot-2/secret-0001"]);
    let parked = world.schedule("shoot-1/secret-0000");
    assert_eq!(parked.state, State::WaitingForShoot);
    assert!(parked.detail.contains("connection refused"), "{}", parked.detail);
    assert_eq!(world.fleet.stats(at(0)).ready, 0, "they are not even in the queue");

    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.tick_at(1).len(), 8);
}

#[test]
fn a_shoot_whose_calls_hang_holds_up_nobody() {
    let records = [bare_in("shoot-1", 100), bare_in("shoot-2", 2)].concat();
    let shoots = ["shoot-1", "shoot-2"].map(|name| shoot(name, Reach::Reachable));
    let mut world = World::of(&records, &shoots);
    let orders = world.tick_at(0);
    assert_eq!(orders.len(), 8 + 2);
    let answered = orders.iter().filter(|order| order.secret.namespace.as_str() == "shoot-2");
    answered.for_each(|order| drop(world.succeed(order)));
    world.record(Event::Upsert(bare("shoot-2/late")));
    assert_eq!(world.ordered_at(30), ["shoot-2/late"], "while shoot-1 has not answered once");
}

#[test]
fn when_a_shoot_comes_back_the_most_urgent_go_first() {
    let records = [fresh("shoot-1/a", 0), fresh("shoot-1/b", 100), bare("shoot-1/z")];
    let mut world = World::of(&records, &[shoot("shoot-1", Reach::Unreachable)]);
    assert_eq!(world.ordered_at(PLANNED + 100), [""; 0]);
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    let names = world.ordered_at(PLANNED + 101);
    assert_eq!(names, ["shoot-1/z", "shoot-1/a", "shoot-1/b"]);
}

#[test]
fn a_token_that_expires_while_it_waits_for_the_limits_gets_more_urgent() {
    let mut world = World::limited(1, 1, &[bare("shoot-1/x"), fresh("shoot-1/a", 0)], &reachable());
    let hanging = world.order_at(0);
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    assert_eq!(world.schedule("shoot-1/a").reason, Some(Reason::Due));
    world.now = PLANNED + 10;
    world.record(Event::Upsert(bare("shoot-1/b")));
    let expired = 12 * HOUR;
    assert_eq!(world.ordered_at(expired), [""; 0]);
    assert_eq!(world.schedule("shoot-1/a").reason, Some(Reason::Expired));
    world.succeed(&hanging);
    assert_eq!(world.order_at(expired).secret, secret("shoot-1/a"), "it waits longer than b");
}

#[test]
fn a_thousand_secrets_drain_under_the_limits() {
    let shoots: Vec<_> = (0..10).map(|n| shoot(&format!("shoot-{n}"), Reach::Reachable)).collect();
    let records: Vec<_> = (0..10).flat_map(|n| bare_in(&format!("shoot-{n}"), 100)).collect();
    let mut world = World::of(&records, &shoots);
    let (mut renewed, mut rounds) = (0, 0);
    loop {
        let orders = world.tick_at(rounds);
        if orders.is_empty() {
            break;
        }
        assert!(orders.len() <= 64);
        orders.iter().for_each(|order| drop(world.succeed(order)));
        renewed += orders.len();
        rounds += 1;
    }
    assert_eq!((renewed, rounds), (1_000, 16), "64 at a time");
    assert_eq!(world.fleet.stats(at(rounds)).secrets[&State::Fresh], 1_000);
}

#[test]
fn a_shoot_that_asks_to_slow_down_is_left_alone_as_long_as_it_says() {
    let records = [bare_in("shoot-1", 2), bare_in("shoot-2", 1)].concat();
    let shoots = ["shoot-1", "shoot-2"].map(|name| shoot(name, Reach::Reachable));
    let mut world = World::limited(64, 1, &records, &shoots);
    let orders = world.tick_at(0);
    let order = orders.iter().find(|order| order.secret.namespace.as_str() == "shoot-1").unwrap();
    let throttled = Fault { blame: Blame::Shoot, ..asked_to_wait(Kind::Throttled, 20) };
    world.end(order, Err(throttled));
    assert_eq!(world.ordered_at(19), [""; 0]);
    let other = world.schedule("shoot-1/secret-0001");
    assert!(other.detail.contains("slow down"), "{}", other.detail);
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unknown)));
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.ordered_at(19), [""; 0], "also when it was away in between");
    assert_eq!(world.tick_at(20).len(), 1);
}

fn named(reason: &str, kind: Kind, blame: Blame) -> Fault {
    Fault { reason: reason.to_owned(), blame, ..fault(kind) }
}

/// Ends one of `orders` with a fault, and gives back the limits of all and of its shoot.
fn after(world: &mut World, order: &Order, fault: Fault) -> (usize, usize) {
    world.end(order, Err(fault));
    let now = at(world.now);
    let of_shoot = world.fleet.limits_of(now, &order.secret.namespace);
    (world.fleet.limits(now).in_flight, of_shoot.limit_in_flight)
}

#[test]
fn each_limit_is_cut_by_whoever_answers_badly_and_by_nobody_else() {
    let cases = [
        (named("API_SERVER_THROTTLED", Kind::Throttled, Blame::Shoot), (64, 4)),
        (named("ISSUE_TIMED_OUT", Kind::TimedOut, Blame::Secret), (64, 1)),
        (named("API_SERVER_REFUSED", Kind::Unavailable, Blame::Secret), (64, 6)),
        (named("SEED_THROTTLED", Kind::Throttled, Blame::Secret), (32, 8)),
        (named("RENEWALS_IN_FLIGHT_MAX", Kind::Throttled, Blame::Secret), (32, 8)),
        (named("SEED_TIMED_OUT", Kind::TimedOut, Blame::Secret), (48, 8)),
        (named("API_SERVER_FORBIDDEN", Kind::Denied, Blame::Secret), (64, 8)),
        (named("PEER_UNREACHABLE", Kind::Unavailable, Blame::Writer), (64, 8)),
    ];
    for (fault, limits) in cases {
        let mut world = World::of(&bare_in("shoot-1", 20), &reachable());
        let orders = world.tick_at(0);
        let words = format!("{} {:?}", fault.reason, fault.blame);
        assert_eq!(after(&mut world, &orders[0], fault.clone()), limits, "{words}");
        assert_eq!(after(&mut world, &orders[1], fault), limits, "{words}, under way before");
    }
}

#[test]
fn a_shoot_gets_one_call_at_a_time_while_one_hangs_and_all_of_them_once_it_is_well() {
    let mut world = World::of(&bare_in("shoot-1", 60), &reachable());
    let orders = world.tick_at(0);
    assert_eq!(world.ordered_at(3), [""; 0]);
    let limits = world.fleet.limits_of(at(3), &"shoot-1".parse().unwrap());
    assert_eq!((limits.limit_in_flight, limits.in_flight), (1, 8));
    assert_eq!(limits.slowed_because, "a call to it hangs");
    assert_eq!(world.fleet.limits(at(3)).hanging, 8);
    let timed_out = named("ISSUE_TIMED_OUT", Kind::TimedOut, Blame::Secret);
    orders.iter().for_each(|order| world.end(order, Err(timed_out.clone())));
    assert_eq!(world.fleet.limits(at(3)).hanging, 0);
    let mut most = 0;
    for _ in 0..60 {
        let orders = world.tick_at(4);
        most = most.max(orders.len());
        orders.iter().for_each(|order| drop(world.succeed(order)));
    }
    assert_eq!(most, 8, "healthy again");
}

#[test]
fn a_seed_that_is_slow_for_everybody_slows_down_everybody() {
    let shoots: Vec<_> = (0..40).map(|n| shoot(&format!("shoot-{n}"), Reach::Reachable)).collect();
    let records: Vec<_> = (0..40).flat_map(|n| bare_in(&format!("shoot-{n}"), 4)).collect();
    let mut world = World::of(&records, &shoots);
    world.tick_at(0).iter().for_each(|order| drop(world.succeed(order)));
    let orders = world.tick_at(0);
    world.now = 1;
    orders.iter().for_each(|order| drop(world.succeed(order)));
    assert_eq!(world.fleet.limits(at(1)).in_flight, 48, "three quarters");
}

#[test]
fn a_clock_that_is_set_back_leaves_neither_calls_nor_rates_in_the_future() {
    let mut world = World::of(&bare_in("shoot-1", 60), &reachable());
    let orders = world.tick_at(HOUR);
    assert_eq!(orders.len(), 8);
    assert_eq!(world.ordered_at(0), [""; 0]);
    assert_eq!(world.ordered_at(3), [""; 0]);
    assert_eq!(world.fleet.limits(at(3)).hanging, 8, "by the clock as it is now");
}

/// What is said to the last of 592 that wait.
fn assert_turn(world: &World, words: &str) {
    let last = secret("shoot-1/secret-0599");
    let explained = world.fleet.explain(at(world.now), &last).unwrap();
    let turn = explained.verdict.cause + &explained.more[0].cause;
    assert!(turn.contains("number 592 in the queue of its shoot"), "{turn}");
    assert!(turn.contains(&format!("latest moment of renewal {words}")), "{turn}");
}

#[test]
fn what_cannot_be_in_time_is_known_before_it_is_late_and_said() {
    let records: Vec<_> = (0..600).map(|n| fresh(&format!("shoot-1/secret-{n:04}"), 0)).collect();
    let mut world = World::of(&records, &reachable());
    assert_eq!(world.fleet.stats(at(0)).foreseen, Default::default());
    let due = LIFETIME * 8 / 10 - 2; // two seconds before the latest moment
    assert_eq!(world.tick_at(due).len(), 8);
    // The 592 that are left at 80 a second, in two seconds and five of grace.
    let late = world.fleet.stats(at(due)).foreseen.late;
    assert!((32..=33).contains(&late), "{late}");
    assert_turn(&world, "passes before that");
    world.now = due + 4; // and now they hang
    assert_eq!(world.ordered_at(due + 4), [""; 0]);
    let stats = world.fleet.stats(at(due + 4));
    assert_eq!((stats.overdue, stats.foreseen.late), (0, 592), "none is late yet");
    assert_turn(&world, "has passed");
}
