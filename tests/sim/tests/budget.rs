//! An outage that the budget names costs no expired second, and without the budget it does.

#![expect(clippy::print_stdout, reason = "a test shows why a run ended")]

use perennial_core::{budget::Budget, decision::Policy};
use perennial_fleet::Settings;
use perennial_sim::{
    faults::{Fault, Outage, Process},
    scheduler,
    time::{DAY, HOUR, Ms},
    town::Size,
    world::{Plan, Team, World},
    writer::Guards,
};

const TOKENS: usize = 50;
/// The life of its tokens.
const LIFETIME_SECONDS: i64 = 12 * 60 * 60;

/// Everything goes away for so long, one after the other.
fn outages(shoots: usize, length: Ms) -> Vec<Outage> {
    let at = |day: Ms, fault: Fault| Outage { fault, begin: day * DAY + HOUR, length };
    let mut outages = vec![at(1, Fault::SeedAway), at(3, Fault::Crash(Process::Scheduler))];
    outages.extend((0..shoots).map(|shoot| at(2, Fault::ShootAway(shoot))));
    outages.sort_by_key(|outage| outage.begin);
    outages
}

fn settings(survive: Option<u64>) -> Settings {
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 60 * 60);
    let budget = Budget { shoot: survive.map(hours), ..Budget::default() };
    let basis = scheduler::settings().policy.basis_seconds;
    let basis_seconds = budget.basis(basis, LIFETIME_SECONDS).expect("that can be had");
    Settings { budget, policy: Policy { basis_seconds }, ..scheduler::settings() }
}

/// Seconds of expired tokens, whether somebody is to blame for them or not; `None` where the run ended
/// with the first that had no excuse.
fn expired(survive: Option<u64>, length: Ms) -> Option<Ms> {
    let size = Size::of(TOKENS);
    let outages = outages(size.shoots, length);
    let settings = settings(survive);
    let basis_seconds = settings.policy.basis_seconds;
    let (limits, guards) = (None, Guards::ALL);
    let team = Team::ALONE;
    let plan = Plan { size, seed: 1, outages, settings, basis_seconds, limits, guards, team };
    let mut world = World::new(plan);
    let ended = world.run(4 * DAY);
    ended.inspect_err(|violation| println!("{violation}")).is_ok().then_some(world.excused_expired)
}

#[test]
fn an_outage_that_is_to_be_survived_costs_no_expired_second() {
    assert_eq!(expired(Some(6), 6 * HOUR), Some(0));
}

#[test]
fn the_same_outage_without_the_budget_and_a_longer_one_with_it_let_tokens_expire() {
    assert_ne!(expired(None, 6 * HOUR), Some(0));
    assert_ne!(expired(Some(6), 8 * HOUR), Some(0));
}
