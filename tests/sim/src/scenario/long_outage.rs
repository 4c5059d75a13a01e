//! Outages that are longer than every life: of one shoot, of all, of the seed, and of Perennial.
//! Nobody can keep tokens alive through them. What counts is how soon all are back.

use super::{Ask, Watch, plan, play};
use crate::{
    faults::{Fault, Outage, Process},
    report::Report,
    time::{DAY, HOUR, Ms},
    town::Size,
    world::{Violation, World},
};

/// Longer than a life of 12 h.
const LENGTH: i64 = 13 * HOUR;

/// How long it is.
pub const SPAN: Ms = 23 * DAY;

/// What the scenario is made of: one after the other, each three days after the one before.
#[must_use]
pub fn outages(shoots: usize) -> Vec<Outage> {
    let at = |day: i64, fault: Fault| Outage { fault, begin: day * DAY, length: LENGTH };
    let mut outages = vec![
        at(2, Fault::ShootAway(0)),
        at(5, Fault::ShootFrozen(0)),
        at(11, Fault::SeedAway),
        at(14, Fault::Crash(Process::Scheduler)),
        at(17, Fault::Crash(Process::Writer)),
        at(20, Fault::CutIssuing),
    ];
    outages.extend((0..shoots).map(|shoot| at(8, Fault::ShootAway(shoot))));
    outages.sort_by_key(|outage| outage.begin);
    outages
}

/// Plays it: 23 days, whatever was asked for.
///
/// # Errors
/// The first invariant that does not hold.
pub fn long_outage(ask: Ask, watch: Watch<'_>) -> Result<Report, Box<Violation>> {
    let size = Size::of(ask.tokens);
    let outages = outages(size.shoots);
    let mut world = World::new(plan(size, ask, outages.clone()));
    play("long_outage", &mut world, &outages, SPAN, watch)
}
