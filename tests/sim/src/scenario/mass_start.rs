//! All Secrets are there at once and none has a token: how soon does the load get even?

use super::{Ask, Watch, plan, play};
use crate::{
    report::Report,
    time::{HOUR, Ms},
    town::Size,
    world::{Violation, World},
};

/// Lifetimes that are played.
pub const LIFETIMES: Ms = 5;

/// Plays it with the fleet: five lifetimes. Gives back TokenRequests by minute beside the report.
///
/// # Errors
/// The first invariant that does not hold.
pub fn mass_start(ask: Ask, watch: Watch<'_>) -> Result<(Report, Vec<u32>), Box<Violation>> {
    let size = Size::of(ask.tokens);
    let mut world = World::new(plan(size, ask, Vec::new()));
    let report = play("mass_start", &mut world, &[], LIFETIMES * 12 * HOUR, watch)?;
    Ok((report, world.ledger.per_minute))
}
