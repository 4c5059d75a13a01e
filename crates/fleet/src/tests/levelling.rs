use perennial_core::window::{Plan, Window};

use super::*;
use crate::entry::Entry;

/// Secrets of the first shoots, 25 each, that hold nothing.
fn many(count: usize) -> Vec<Record> {
    (0..count).map(|n| bare(&format!("shoot-{}/secret-{}", n / 25, n % 25))).collect()
}

fn all_reachable(count: usize) -> Vec<ShootStatus> {
    (0..count.div_ceil(25)).map(|n| shoot(&format!("shoot-{n}"), Reach::Reachable)).collect()
}

/// The record as the secret-writer writes it, with the moment that was ordered.
fn as_ordered(world: &World, order: &Order) -> Record {
    let held = &world.fleet.members.get(&order.secret).unwrap().record();
    let mut record = written(held, world.now, order.reason);
    let Held::Token(claims) = &record.held else { panic!("a token was written") };
    let basis = Policy::default().basis_seconds;
    let plan = Plan::draw(claims, basis, order.window, order.place);
    record.issued.as_mut().unwrap().renew_at = plan.planned;
    record
}

/// Plays until `until`; how many orders there were in each minute.
fn play(world: &mut World, until: i64) -> Vec<usize> {
    let mut minutes = vec![0; usize::try_from(until / 60 + 1).unwrap()];
    while world.now <= until {
        let orders = world.tick_at(world.now);
        minutes[usize::try_from(world.now / 60).unwrap()] += orders.len();
        let idle = orders.is_empty();
        for order in orders {
            let record = as_ordered(world, &order);
            world.end(&order, Ok(record));
        }
        world.now += if idle { 20 } else { 0 };
    }
    minutes
}

#[test]
fn secrets_that_are_ordered_together_are_not_planned_together() {
    let mut world = World::limited(64, 64, &many(25), &all_reachable(25));
    let orders = world.tick_at(0);
    assert_eq!(orders.len(), 25);
    let minutes: BTreeSet<_> = orders
        .iter()
        .map(|order| as_ordered(&world, order).issued.unwrap().renew_at.as_second() / 60)
        .collect();
    assert_eq!(minutes.len(), 25, "{minutes:?}");
}

#[test]
fn a_restart_plans_as_if_there_had_been_none() {
    let (records, shoots) = (many(200), all_reachable(200));
    let mut world = World::limited(500, 25, &records, &shoots);
    play(&mut world, 60);
    let bring_back = |world: &World| {
        let held = world.fleet.members.all().map(|(_, _, entry)| entry.record());
        World::limited(500, 25, &held.collect::<Vec<_>>(), &shoots)
    };
    let again = bring_back(&world);
    let places = |world: &World| -> BTreeMap<_, _> {
        let fleet = &world.fleet;
        let place = |secret: &SecretRef, entry: &Entry| {
            let otherwise = (Window::ORDINARY, entry.place());
            fleet.choose_place(at(6 * HOUR), secret, Reason::Due, otherwise)
        };
        let all = fleet.members.all().map(|(shoot, name, entry)| (named(shoot, name), entry));
        all.map(|(secret, entry)| (secret.clone(), place(&secret, entry))).collect()
    };
    let before = places(&world);
    assert!(before.len() == 200 && before.values().all(Option::is_some));
    assert_eq!(before, places(&again));
}

#[test]
fn after_a_long_outage_of_a_shoot_its_load_spreads_again() {
    let (mut records, shoots) = (many(1_500), all_reachable(1_500));
    records.iter_mut().for_each(|record| *record = written(record, -2 * LIFETIME, Reason::Due));
    let mut world = World::limited(2_000, 25, &records, &shoots);
    assert!(world.fleet.first_tokens == 0, "no mass start: they hold expired tokens");
    let minutes = play(&mut world, 10 * HOUR);
    assert_eq!(minutes[0], 1_500);
    let most = minutes[1..].iter().max().unwrap();
    // Ticks of 20 s move some into the next minute.
    assert!(*most <= 15, "1,500 in 58 minutes would be 26 a minute, and it is {most}");
}
