//! Each invariant can fail: with one guard taken away the simulation names it.

use perennial_core::invariants::Invariant;
use perennial_fleet::Settings;
use perennial_sim::{
    faults::{Fault, Outage, Process},
    scheduler,
    time::{DAY, HOUR, MINUTE, Ms, SECOND},
    town::Size,
    world::{Plan, Team, World},
    writer::Guards,
};

const SIZE: Size = Size { tokens: 200, shoots: 4, lifetime: 12 * HOUR, capped: 0.0 };

fn plan(outages: Vec<Outage>) -> Plan {
    let (settings, limits, guards) = (scheduler::settings(), None, Guards::ALL);
    let basis_seconds = settings.policy.basis_seconds;
    let team = Team::ALONE;
    Plan { size: SIZE, seed: 1, outages, settings, basis_seconds, limits, guards, team }
}

fn outage(fault: Fault, begin: Ms, length: Ms) -> Outage {
    Outage { fault, begin, length }
}

/// What ends two days, if anything does.
fn broken(plan: Plan) -> Option<Invariant> {
    let violation = World::new(plan).run(2 * DAY).err()?;
    let text = violation.to_string();
    assert!(text.contains("seed 1") && text.contains("Issued"), "{text}");
    Some(violation.broken.invariant)
}

/// The scheduler dies again and again while every call takes seconds, in the hours of most renewals.
fn restarts_while_all_is_slow() -> Vec<Outage> {
    let crash = |n: Ms| outage(Fault::Crash(Process::Scheduler), 4 * HOUR + n * 20 * SECOND, 100);
    let slow = [0, 1, 2, 3].map(Fault::ShootSlow).into_iter().chain([Fault::SeedSlow]);
    let slow = slow.map(|fault| outage(fault, 3 * HOUR, 8 * HOUR));
    (0..1_200).map(crash).chain(slow).collect()
}

/// The same, and only writes are slow: a second one overtakes the first.
fn restarts_at_a_slow_seed() -> Vec<Outage> {
    let is_of_seed = |outage: &Outage| !matches!(outage.fault, Fault::ShootSlow(_));
    restarts_while_all_is_slow().into_iter().filter(is_of_seed).collect()
}

/// The secret-writer dies again and again while its patches are on their way for seconds.
fn patches_that_outlive_their_writer() -> Vec<Outage> {
    let crash = |n: Ms| outage(Fault::Crash(Process::Writer), 4 * HOUR + n * 20 * SECOND, 100);
    (0..500).map(crash).chain([outage(Fault::SeedSlow, 3 * HOUR, 8 * HOUR)]).collect()
}

/// The secret-writer comes back to a stale watch, and what it streams is late.
fn stale_views() -> Vec<Outage> {
    let begin = |n: Ms| 4 * HOUR + n * 3 * MINUTE;
    let stale = |n: Ms| outage(Fault::CrashIntoStale(3 * MINUTE), begin(n), SECOND);
    let slow = |n: Ms| outage(Fault::SlowStream(MINUTE), begin(n) + 3 * SECOND, 2 * MINUTE);
    (0..100).flat_map(|n| [stale(n), slow(n)]).collect()
}

#[test]
fn with_every_guard_nothing_breaks() {
    assert_eq!(broken(plan(Vec::new())), None);
    assert_eq!(broken(plan(restarts_while_all_is_slow())), None);
    assert_eq!(broken(plan(patches_that_outlive_their_writer())), None);
    assert_eq!(broken(plan(stale_views())), None);
}

#[test]
fn outages_that_add_up_to_more_than_a_life_has_left_let_tokens_expire() {
    let away = |n: Ms| outage(Fault::ShootAway(1), 20 * HOUR + n * 2 * HOUR, 2 * HOUR - 1);
    let outages = (0..6).map(away).collect();
    assert_eq!(broken(plan(outages)), Some(Invariant::NoExpiredSecond));
}

#[test]
fn a_write_without_tests_replaces_a_token_by_an_older_one() {
    let guards = Guards { write_tests: false, one_at_a_time: false, ..Guards::ALL };
    let size = Size { tokens: 2_000, ..SIZE }; // of two at once the later one must overtake the other
    let plan = Plan { guards, size, ..plan(restarts_at_a_slow_seed()) };
    let invariant = Some(Invariant::NoUsableTokenReplacedByOneThatDoesNotFit);
    assert_eq!(broken(plan), invariant);
}

#[test]
fn a_writer_without_the_digest_asks_for_tokens_between_renewals() {
    let guards = Guards { digest: false, ..Guards::ALL };
    let plan = Plan { guards, ..plan(stale_views()) };
    assert_eq!(broken(plan), Some(Invariant::NoCallBetweenRenewals));
}

#[test]
fn a_scheduler_without_a_limit_for_each_shoot_exceeds_it() {
    let settings = Settings { in_flight_per_shoot_max: 64, ..scheduler::settings() };
    let plan = Plan { settings, limits: Some((64, 8)), ..plan(Vec::new()) };
    let violation = World::new(plan).run(DAY).unwrap_err();
    assert_eq!(violation.broken.invariant, Invariant::LimitsNeverExceeded);
}

#[test]
fn a_scheduler_with_another_basis_than_the_writer_does_not_know_who_is_overdue() {
    let mut settings = scheduler::settings();
    settings.policy.basis_seconds = 7 * 24 * 3_600;
    let away = (0..4).map(|shoot| outage(Fault::ShootAway(shoot), 12 * HOUR, 30 * HOUR)).collect();
    let size = Size { lifetime: 48 * HOUR, ..SIZE };
    let plan = Plan { settings, size, ..plan(away) };
    assert_eq!(broken(plan), Some(Invariant::EveryOverdueSecretIsKnownToBeOverdue));
}

#[test]
fn a_writer_without_memory_and_doubt_makes_a_storm_while_the_seed_is_away() {
    let guards = Guards { memory: false, look: false, ..Guards::ALL };
    let away = outage(Fault::SeedAway, 3 * HOUR, 8 * HOUR);
    let size = Size { tokens: 8, shoots: 1, ..SIZE }; // probes take turns
    let plan = Plan { guards, size, ..plan(vec![away]) };
    assert_eq!(broken(plan), Some(Invariant::NoStorm));
}

#[test]
fn two_renewals_of_one_secret_at_a_time_cost_a_token_without_a_cause() {
    let guards = Guards { one_at_a_time: false, ..Guards::ALL };
    let plan = Plan { guards, ..plan(restarts_while_all_is_slow()) };
    assert_eq!(broken(plan), Some(Invariant::ExtraTokensWithinTheFailureTable));
}
