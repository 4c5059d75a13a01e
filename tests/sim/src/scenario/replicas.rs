//! Several replicas of the scheduler share the shoots, and everything happens to them that can.
//!
//! Days and not a year: each beat of each Lease is played, which is most of what happens.

use super::{Ask, Watch, plan, play};
use crate::{
    draw::Draw,
    faults::replicas::draw,
    keeper::Guards,
    report::Report,
    time::HOUR,
    town::{Size, Town},
    world::{Plan, Team, Violation, World},
};

/// Share of the shoots that grant half of what is asked for.
const CAPPED: f64 = 0.05;
/// Replicas that may be added.
const SPARE: usize = 2;

/// Plays it with so many replicas.
///
/// # Errors
/// The first invariant that does not hold.
pub fn replicas(ask: Ask, running: usize, watch: Watch<'_>) -> Result<Report, Box<Violation>> {
    let size = Size { capped: CAPPED, ..Size::of(ask.tokens) };
    let town = Town::new(size, &mut Draw::new(ask.seed, 1)); // the same as that of the world
    let count = (running, SPARE);
    let outages = draw(&town, ask.span, HOUR, count, &mut Draw::new(ask.seed, 3));
    let team = Team { running, spare: SPARE, has_leases: true, guards: Guards::ALL };
    let mut world = World::new(Plan { team, ..plan(size, ask, outages.clone()) });
    play("replicas", &mut world, &outages, ask.span, watch)
}
