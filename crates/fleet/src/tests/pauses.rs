use jiff::SignedDuration;
use perennial_core::{
    failure::Failure as _,
    pause::{Pause, Pauses},
};

use super::{
    super::{
        explain::Finding,
        pauses::{PauseStats, Turn},
    },
    *,
};
use crate::fixtures::LIFETIME;

/// When the token of a Secret that was issued at 0 should have been replaced.
const LATE: i64 = LIFETIME * 8 / 10 + 60;

fn pause(lasting: Option<i64>) -> Pause {
    let lasting = lasting.map(SignedDuration::from_secs);
    Pause::new("migration".parse().unwrap(), "spiffe://x".to_owned(), at(5), lasting)
}

impl World {
    fn pause(&mut self, shoots: &[&str], pause: &Pause) {
        let paused = shoots.iter().map(|shoot| (shoot.parse().unwrap(), pause.clone()));
        self.fleet.hear_of_pauses(at(self.now), paused.collect());
    }

    fn turns(&mut self) -> Vec<String> {
        let word = |turn: &Turn| match turn {
            Turn::Began(shoot, _) => format!("{shoot} paused"),
            Turn::Ended(shoot, _) => format!("{shoot} resumed"),
            Turn::Late(secret, end) => format!("{secret} late, expires {:.0}", end.unwrap()),
        };
        self.fleet.take_pause_turns().iter().map(word).collect()
    }

    fn two_shoots() -> Self {
        let records = [fresh("shoot-1/a", 0), fresh("shoot-2/a", 0)];
        Self::of(
            &records,
            &[shoot("shoot-1", Reach::Reachable), shoot("shoot-2", Reach::Reachable)],
        )
    }
}

#[test]
fn a_paused_shoot_is_decided_about_and_shown_and_only_the_others_are_renewed() {
    let mut world = World::two_shoots();
    world.pause(&["shoot-1"], &pause(None));
    assert_eq!(world.ordered_at(PLANNED), ["shoot-2/a"]);
    assert_eq!(world.ordered_at(PLANNED + 1), [""; 0]);
    let due = world.schedule("shoot-1/a");
    assert_eq!((due.state, due.reason, due.paused), (State::Due, Some(Reason::Due), true));
    let told = "its shoot is paused by spiffe://x since 1970-01-01T00:00:05Z: migration";
    assert!(due.detail.ends_with(told), "{}", due.detail);
    assert!(!world.schedule("shoot-2/a").paused);

    world.pause(&[], &pause(None));
    assert_eq!(world.ordered_at(PLANNED + 2), ["shoot-1/a"]);
    assert_eq!(world.turns(), ["shoot-1 paused", "shoot-1 resumed"]);
}

#[test]
fn a_repair_waits_and_a_token_that_is_missing_too() {
    let mut world = World::of(&[bare("shoot-1/a")], &reachable());
    world.pause(&["shoot-1"], &pause(None));
    assert_eq!(world.ordered_at(100 * HOUR), [""; 0]);
    let verdict = world.fleet.explain(at(100 * HOUR), &secret("shoot-1/a")).unwrap().verdict;
    assert!(verdict.cause.ends_with("have no usable token, and get none before that is over."));
}

#[test]
fn an_operator_is_refused_with_who_when_and_why_and_what_ends_it() {
    let mut world = World::two_shoots();
    world.pause(&["shoot-1"], &pause(None));
    let error = world.fleet.request(at(9), &secret("shoot-1/a")).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "SHOOT_PAUSED"));
    assert_eq!(
        error.to_string(),
        "shoot-1/a is not renewed: its shoot is paused by spiffe://x since 1970-01-01T00:00:05Z: \
         migration; perennial resume shoot-1 ends that"
    );
    let error = world.fleet.revoke(at(9), &secret("shoot-1/a"), 0, None).unwrap_err();
    assert_eq!(error.reason(), "SHOOT_PAUSED");
    assert!(world.fleet.request(at(9), &secret("shoot-2/a")).is_ok());
}

#[test]
fn what_is_under_way_ends_and_what_waits_for_its_turn_is_dismissed() {
    let mut world = World::limited(1, 1, &[bare("shoot-1/a"), fresh("shoot-1/z", 0)], &reachable());
    let order = world.order_at(0);
    world.fleet.request(at(0), &secret("shoot-1/z")).unwrap();
    world.pause(&["shoot-1"], &pause(None));
    let effects = world.fleet.take_effects();
    let [(dismissed, error)] = effects.dismissed.as_slice() else { panic!("{effects:?}") };
    assert_eq!((dismissed, error.reason()), (&secret("shoot-1/z"), "SHOOT_PAUSED"));
    world.succeed(&order);
    assert_eq!(world.state("shoot-1/a"), State::Fresh);
    world.pause(&[], &pause(None));
    assert_eq!(world.ordered_at(2), [""; 0], "the request is not served late");
}

#[test]
fn a_pause_with_an_end_is_over_by_itself_and_a_clock_that_is_set_back_brings_it_back() {
    let mut world = World::two_shoots();
    world.now = PLANNED;
    world.pause(&["shoot-1", "shoot-2"], &pause(Some(PLANNED + 95)));
    assert_eq!(world.ordered_at(PLANNED + 99), [""; 0]);
    let _ = world.fleet.take_effects();
    let orders = world.tick_at(PLANNED + 100);
    assert_eq!(orders.len(), 2);
    assert!(world.fleet.take_effects().changed.contains(&secret("shoot-1/a")), "whoever watches");
    orders.iter().for_each(|order| drop(world.succeed(order)));
    assert!(world.fleet.pauses().is_empty());
    world.tick_at(PLANNED);
    assert_eq!(world.fleet.pauses().len(), 2, "the seed still says so");
}

#[test]
fn after_a_pause_the_most_urgent_go_first_and_no_more_than_the_limits_admit() {
    let issued = |n: i64| fresh(&format!("shoot-1/s{n:02}"), -n * 60);
    let records: Vec<_> = (0..12).map(issued).collect();
    let mut world = World::limited(4, 4, &records, &reachable());
    world.pause(&["shoot-1"], &pause(None));
    assert_eq!(world.ordered_at(PLANNED + HOUR), [""; 0]);
    world.pause(&[], &pause(None));
    let mut served = Vec::new();
    while served.len() < 12 {
        let orders = world.tick_at(world.now);
        assert!((1..=4).contains(&orders.len()), "{} at once", orders.len());
        for order in orders {
            world.succeed(&order);
            served.push(order.secret.name.to_string());
        }
        world.now += 1;
    }
    let by_expiry: Vec<_> = (0..12).rev().map(|n| format!("s{n:02}")).collect();
    assert_eq!(served, by_expiry);
}

#[test]
fn the_verdict_says_who_paused_and_when_the_token_expires() {
    let mut world = World::two_shoots();
    let explain = |world: &World, now| world.fleet.explain(at(now), &secret("shoot-1/a")).unwrap();
    for (lasting, place) in [
        (None, ""),
        (Some(2 * LIFETIME), ", before that is over"),
        (Some(LIFETIME / 2), ", after that is over"),
    ] {
        world.now = 60;
        world.pause(&["shoot-1"], &pause(lasting));
        let explained = explain(&world, 60);
        assert_eq!(explained.pause, Some(pause(lasting)));
        let Finding { cause, command, .. } = explained.verdict;
        assert!(cause.contains("its shoot is paused by spiffe://x since 1970"), "{cause}");
        assert!(cause.ends_with(&format!("its token expires in 11h59m{place}.")), "{cause}");
        assert_eq!(command, "perennial resume shoot-1");
    }
    world.pause(&["shoot-1"], &pause(None));
    world.tick_at(PLANNED);
    let explained = explain(&world, PLANNED);
    assert!(
        explained.verdict.cause.starts_with("It is to be renewed (due), and nothing is ordered")
    );
    assert_eq!(explained.verdict.command, "perennial resume shoot-1");
    assert_eq!(explained.next.what, "is ordered (due) once its shoot is resumed");
    assert_eq!(world.fleet.explain(at(60), &secret("shoot-2/a")).unwrap().pause, None);
}

#[test]
fn a_stopped_fleet_is_told_of_before_a_pause() {
    let mut world = World::two_shoots();
    world.pause(&["shoot-1"], &pause(None));
    let stop = perennial_core::stop::Stop::new("x".parse().unwrap(), "y".to_owned(), at(0));
    world.fleet.hear_of_stop(at(0), Some(stop));
    let error = world.fleet.request(at(9), &secret("shoot-1/a")).unwrap_err();
    assert_eq!(error.reason(), "FLEET_STOPPED");
    let explained = world.fleet.explain(at(9), &secret("shoot-1/a")).unwrap();
    assert_eq!(explained.verdict.command, "perennial resume");
}

#[test]
fn the_outlook_counts_and_names_what_expires_before_the_end() {
    let records = [
        bare("shoot-1/none"),
        fresh("shoot-1/old", 0),
        fresh("shoot-1/new", 2 * HOUR),
        fresh("shoot-2/other", 0),
    ];
    let mut world = World::of(&records, &reachable());
    world.pause(&["shoot-1"], &pause(None));
    let now = LIFETIME - 600;
    world.tick_at(now);
    let outlook = |until: Option<i64>| {
        world.fleet.pause_outlook(at(now), &"shoot-1".parse().unwrap(), until.map(at))
    };
    let open = outlook(None);
    assert_eq!((open.secrets, open.waiting, open.unusable), (3, 3, 1));
    let expiring = (open.expiring, open.expiring_within_hour, open.expiring_within_day);
    assert_eq!(expiring, (1, 1, 2), "without an end, within the hour");
    let names: Vec<_> =
        open.first.iter().map(|(end, secret)| (*end, secret.name.as_str())).collect();
    assert_eq!(names, [(at(LIFETIME), "old"), (at(LIFETIME + 2 * HOUR), "new")]);
    assert_eq!(outlook(Some(LIFETIME - 1)).expiring, 0);
    assert_eq!(outlook(Some(LIFETIME)).expiring, 1);
    assert_eq!(outlook(Some(LIFETIME + 3 * HOUR)).expiring, 2);
}

#[test]
fn a_token_that_should_have_been_replaced_is_told_of_once_and_counted() {
    let mut world = World::two_shoots();
    world.pause(&["shoot-1"], &pause(Some(2 * LIFETIME)));
    world.tick_at(PLANNED);
    assert_eq!(world.turns(), ["shoot-1 paused"]);
    let counted = world.fleet.stats(at(PLANNED)).paused;
    assert_eq!(counted, PauseStats { shoots: 1, overdue: 0, expiring: 1 });
    for _ in 0..3 {
        world.tick_at(LATE.max(world.now + 1));
    }
    let end = at(LIFETIME);
    assert_eq!(world.turns(), [format!("shoot-1/a late, expires {end:.0}")]);
    let stats = world.fleet.stats(at(world.now));
    assert_eq!(
        (stats.paused.overdue, stats.overdue),
        (1, 2),
        "the other one is under way, overdue"
    );
}

#[test]
fn a_pause_that_says_something_else_is_a_turn_and_the_same_again_is_none() {
    let mut world = World::two_shoots();
    world.pause(&["shoot-1"], &pause(None));
    let revision = world.fleet.pauses_revision();
    world.pause(&["shoot-1"], &pause(None));
    assert_eq!((world.turns().len(), world.fleet.pauses_revision()), (1, revision));
    world.pause(&["shoot-1"], &pause(Some(60)));
    assert_eq!(world.turns(), ["shoot-1 paused"]);
    assert!(world.fleet.pauses_revision() > revision);
    world.fleet.hear_of_pauses(at(world.now), Pauses::default());
    assert_eq!(world.turns(), ["shoot-1 resumed"]);
}

#[test]
fn a_shoot_is_known_by_its_secrets_or_by_a_token_issuer_and_unknown_only_where_all_is_known() {
    let world = World::of(&[bare("shoot-2/a")], &reachable());
    let knows = |world: &World, shoot: &str| world.fleet.knows_shoot(&shoot.parse().unwrap());
    let known = ["shoot-1", "shoot-2", "shoot-3"].map(|shoot| knows(&world, shoot));
    assert_eq!(known, [Some(true), Some(true), Some(false)]);
    assert_eq!(knows(&World::empty(), "shoot-3"), None);
}
