use super::*;

#[test]
fn a_restart_with_everything_fresh_orders_nothing_until_the_planned_moment() {
    let mut world = World::of(&[fresh("shoot-1/a", 0), fresh("shoot-1/b", 0)], &reachable());
    for second in [0, 1, HOUR, PLANNED - 1] {
        assert_eq!(world.ordered_at(second), [""; 0], "at {second}");
    }
    assert_eq!(world.state("shoot-1/a"), State::Fresh);
    let orders = world.tick_at(PLANNED);
    assert_eq!(orders.len(), 2);
    assert!(orders.iter().all(|order| order.reason == Reason::Due));
}

#[test]
fn a_secret_without_a_token_is_ordered_at_once() {
    let mut world = World::of(&[], &reachable());
    world.record(Event::Upsert(bare("shoot-1/a")));
    let order = world.order_at(0);
    assert_eq!((order.reason, order.digest), (Reason::NothingHeld, bare("shoot-1/a").digest));
    assert_eq!(world.state("shoot-1/a"), State::Renewing);
}

#[test]
fn nothing_is_ordered_before_both_first_sets_are_in() {
    let mut world = World::empty();
    world.record(Event::Opened);
    world.record(Event::Upsert(bare("shoot-1/a")));
    world.shoots(&reachable());
    assert_eq!(world.ordered_at(0), [""; 0]);
    assert!(!world.fleet.has_records());
    assert!(
        world.schedule("shoot-1/a").detail.contains("secret-writer"),
        "it says what is missing"
    );
    world.record(Event::Complete);
    assert_eq!(world.ordered_at(0), ["shoot-1/a"]);

    let mut world = World::empty();
    world.records(&[bare("shoot-1/a")]);
    world.shoot(Event::Opened);
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.ordered_at(0), [""; 0]);
    assert!(world.schedule("shoot-1/a").detail.contains("token-issuer"));
    world.shoot(Event::Complete);
    assert_eq!(world.ordered_at(0), ["shoot-1/a"]);
}

#[test]
fn one_token_issuer_that_is_not_reached_does_not_hold_up_the_start() {
    let mut world = World::empty();
    world.records(&[bare("shoot-1/a")]);
    world.fleet.hear_of_shoots(at(0), 1, Event::Opened);
    world.shoots(&reachable());
    assert_eq!(world.ordered_at(0), [""; 0], "the second one was reached and is not through");
    world.fleet.hear_of_shoots(at(0), 1, Event::Lost);
    assert_eq!(world.ordered_at(0), ["shoot-1/a"]);
}

#[test]
fn after_a_restart_every_renewal_still_has_its_reason() {
    let record = written(&bare("shoot-1/a"), 100, Reason::InputsChanged);
    let world = World::of(&[record], &reachable());
    let renewal = world.schedule("shoot-1/a").last_renewal.unwrap();
    assert_eq!((renewal.at, renewal.reason), (at(100), Reason::InputsChanged));
    assert_eq!(renewal.took, None, "this scheduler did not order it");
}

#[test]
fn f_the_own_credential_goes_first_and_the_unusable_before_the_ordinary() {
    let due = [
        bare("shoot-1/b"),
        fresh("shoot-1/c", 0),
        bare("shoot-1/shoot-access-token-issuer"),
        fresh("shoot-1/a", 60),
    ];
    let mut world = World::of(&due, &reachable());
    let names = world.ordered_at(PLANNED + 60);
    let order = ["shoot-access-token-issuer", "b", "c", "a"].map(|n| format!("shoot-1/{n}"));
    assert_eq!(names, order);
}

#[test]
fn first_tokens_of_a_mass_start_get_the_wide_window_and_each_its_own_place() {
    let windows = |count: usize| {
        let records: Vec<_> = (0..count).map(|n| bare(&format!("shoot-{}/s", n % 40))).collect();
        let records: Vec<_> = records
            .into_iter()
            .enumerate()
            .map(|(n, r)| Record { secret: secret(&format!("{}-{n}", r.secret)), ..r })
            .collect();
        let shoots: Vec<_> =
            (0..40).map(|n| shoot(&format!("shoot-{n}"), Reach::Reachable)).collect();
        let orders = World::of(&records, &shoots).tick_at(0);
        (orders[0].window, orders[0].place != orders[1].place)
    };
    assert_eq!(windows(33), (Window::MASS_START, true));
    assert_eq!(windows(32), (Window::ORDINARY, true));
}
