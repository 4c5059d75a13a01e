//! Several replicas of the scheduler share the shoots, and everything happens to them that can.
//!
//! Days and not a year: each beat of each Lease is played, which is most of what happens.

use super::{Ask, Watch, plan, play};
use crate::{
    draw::Draw,
    faults::replicas::draw,
    keeper::Guards,
    report::Report,
    time::{HOUR, Ms},
    town::{Size, Town},
    world::{Plan, Team, Violation, World, campaigns},
};

/// Share of the shoots that grant half of what is asked for.
const CAPPED: f64 = 0.05;
/// An operator begins a campaign once in so long, on average.
const CAMPAIGN_INTERVAL: Ms = 3 * HOUR;
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
    let mut outages = draw(&town, ask.span, HOUR, count, &mut Draw::new(ask.seed, 3));
    let mut wanted = Draw::new(ask.seed, 6);
    let (wishes, exchanges) =
        campaigns::draw(size.shoots, (HOUR, ask.span), CAMPAIGN_INTERVAL, &mut wanted);
    outages.extend(exchanges);
    outages.sort_by_key(|outage| outage.begin);
    let team = Team { running, spare: SPARE, has_leases: true, guards: Guards::ALL, wishes };
    let mut world = World::new(Plan { team, ..plan(size, ask, outages.clone()) });
    play("replicas", &mut world, &outages, ask.span, watch)
}
