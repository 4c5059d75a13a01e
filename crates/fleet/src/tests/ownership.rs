use perennial_core::{failure::Failure as _, membership::View, name::ReplicaName};

use super::*;

const SHOOTS: i64 = 12;

fn replica(name: &str) -> ReplicaName {
    name.parse().unwrap()
}

fn view(me: &str, live: &[&str], is_settled: bool) -> View {
    View { me: replica(me), live: live.iter().map(|name| replica(name)).collect(), is_settled }
}

fn records(of: impl Fn(&str) -> Record) -> Vec<Record> {
    (0..SHOOTS).map(|number| of(&format!("shoot-{number}/a"))).collect()
}

impl World {
    /// A replica among others that has read nothing of them yet, with a Secret in each of some shoots.
    fn sharing(records: &[Record]) -> Self {
        let mut fleet = running(settings(64, 8));
        fleet.share(at(0));
        let mut world = Self { fleet, now: 0 };
        let shoots: Vec<_> =
            (0..SHOOTS).map(|n| shoot(&format!("shoot-{n}"), Reach::Reachable)).collect();
        world.shoots(&shoots);
        world.records(records);
        world
    }

    fn members(&mut self, view: View) {
        self.fleet.hear_of_members(at(self.now), at(self.now), view);
    }

    /// All that is ordered at that moment, each of which ends well.
    fn serve_at(&mut self, seconds: i64) -> Vec<String> {
        let orders = self.tick_at(seconds);
        orders.iter().for_each(|order| drop(self.succeed(order)));
        orders.iter().map(|order| order.secret.to_string()).collect()
    }
}

#[test]
fn nothing_is_ordered_before_it_is_known_who_serves_what() {
    let mut world = World::sharing(&records(bare));
    assert_eq!(world.ordered_at(0), [""; 0]);
    assert!(world.schedule("shoot-1/a").detail.contains("other replicas"));
    let error = world.fleet.request(at(0), &secret("shoot-1/a")).unwrap_err();
    assert_eq!(error.reason(), "SNAPSHOT_INCOMPLETE");
    world.members(view("a", &["a"], true));
    assert_eq!(world.ordered_at(0).len(), SHOOTS as usize);
}

#[test]
fn each_shoot_is_served_by_one_of_all_and_who_else_looks_is_told_who() {
    let all = ["a", "b", "c"];
    let mut served = Vec::new();
    for me in all {
        let mut world = World::sharing(&records(bare));
        world.members(view(me, &all, true));
        let orders = world.serve_at(0);
        for number in 0..SHOOTS {
            let name = format!("shoot-{number}/a");
            let owner = world.fleet.served_by(&secret(&name).namespace).cloned();
            assert_eq!(owner.is_none(), orders.contains(&name), "{me} {name}");
            let Some(owner) = owner else { continue };
            assert!(world.schedule(&name).detail.contains(&format!("replica {owner}")));
            let explained = world.fleet.explain(at(0), &secret(&name)).unwrap();
            assert!(explained.verdict.cause.contains(&format!("replica {owner}")), "{explained:?}");
            assert_eq!(explained.verdict.remedy, "", "nobody has to do anything");
        }
        let sharing = world.fleet.sharing();
        assert_eq!((sharing.members, sharing.shoots), (3, orders.len()));
        served.extend(orders);
    }
    served.sort();
    let mut expected: Vec<_> = (0..SHOOTS).map(|n| format!("shoot-{n}/a")).collect();
    expected.sort();
    assert_eq!(served, expected, "each once");
}

#[test]
fn who_joins_orders_nothing_before_the_others_saw_it() {
    let mut world = World::sharing(&records(bare));
    world.members(view("b", &["a", "b"], false));
    assert_eq!(world.ordered_at(0), [""; 0]);
    world.members(view("b", &["a", "b"], true));
    assert!(!world.ordered_at(1).is_empty());
}

#[test]
fn when_one_comes_its_shoots_are_let_go_at_once_and_when_it_goes_they_are_taken_at_once() {
    let mut world = World::sharing(&records(|name| fresh(name, 0)));
    world.members(view("a", &["a"], true));
    world.members(view("a", &["a", "b"], true));
    let mine = world.serve_at(PLANNED);
    assert!(!mine.is_empty() && mine.len() < SHOOTS as usize, "{mine:?}");
    world.members(view("a", &["a"], true));
    let rest = world.serve_at(PLANNED);
    assert_eq!(mine.len() + rest.len(), SHOOTS as usize);
    assert!(rest.iter().all(|name| !mine.contains(name)));
}

#[test]
fn what_is_under_way_when_a_shoot_is_let_go_ends_and_is_not_ordered_again() {
    let mut world = World::sharing(&records(bare));
    world.members(view("a", &["a"], true));
    let orders = world.tick_at(0);
    world.members(view("a", &["a", "b"], true));
    orders.iter().for_each(|order| world.fail(order, Kind::Unavailable));
    let again = world.ordered_at(HOUR);
    assert!(again.iter().all(|name| world.fleet.served_by(&secret(name).namespace).is_none()));
    assert!(again.len() < orders.len());
}

#[test]
fn an_operator_is_served_by_the_replica_that_he_asks() {
    let mut world = World::sharing(&records(|name| fresh(name, 0)));
    world.members(view("a", &["a", "b"], true));
    let theirs = (0..SHOOTS).map(|n| secret(&format!("shoot-{n}/a")));
    let theirs = theirs.into_iter().find(|s| world.fleet.served_by(&s.namespace).is_some());
    let theirs = theirs.unwrap();
    world.fleet.request(at(0), &theirs).unwrap();
    let order = world.order_at(0);
    assert_eq!((&order.secret, order.reason), (&theirs, Reason::Requested));
    world.succeed(&order);
    assert!(!world.ordered_at(PLANNED).contains(&theirs.to_string()), "only what he asked for");
}

#[test]
fn a_process_that_stood_still_reads_leases_before_it_orders() {
    let mut world = World::sharing(&records(|name| fresh(name, 0)));
    world.members(view("a", &["a", "b"], true));
    assert_eq!(world.ordered_at(0), [""; 0]);
    assert_eq!(world.ordered_at(PLANNED - 1), [""; 0], "it stood still until now");
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    // An answer to what was asked before it stood still says nothing.
    let stale = view("a", &["a", "b"], true);
    world.fleet.hear_of_members(at(PLANNED), at(PLANNED - 2), stale);
    assert_eq!(world.ordered_at(PLANNED + 1), [""; 0]);
    world.members(view("a", &["a", "b"], true));
    assert!(!world.ordered_at(PLANNED + 1).is_empty());
}

#[test]
fn three_seconds_are_too_long_because_the_last_look_was_before_that() {
    let ordered_after = |seconds: i64| {
        let mut world = World::sharing(&records(|name| fresh(name, 0)));
        world.members(view("a", &["a", "b"], true));
        let _ = world.tick_at(PLANNED - seconds);
        world.members(view("a", &["a", "b"], true));
        !world.ordered_at(PLANNED).is_empty()
    };
    assert!(ordered_after(2));
    assert!(!ordered_after(3), "a beat, a call of a second and this: another one has settled");
}

#[test]
fn a_clock_that_is_set_back_while_leases_are_unread_holds_up_nothing_for_long() {
    let mut world = World::sharing(&records(bare));
    world.fleet.share(at(HOUR));
    assert_eq!(world.ordered_at(5), [""; 0]);
    world.members(view("a", &["a"], true));
    assert!(!world.ordered_at(6).is_empty());
}

#[test]
fn while_the_seed_does_not_tell_the_share_is_kept_and_what_others_leave_is_taken_after_a_while() {
    let mut world = World::sharing(&records(|name| fresh(name, 0)));
    world.members(view("a", &["a", "b"], true));
    let _ = world.tick_at(PLANNED - 2);
    world.members(view("a", &["a", "b"], true));
    world.fleet.members_lost(at(PLANNED - 2));
    assert!(!world.fleet.sharing().is_known);
    let mine = world.serve_at(PLANNED);
    assert!(!mine.is_empty() && mine.len() < SHOOTS as usize, "{mine:?}");
    for second in 1..15 {
        assert_eq!(world.ordered_at(PLANNED + second), [""; 0]);
    }
    let theirs = world.serve_at(PLANNED + 15);
    assert_eq!(mine.len() + theirs.len(), SHOOTS as usize);
    world.members(view("a", &["a", "b"], true));
    assert!(world.fleet.sharing().is_known);
}

#[test]
fn limits_that_all_share_are_divided_among_the_replicas() {
    let mut world = World::sharing(&records(bare));
    world.members(view("a", &["a"], true));
    assert_eq!(world.fleet.stats(at(0)).limits.in_flight, 64);
    world.members(view("a", &["a", "b", "c"], true));
    let limits = world.fleet.stats(at(0)).limits;
    assert_eq!(limits.in_flight, 22, "64 by 3, rounded up");
    assert!((limits.per_second - 1_000.0 / 3.0).abs() < 1.0, "{limits:?}");
}

#[test]
fn only_who_serves_a_shoot_tells_what_to_observe_there() {
    let mut world = World::sharing(&records(bare));
    assert!(world.fleet.observations(at(0)).is_empty());
    world.members(view("a", &["a", "b"], true));
    let told = |world: &mut World| {
        let told = world.fleet.observations(at(world.now));
        for one in &told {
            assert_eq!(world.fleet.observed(at(world.now), one, true), 0);
        }
        told.into_iter().map(|one| one.shoot).collect::<Vec<_>>()
    };
    let mine = told(&mut world);
    assert!(!mine.is_empty() && mine.len() < SHOOTS as usize);
    assert!(mine.iter().all(|shoot| world.fleet.served_by(shoot).is_none()));
    world.members(view("a", &["a"], true));
    assert_eq!(mine.len() + told(&mut world).len(), SHOOTS as usize);
}
