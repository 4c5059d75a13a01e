use super::*;

fn request(world: &mut World, name: &str) -> Result<(), request::Error> {
    world.fleet.request(at(world.now), &secret(name))
}

#[test]
fn a_requested_renewal_goes_ahead_of_the_queue_and_within_the_limits() {
    let records = [bare("shoot-1/a"), bare("shoot-1/b"), fresh("shoot-1/z", 0)];
    let mut world = World::limited(1, 1, &records, &reachable());
    let order = world.order_at(0);
    request(&mut world, "shoot-1/z").unwrap();
    assert_eq!(world.ordered_at(1), [""; 0]);
    world.succeed(&order);
    let order = world.order_at(1);
    assert_eq!((order.secret, order.reason), (secret("shoot-1/z"), Reason::Requested));
}

#[test]
fn in_audit_mode_all_is_decided_and_nothing_is_ordered_on_request_neither() {
    use perennial_core::failure::Failure as _;

    let settings = Settings { audit: true, ..settings(64, 8) };
    let mut world = World { fleet: running(settings), now: 0 };
    world.shoots(&reachable());
    world.records(&[bare("shoot-1/a"), fresh("shoot-1/z", 0)]);
    for now in [0, 1, PLANNED, 100 * HOUR] {
        world.now = now;
        assert_eq!(world.ordered_at(now), [""; 0], "at {now}");
    }
    world.now = 0;
    let schedule = |name| world.fleet.schedule(at(0), &secret(name)).unwrap();
    assert_eq!(schedule("shoot-1/a").state, State::Due);
    assert!(schedule("shoot-1/a").detail.contains("audit mode (--audit)"));
    assert!(schedule("shoot-1/a").reason.is_some());
    let stats = world.fleet.stats(at(0));
    assert!(stats.audit && stats.in_flight == 0);

    let error = request(&mut world, "shoot-1/z").unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "AUDIT_MODE"));
    assert_eq!(world.ordered_at(1), [""; 0]);
}

#[test]
fn what_cannot_be_renewed_is_refused_at_once_with_the_reason() {
    use perennial_core::failure::Failure as _;

    let held = without_timestamp(&fresh("shoot-1/held", 0), 3);
    let terminating = Record {
        obstacle: Some(perennial_core::record::Obstacle::Terminating),
        ..fresh("shoot-1/going", 0)
    };
    let records = [held, terminating, invalid("shoot-1/invalid"), fresh("shoot-2/away", 0)];
    let mut world = World::of(&records, &reachable());
    let mut reason = |name| {
        let error = request(&mut world, name).unwrap_err();
        (error.kind(), error.reason().to_owned(), error.retry_after().map(|d| d.as_secs()))
    };
    let refused = |kind, reason: &str, after| (kind, reason.to_owned(), after);
    assert_eq!(reason("shoot-1/none"), refused(Kind::NotFound, "SECRET_NOT_FOUND", None));
    assert_eq!(reason("shoot-1/held"), refused(Kind::Held, "NO_STORM", Some(40)));
    assert_eq!(reason("shoot-1/going"), refused(Kind::Held, "SECRET_TERMINATING", None));
    assert_eq!(reason("shoot-1/invalid"), refused(Kind::Invalid, "DURATION_INVALID", None));
    assert_eq!(reason("shoot-2/away"), refused(Kind::Unavailable, "SHOOT_NOT_KNOWN", None));
    let error = World::empty().fleet.request(at(0), &secret("shoot-1/a")).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "SECRET_NOT_KNOWN_YET"));
    world.record(Event::Lost);
    let error = request(&mut world, "shoot-1/held").unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "SNAPSHOT_INCOMPLETE"));
}

#[test]
fn one_renewal_of_a_secret_at_a_time() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    request(&mut world, "shoot-1/a").unwrap();
    let under_way = Err(request::Error::UnderWay(secret("shoot-1/a")));
    assert_eq!(request(&mut world, "shoot-1/a"), under_way, "while it waits its turn");
    let order = world.order_at(0);
    assert_eq!(request(&mut world, "shoot-1/a"), under_way, "and while it is renewed");
    world.succeed(&order);
    assert_eq!(world.schedule("shoot-1/a").renewals, 1);
}

#[test]
fn a_request_ends_a_back_off_but_not_what_others_asked_for() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    let order = world.order_at(0);
    world.fail(&order, Kind::Invalid);
    request(&mut world, "shoot-1/a").unwrap();
    let order = world.order_at(0);
    world.end(&order, Err(asked_to_wait(Kind::Throttled, 20)));
    let error = request(&mut world, "shoot-1/a").unwrap_err();
    assert_eq!(error, request::Error::Throttled(secret("shoot-1/a"), Duration::from_secs(20)));
}

#[test]
fn a_request_that_cannot_be_served_any_more_is_dismissed() {
    let records = [bare("shoot-1/a"), fresh("shoot-1/z", 0), fresh("shoot-1/y", 0)];
    let mut world = World::limited(1, 1, &records, &reachable());
    let _hanging = world.order_at(0);
    request(&mut world, "shoot-1/z").unwrap();
    request(&mut world, "shoot-1/y").unwrap();
    world.record(Event::Removed(secret("shoot-1/y")));
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    let dismissed = world.fleet.take_effects().dismissed;
    assert_eq!(dismissed[0].1, request::Error::NotFound(secret("shoot-1/y")));
    assert!(matches!(&dismissed[1].1, request::Error::Away(z, ..) if *z == secret("shoot-1/z")));
    assert_eq!(world.state("shoot-1/z"), State::Fresh);
}
