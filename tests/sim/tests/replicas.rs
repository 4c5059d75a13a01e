//! Several replicas of the scheduler, and campaigns: what they hold to, and what breaks without it.

#![expect(clippy::print_stdout, reason = "a test shows why a run ended")]

use perennial_core::invariants::Invariant;
use perennial_fleet::Settings;
use perennial_sim::{
    draw::Draw,
    faults::{Fault, OfReplica, Outage},
    keeper::Guards,
    scenario::{Ask, replicas::replicas},
    scheduler,
    time::{HOUR, MINUTE, Ms, SECOND},
    town::Size,
    world::{
        Plan, Team, World,
        campaigns::{Want, Wish},
    },
    writer,
};

const SIZE: Size = Size { tokens: 200, shoots: 20, lifetime: 12 * HOUR, capped: 0.0 };
const TEAM: Team =
    Team { running: 3, spare: 1, has_leases: true, guards: Guards::ALL, wishes: Vec::new() };

fn plan(outages: Vec<Outage>, guards: Guards) -> Plan {
    let settings = scheduler::settings();
    let basis_seconds = settings.policy.basis_seconds;
    let team = Team { guards, wishes: vec![Wish { at: HOUR, want: Want::NewEverywhere }], ..TEAM };
    let (limits, guards) = (None, writer::Guards::ALL);
    Plan { size: SIZE, seed: 1, outages, settings, basis_seconds, limits, guards, team }
}

/// What ends two hours, if anything does.
fn broken(plan: Plan) -> Option<Invariant> {
    let ended = World::new(plan).run(2 * HOUR);
    let violation = ended.inspect_err(|violation| println!("{violation}")).err()?;
    Some(violation.broken.invariant)
}

/// It happens to the replica every half minute, for so long.
fn again_and_again(replica: usize, fault: OfReplica, (least, most): (Ms, Ms)) -> Vec<Outage> {
    let mut draw = Draw::new(1, 5);
    let outage = |n: Ms| {
        let begin = HOUR + n * 30 * SECOND + draw.between(0, 10 * SECOND);
        let fault = Fault::Replica(replica, fault);
        Outage { fault, begin, length: draw.between(least, most) }
    };
    (0..118).map(outage).collect()
}

/// One stands still for about as long as a joiner waits.
fn stands() -> Vec<Outage> {
    again_and_again(0, OfReplica::Stands, (3 * SECOND, 6 * SECOND))
}

/// One stands still for longer than a Lease lives.
fn sleeps() -> Vec<Outage> {
    again_and_again(0, OfReplica::Stands, (8 * SECOND, 20 * SECOND))
}

fn joins() -> Vec<Outage> {
    again_and_again(3, OfReplica::Joins, (10 * SECOND, 20 * SECOND))
}

fn crashes() -> Vec<Outage> {
    again_and_again(0, OfReplica::Crash, (SECOND, 20 * SECOND))
}

/// One dies for good.
fn death() -> Vec<Outage> {
    let fault = Fault::Replica(0, OfReplica::Crash);
    vec![Outage { fault, begin: HOUR + 10 * MINUTE, length: 5 * MINUTE }]
}

#[test]
fn with_every_guard_nothing_breaks() {
    for outages in [stands(), sleeps(), joins(), crashes(), death()] {
        assert_eq!(broken(plan(outages, Guards::ALL)), None);
    }
}

#[test]
fn who_stood_still_and_does_not_look_at_leases_orders_beside_the_next_owner() {
    let guards = Guards { rereads: false, ..Guards::ALL };
    assert_eq!(broken(plan(sleeps(), guards)), Some(Invariant::OneOwnerAtATime));
}

#[test]
fn a_joiner_that_does_not_settle_orders_beside_the_former_owner() {
    let guards = Guards { settles: false, ..Guards::ALL };
    assert_eq!(broken(plan(joins(), guards)), Some(Invariant::OneOwnerAtATime));
}

#[test]
fn where_nobody_is_counted_out_the_shoots_of_a_dead_replica_stay_alone() {
    let guards = Guards { counts_out: false, ..Guards::ALL };
    assert_eq!(broken(plan(death(), guards)), Some(Invariant::HandOverInTime));
}

#[test]
fn a_campaign_that_counts_what_is_ordered_is_called_done_too_soon() {
    let slow = |shoot| Outage { fault: Fault::ShootSlow(shoot), begin: HOUR, length: HOUR };
    let slow: Vec<_> = (0..SIZE.shoots).map(slow).collect();
    assert_eq!(broken(plan(slow.clone(), Guards::ALL)), None);
    let guards = Guards { counts_written: false, ..Guards::ALL };
    assert_eq!(broken(plan(slow, guards)), Some(Invariant::DoneMeansWritten));
}

#[test]
fn a_campaign_that_nobody_hears_of_does_not_end() {
    let guards = Guards { hears_campaigns: false, ..Guards::ALL };
    assert_eq!(broken(plan(Vec::new(), guards)), Some(Invariant::CampaignEndsInTime));
}

#[test]
fn replicas_that_do_not_divide_the_limits_exceed_them_together() {
    let limits = Some((64 + 2, 8)); // each has a third, rounded up
    let plan = Plan { limits, ..plan(Vec::new(), Guards::ALL) };
    assert_eq!(broken(plan.clone()), None);
    let settings = Settings { in_flight_max: 3 * 64, ..scheduler::settings() };
    assert_eq!(broken(Plan { settings, ..plan }), Some(Invariant::LimitsNeverExceeded));
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_byte_and_another_one_another() {
    let json = |seed| {
        let ask = Ask { tokens: 100, seed, span: 8 * HOUR };
        let report = replicas(ask, 3, &mut |_| {}).unwrap_or_else(|broken| panic!("{broken}"));
        let sharing = report.sharing.as_ref().map(|sharing| sharing.hand_overs);
        assert!(sharing.is_some_and(|hand_overs| hand_overs > 10), "{sharing:?}");
        assert!(report.campaigns.as_ref().is_some_and(|campaigns| campaigns.done > 0));
        serde_json::to_string(&report).unwrap()
    };
    let first = json(1);
    assert_eq!(first, json(1));
    assert_ne!(first, json(2));
}
