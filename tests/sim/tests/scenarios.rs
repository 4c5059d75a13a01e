//! The scenarios, small. `make sim-short` plays a month of 30,000 tokens.

#![expect(clippy::panic, reason = "a test panics where it cannot go on")]

use perennial_sim::{
    report::Report,
    scenario::{Ask, mass_start::mass_start, one_slow_shoot::one_slow_shoot, year::year},
    time::DAY,
};

fn ask(seed: u64) -> Ask {
    Ask { tokens: 500, seed, span: 7 * DAY }
}

fn week(seed: u64) -> Report {
    let mut days = 0;
    let report =
        year(ask(seed), &mut |_| days += 1).unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(days, 7);
    report
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_byte_and_another_one_another() {
    let json = |seed| serde_json::to_string(&week(seed)).unwrap();
    let first = json(1);
    assert_eq!(first, json(1));
    assert_ne!(first, json(2));
}

#[test]
fn three_months_with_every_kind_of_fault_leave_no_token_expired() {
    let ask = Ask { tokens: 200, seed: 3, span: 90 * DAY };
    let report = year(ask, &mut |_| {}).unwrap_or_else(|violation| panic!("{violation}"));
    assert!(report.faults.len() > 15, "{:?}", report.faults);
    assert!((2.5..3.2).contains(&report.renewals_per_token_and_day), "{report:?}");
    assert_eq!(report.tokens_issued, report.renewals + report.issued_in_vain);
    assert!(report.lateness_seconds_p50 < 1.0, "{}", report.lateness_seconds_p50);
}

#[test]
fn one_shoot_that_is_away_frozen_or_slow_delays_nobody_else() {
    let (report, world) = one_slow_shoot(ask(1), &mut |_| {}).unwrap();
    assert!(report.lateness_seconds_p99 < 1.0, "{}", report.lateness_seconds_p99);
    assert!(world.lateness[1].percentile(0.99) > 60_000, "its own wait for the end of it");
    let recoveries = &report.recovery_seconds;
    assert!(recoveries.iter().all(|recovery| recovery.recovery_seconds < 30.0), "{recoveries:?}");
}

#[test]
fn a_mass_start_is_over_within_the_minute_and_spreads() {
    let (report, per_minute) = mass_start(ask(1), &mut |_| {}).unwrap();
    assert_eq!(per_minute[..2].iter().sum::<u32>(), 500);
    assert_eq!(report.issued_in_vain, 0);
    assert!(report.peak_to_mean[1] < 20.0, "{:?}", report.peak_to_mean);
}
