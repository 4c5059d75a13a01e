//! A fleet that begins with nothing, and everything goes wrong that can.
//!
//! No outage is longer than what lifetimes allow, so no token may ever be expired, but those of shoots
//! that hibernate: nothing can be renewed there, and they have theirs soon after they wake up.

use super::{Ask, Watch, plan, play};
use crate::{
    draw::Draw,
    faults::plan::draw,
    report::Report,
    time::HOUR,
    town::{Size, Town},
    world::{Violation, World},
};

/// Share of the shoots that grant half of what is asked for.
const CAPPED: f64 = 0.05;

/// Plays it.
///
/// # Errors
/// The first invariant that does not hold.
pub fn year(ask: Ask, watch: Watch<'_>) -> Result<Report, Box<Violation>> {
    let size = Size { capped: CAPPED, ..Size::of(ask.tokens) };
    let town = Town::new(size, &mut Draw::new(ask.seed, 1)); // the same as that of the world
    let outages = draw(&town, ask.span, HOUR, &mut Draw::new(ask.seed, 3));
    let mut world = World::new(plan(size, ask, outages.clone()));
    play("year", &mut world, &outages, ask.span, watch)
}
