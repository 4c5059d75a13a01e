use perennial_core::{failure::Failure as _, stop::Stop};

use super::{super::stop::Switch, *};
use crate::fixtures::LIFETIME;

fn stop() -> Stop {
    Stop::new("wrong tokens".parse().unwrap(), "spiffe://x".to_owned(), at(5))
}

impl World {
    fn stop(&mut self) {
        self.fleet.hear_of_stop(at(self.now), Some(stop()));
    }

    fn resume(&mut self) {
        self.fleet.hear_of_stop(at(self.now), None);
    }
}

#[test]
fn nothing_is_ordered_before_the_switch_was_read_and_everything_says_why() {
    let mut world = World { fleet: Fleet::new(settings(64, 8)), now: 0 };
    world.shoots(&reachable());
    world.records(&[bare("shoot-1/a")]);
    for now in [0, 1, 100 * HOUR] {
        assert_eq!(world.ordered_at(now), [""; 0], "at {now}");
    }
    assert!(world.schedule("shoot-1/a").detail.contains("was not read yet"));
    let error = world.fleet.request(at(0), &secret("shoot-1/a")).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "SNAPSHOT_INCOMPLETE"));
    let verdict = world.fleet.explain(at(0), &secret("shoot-1/a")).unwrap().verdict;
    assert!(verdict.remedy.contains("deploy/seed"), "{verdict:?}");
    world.resume();
    assert_eq!(world.ordered_at(world.now), ["shoot-1/a"]);
}

#[test]
fn a_stopped_fleet_is_decided_about_and_shown_and_orders_nothing() {
    let mut world = World::of(&[fresh("shoot-1/a", 0), fresh("shoot-1/z", 0)], &reachable());
    world.stop();
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    let due = world.schedule("shoot-1/a");
    assert_eq!((due.state, due.reason), (State::Due, Some(Reason::Due)));
    assert!(due.detail.contains("stopped by spiffe://x since 1970-01-01T00:00:05Z: wrong tokens"));
    assert!(world.fleet.stats(at(PLANNED)).stopped);

    let error = world.fleet.request(at(PLANNED), &secret("shoot-1/a")).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "FLEET_STOPPED"));
    let explained = world.fleet.explain(at(PLANNED), &secret("shoot-1/a")).unwrap();
    assert_eq!(explained.stopped, Some(stop()));
    assert_eq!(explained.verdict.command, "perennial resume");
    assert_eq!(explained.next.what, "is ordered (due) once the fleet is resumed");
    assert_eq!(world.ordered_at(100 * HOUR), [""; 0], "not when it has expired either");
}

#[test]
fn a_stop_is_the_verdict_on_a_secret_that_is_fresh_too() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &reachable());
    world.stop();
    let verdict = world.fleet.explain(at(HOUR), &secret("shoot-1/a")).unwrap().verdict;
    assert!(verdict.cause.contains("the fleet is stopped by spiffe://x"), "{}", verdict.cause);
    assert_eq!(verdict.command, "perennial resume");
}

#[test]
fn what_is_under_way_ends_and_what_waits_for_its_turn_is_dismissed() {
    let mut world = World::limited(1, 1, &[bare("shoot-1/a"), fresh("shoot-1/z", 0)], &reachable());
    let order = world.order_at(0);
    world.fleet.request(at(0), &secret("shoot-1/z")).unwrap();
    world.stop();
    let effects = world.fleet.take_effects();
    let [(dismissed, error)] = effects.dismissed.as_slice() else { panic!("{effects:?}") };
    assert_eq!((dismissed, error.reason()), (&secret("shoot-1/z"), "FLEET_STOPPED"));
    world.succeed(&order);
    assert_eq!(world.state("shoot-1/a"), State::Fresh);
    assert_eq!(world.ordered_at(1), [""; 0]);
    world.resume();
    assert_eq!(world.ordered_at(2), [""; 0], "the request is not served late");
}

#[test]
fn after_a_stop_the_most_urgent_go_first_and_no_more_than_the_limits_admit() {
    let issued = |n: i64| fresh(&format!("shoot-1/s{n:02}"), -n * 60);
    let records: Vec<_> = (0..40).map(issued).collect();
    let mut world = World::limited(4, 4, &records, &reachable());
    world.stop();
    let long_after = PLANNED + HOUR;
    assert_eq!(world.ordered_at(long_after), [""; 0]);
    world.resume();
    let mut served = Vec::new();
    while served.len() < 40 {
        let orders = world.tick_at(world.now);
        assert!((1..=4).contains(&orders.len()), "{} at once", orders.len());
        for order in orders {
            world.succeed(&order);
            served.push(order.secret.name.to_string());
        }
        world.now += 1;
    }
    let by_expiry: Vec<_> = (0..40).rev().map(|n| format!("s{n:02}")).collect();
    assert_eq!(served, by_expiry);
}

#[test]
fn a_turn_of_the_switch_is_told_once_and_to_those_who_watch() {
    let mut world = World::limited(1, 1, &[bare("shoot-1/a"), bare("shoot-1/b")], &reachable());
    let _under_way = world.order_at(0);
    let _ = world.fleet.take_effects();
    let before = world.fleet.hear_of_stop(at(0), Some(stop()));
    assert_eq!(before, Some(Switch::Running));
    assert!(world.fleet.take_effects().changed.contains(&secret("shoot-1/b")));
    assert_eq!(world.fleet.hear_of_stop(at(0), Some(stop())), None);
    assert_eq!(world.fleet.hear_of_stop(at(0), None), Some(Switch::Stopped(stop())));
}

#[test]
fn the_outlook_counts_what_waits_and_what_expires() {
    let lifetime = LIFETIME;
    let records = [bare("shoot-1/none"), fresh("shoot-1/old", 0), fresh("shoot-1/new", 2 * HOUR)];
    let mut world = World::of(&records, &reachable());
    world.stop();
    let at_the_end = at(lifetime - 600);
    world.tick_at(lifetime - 600);
    let outlook = world.fleet.outlook(at_the_end);
    assert_eq!((outlook.waiting, outlook.unusable, outlook.expiring_within_hour), (3, 1, 1));
    assert_eq!(outlook.next, Some((at(lifetime), secret("shoot-1/old"))));
}
