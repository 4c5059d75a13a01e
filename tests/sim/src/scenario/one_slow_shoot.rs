//! One shoot is away, then frozen, then slow, for hours each. The others must not notice.

use super::{Ask, Watch, plan, play};
use crate::{
    faults::{Fault, Outage},
    report::Report,
    time::{DAY, HOUR, Ms},
    town::Size,
    world::{Violation, World},
};

/// How long it is.
pub const SPAN: Ms = 4 * DAY;

/// What the one shoot goes through. Its tokens outlive each of it.
#[must_use]
pub fn outages() -> Vec<Outage> {
    let length = 2 * HOUR;
    let sick = [Fault::ShootAway(0), Fault::ShootFrozen(0), Fault::ShootSlow(0)];
    (0..24)
        .map(|n| Outage { fault: sick[n % 3], begin: DAY + n as i64 * 3 * HOUR, length })
        .collect()
}

/// Plays it: four days. The lateness of the report is that of the others; that of the one shoot is the
/// second of the world.
///
/// # Errors
/// The first invariant that does not hold.
pub fn one_slow_shoot(ask: Ask, watch: Watch<'_>) -> Result<(Report, World), Box<Violation>> {
    let size = Size::of(ask.tokens);
    let outages = outages();
    let mut world = World::new(plan(size, ask, outages.clone()));
    world.count_apart(0);
    let report = play("one_slow_shoot", &mut world, &outages, SPAN, watch)?;
    Ok((report, world))
}
