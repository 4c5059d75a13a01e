//! Several replicas of the scheduler: what they hold to, and what breaks without it.

#![expect(clippy::print_stdout, reason = "a test shows why a run ended")]

use perennial_core::invariants::Invariant;
use perennial_sim::{
    draw::Draw,
    faults::{Fault, OfReplica, Outage},
    keeper::Guards,
    scheduler,
    time::{HOUR, Ms, SECOND},
    town::Size,
    world::{Plan, Team, World},
    writer,
};

const SIZE: Size = Size { tokens: 200, shoots: 20, lifetime: 12 * HOUR, capped: 0.0 };
const TEAM: Team = Team { running: 3, spare: 1, has_leases: true, guards: Guards::ALL };

fn plan(outages: Vec<Outage>) -> Plan {
    let settings = scheduler::settings();
    let basis_seconds = settings.policy.basis_seconds;
    let (limits, guards) = (None, writer::Guards::ALL);
    Plan { size: SIZE, seed: 1, outages, settings, basis_seconds, limits, guards, team: TEAM }
}

/// What ends some hours, if anything does.
fn broken(plan: Plan) -> Option<Invariant> {
    let ended = World::new(plan).run(8 * HOUR);
    let violation = ended.inspect_err(|violation| println!("{violation}")).err()?;
    Some(violation.broken.invariant)
}

fn of(replica: usize, fault: OfReplica, begin: Ms, length: Ms) -> Outage {
    Outage { fault: Fault::Replica(replica, fault), begin, length }
}

/// One stands still again and again, for about as long as a joiner waits.
fn short_stands() -> Vec<Outage> {
    let mut draw = Draw::new(1, 5);
    let mut stands = |n: Ms| {
        let (begin, length) = (draw.between(0, 10 * SECOND), draw.between(3, 6 * SECOND));
        of(0, OfReplica::Stands, HOUR + n * 30 * SECOND + begin, length)
    };
    (0..700).map(&mut stands).collect()
}

#[test]
fn who_stands_still_for_about_as_long_as_a_joiner_waits_never_orders_beside_the_next_owner() {
    assert_eq!(broken(plan(short_stands())), None);
}
