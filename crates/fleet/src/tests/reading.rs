use super::*;

#[test]
fn a_schedule_says_what_the_token_says_and_what_comes_next() {
    let world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    let schedule = world.schedule("shoot-1/a");
    assert_eq!(schedule.account.unwrap().to_string(), "kube-system/kube-proxy");
    assert_eq!((schedule.issued_at, schedule.expires_at), (Some(at(0)), Some(at(12 * HOUR))));
    assert_eq!(schedule.planned_at, Some(at(PLANNED)));
    assert_eq!(schedule.latest_at, Some(at(12 * HOUR * 80 / 100)));
    assert_eq!(schedule.next_at, Some(at(PLANNED)));
    assert_eq!((schedule.reason, schedule.detail.as_str()), (None, ""));
}

#[test]
fn a_renewal_of_ours_tells_how_long_it_took_and_how_late_it_was() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    let order = world.order_at(PLANNED + 2);
    let answer = written(&fresh("shoot-1/a", 0), PLANNED + 5, Reason::Due);
    let finished =
        world.fleet.finished(at(PLANNED + 5), &order.secret, order.attempt, Ok(answer)).unwrap();
    assert_eq!(finished.took, Duration::from_secs(3));
    assert_eq!(finished.lateness, Some(Duration::from_secs(5)));
    let renewal = world.schedule("shoot-1/a").last_renewal.unwrap();
    assert_eq!((renewal.reason, renewal.took), (Reason::Due, Some(Duration::from_secs(3))));
}

#[test]
fn pages_are_ordered_and_meet_without_a_gap() {
    let names = ["shoot-1/a", "shoot-1/b", "shoot-2/a", "shoot-3/a"];
    let world = World::of(&names.map(|name| fresh(name, 0)), &[]);
    let page = |namespace: Option<&str>, after: Option<&str>, count| -> Vec<String> {
        let namespace = namespace.map(|namespace| namespace.parse().unwrap());
        let after = after.map(secret);
        let page = world.fleet.schedules(at(0), namespace.as_ref(), after.as_ref(), count);
        page.iter().map(|schedule| schedule.secret.to_string()).collect()
    };
    assert_eq!(page(None, None, 10), names);
    assert_eq!(page(None, None, 3), names[..3]);
    assert_eq!(page(None, Some("shoot-1/a"), 2), names[1..3]);
    assert_eq!(page(Some("shoot-2"), None, 10), names[2..3]);
    assert_eq!(page(Some("shoot-1"), Some("shoot-1/a"), 10), names[1..2]);
    assert_eq!(page(Some("shoot-1"), Some("shoot-2/a"), 10), [""; 0]);
    assert_eq!(page(Some("shoot-3"), Some("shoot-2/a"), 10), names[3..]);
}

#[test]
fn b12_a_schedule_that_is_held_names_the_other_writer() {
    let other = OtherWriter { manager: "stranger".to_owned(), at: Some(at(5)) };
    let spoilt = without_timestamp(&fresh("shoot-1/a", 0), 3);
    let named = Record { other_writer: Some(Box::new(other)), ..spoilt.clone() };
    for (record, who) in [
        (named, "\"stranger\" at 1970-01-01T00:00:05Z wrote it after us, find out why"),
        (spoilt, "its renew timestamp was removed again and again"),
    ] {
        let world = World::of(&[record], &reachable());
        let schedule = world.schedule("shoot-1/a");
        assert_eq!(schedule.state, State::Held);
        assert!(schedule.detail.contains(who), "{}", schedule.detail);
    }
}

#[test]
fn what_is_past_its_latest_moment_is_counted() {
    let records = [fresh("shoot-1/a", 0), fresh("shoot-1/b", HOUR)];
    let world = World::of(&records, &[shoot("shoot-1", Reach::Unreachable)]);
    let latest = 12 * HOUR * 80 / 100;
    assert_eq!(world.fleet.stats(at(latest)).overdue, 0);
    assert_eq!(world.fleet.stats(at(latest + 5)).overdue, 0, "a renewal takes its time");
    assert_eq!(world.fleet.stats(at(latest + 6)).overdue, 1);
}

#[test]
fn every_change_names_its_secret() {
    let mut world = World::of(&[fresh("shoot-1/a", 0), fresh("shoot-1/b", 60)], &reachable());
    let changed = |world: &mut World| -> Vec<String> {
        world.fleet.take_effects().changed.iter().map(ToString::to_string).collect()
    };
    assert_eq!(changed(&mut world), ["shoot-1/a", "shoot-1/b"]);
    let order = world.order_at(PLANNED);
    assert_eq!(changed(&mut world), ["shoot-1/a"]);
    world.succeed(&order);
    assert_eq!(changed(&mut world), ["shoot-1/a"]);
    world.record(Event::Upsert(fresh("shoot-1/b", 60)));
    assert_eq!(changed(&mut world), [""; 0], "the same record again is no change");
    world.shoot(Event::Upsert(reachable()[0].clone()));
    assert_eq!(changed(&mut world), [""; 0], "nor is a shoot that stayed as it was");
}
