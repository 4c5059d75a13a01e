//! Every class of failure: what is paused, for how long, who else waits, and what it costs.

use super::*;
use crate::outages::{Class, PROBE_PAUSE_MAX};

/// `shoot-S/secret-N`: three shoots with four Secrets each, all without a token.
fn many() -> Vec<Record> {
    let names = (1..=3).flat_map(|shoot| (1..=4).map(move |n| format!("shoot-{shoot}/secret-{n}")));
    names.map(|name| bare(&name)).collect()
}

fn world() -> World {
    let shoots = [1, 2, 3].map(|number| shoot(&format!("shoot-{number}"), Reach::Reachable));
    World::of(&many(), &shoots)
}

/// How many orders go out in each second, by shoot, where those of `fails` fail and others wait for
/// ever; the limits admit all at once.
fn orders(
    world: &mut World,
    seconds: i64,
    fails: impl Fn(&SecretRef) -> Option<Fault>,
) -> [usize; 3] {
    let mut counts = [0; 3];
    for tick in 0..seconds * 5 {
        let now = world.now_after(tick);
        for order in world.fleet.tick(now) {
            for (number, count) in (1..=3).zip(&mut counts) {
                *count += usize::from(order.secret.namespace.as_str() == format!("shoot-{number}"));
            }
            if let Some(fault) = fails(&order.secret) {
                world.fleet.finished(now, &order.secret, order.attempt, Err::<Record, _>(fault));
            }
        }
    }
    world.now += seconds;
    counts
}

impl World {
    /// As many ticks of 200 ms after the moment it is at.
    fn now_after(&self, ticks: i64) -> Timestamp {
        at(self.now) + Duration::from_millis(200 * ticks.unsigned_abs())
    }
}

fn blamed(blame: Blame) -> impl Fn(&SecretRef) -> Option<Fault> {
    move |_| Some(Fault { blame, ..fault(Kind::Unavailable) })
}

/// The same for the Secrets of the first shoot; those of the others stay under way.
fn blamed_at_one(blame: Blame) -> impl Fn(&SecretRef) -> Option<Fault> {
    move |secret| {
        let fails = secret.namespace.as_str() == "shoot-1";
        fails.then(|| Fault { blame, ..fault(Kind::Unavailable) })
    }
}

#[test]
fn what_each_class_of_failure_costs_in_a_minute() {
    // Probes at 1, 3, 7, 15, 30 and 45 s: six of them, beside the twelve that went out at once.
    let cost = |fails: &dyn Fn(&SecretRef) -> Option<Fault>| orders(&mut world(), 60, fails);
    let everybody: [(Blame, usize); 2] = [(Blame::SeedAway, 18), (Blame::IssuerAway, 18)];
    for (blame, expected) in everybody {
        let counts = cost(&blamed(blame));
        assert_eq!(counts.iter().sum::<usize>(), expected, "{blame:?} {counts:?}");
    }
    // Each shoot has a probe of its own.
    assert_eq!(cost(&blamed(Blame::ShootAway)), [10; 3]);
    // One shoot costs the others nothing.
    assert_eq!(cost(&blamed_at_one(Blame::ShootAway)), [10, 4, 4]);
    assert_eq!(
        cost(&blamed_at_one(Blame::IssuerAway)),
        [10, 4, 4],
        "its token-issuer is one of several"
    );
    // A Secret that fails for itself backs off for itself: at 1, 2, 4, 8, 16 and 30 s and less.
    let [first, others @ ..] = cost(&blamed_at_one(Blame::Secret));
    assert!((24..=36).contains(&first) && others == [4, 4], "{first}");
    // The secret-writer: all that waits goes once a second, and no further than its door.
    assert_eq!(cost(&blamed(Blame::Writer)), [4 * 60; 3]);
}

#[test]
fn a_seed_that_is_back_is_noticed_within_15_s_though_all_that_failed_back_off() {
    let names = ["shoot-1/a", "shoot-1/b", "shoot-1/c"];
    let mut world = World::of(&names.map(|name| fresh(name, 0)), &reachable());
    world.now = PLANNED;
    let [count, ..] = orders(&mut world, 10 * 60, blamed(Blame::SeedAway));
    assert!((40..=48).contains(&count), "{count}: one each 15 s");
    for name in names {
        let schedule = world.schedule(name);
        let pause = schedule.next_at.unwrap().duration_since(at(world.now));
        assert!(schedule.failures > 9 && pause.as_secs() > 60, "{schedule:?}");
    }
    let begin = world.now;
    let (second, probe) = world.next_order(begin + 60).expect("a probe");
    assert!(second - begin <= i64::try_from(PROBE_PAUSE_MAX.as_secs()).unwrap());
    world.succeed(&probe);
    assert_eq!(world.tick_at(second + 1).len(), 2, "one said it, and nobody waits any more");
}

#[test]
fn secrets_whose_writes_the_seed_never_takes_starve_nobody() {
    let mut world = world();
    let broken = |secret: &SecretRef| secret.namespace.as_str() == "shoot-1";
    let mut served = 0;
    for _ in 0..120 {
        world.now += 1;
        for order in world.tick_at(world.now) {
            if broken(&order.secret) {
                let seed = Fault { blame: Blame::SeedAway, ..fault(Kind::Unavailable) };
                world.end(&order, Err(seed));
            } else {
                world.succeed(&order);
                served += 1;
            }
        }
    }
    assert_eq!(served, 8, "all others");
    for (name, record) in [("shoot-2/late", "late"), ("shoot-3/later", "later")] {
        world.record(Event::Upsert(bare(name)));
        let ordered: Vec<_> = (0..16)
            .flat_map(|_| {
                let second = world.now + 1;
                world.tick_at(second)
            })
            .collect();
        assert!(ordered.iter().any(|order| order.secret == secret(name)), "{record} waits");
        for order in ordered {
            match broken(&order.secret) {
                true => world
                    .end(&order, Err(Fault { blame: Blame::SeedAway, ..fault(Kind::Unavailable) })),
                false => drop(world.succeed(&order)),
            }
        }
    }
}

#[test]
fn an_outage_is_told_once_and_its_end_once() {
    let mut world = world();
    let turns = |world: &mut World, order: &Order, outcome: Result<Record, Fault>| {
        let ended = world.fleet.finished(at(world.now), &order.secret, order.attempt, outcome);
        ended.unwrap().turns
    };
    let seed = || Err(Fault { blame: Blame::SeedAway, ..fault(Kind::Unavailable) });
    let all: Vec<_> =
        world.tick_at(0).iter().flat_map(|order| turns(&mut world, order, seed())).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0].class, all[0].away.as_deref()), (&Class::Seed, Some("it is unavailable")));
    world.record(Event::Upsert(bare("shoot-2/new")));
    assert_eq!(world.fleet.stats(at(0)).outages, [1, 0, 0]);
    let detail = world.schedule("shoot-2/new").detail;
    assert!(detail.starts_with("the seed takes no write; one Secret at a time tries"), "{detail}");

    let (_, probe) = world.next_order(15).unwrap();
    let record = written(&bare(&probe.secret.to_string()), world.now, probe.reason);
    let told = turns(&mut world, &probe, Ok(record));
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].class, &told[0].away), (&Class::Seed, &None));
    assert_eq!(world.fleet.stats(at(0)).outages, [0; 3]);
}

#[test]
fn a_shoot_whose_probe_brings_it_back_has_no_outage_left() {
    let mut world = world();
    orders(&mut world, 60, blamed_at_one(Blame::ShootAway));
    assert_eq!(world.fleet.stats(at(60)).outages, [0, 0, 1]);
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.fleet.stats(at(60)).outages, [0; 3]);
    assert_eq!(world.tick_at(61).len(), 4, "all of its Secrets at once");
}
