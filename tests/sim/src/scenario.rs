//! What is asked of the world. Each scenario is a file.

use crate::{
    faults::Outage,
    report::Report,
    scheduler,
    time::{DAY, Ms},
    town::Size,
    world::{Plan, Team, Violation, World},
    writer::Guards,
};

pub mod long_outage;
pub mod mass_start;
pub mod one_slow_shoot;
pub mod replicas;
pub mod verdict;
pub mod year;

/// What every scenario is given.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Access Secrets.
    pub tokens: usize,
    /// Everything that is drawn is drawn from it.
    pub seed: u64,
    /// How long it is.
    pub span: Ms,
}

/// Whoever wants to see how it goes, once each virtual day.
pub type Watch<'a> = &'a mut dyn FnMut(&World);

fn plan(size: Size, ask: Ask, outages: Vec<Outage>) -> Plan {
    let (settings, limits, guards) = (scheduler::settings(), None, Guards::ALL);
    let basis_seconds = settings.policy.basis_seconds;
    let team = Team::ALONE;
    Plan { size, seed: ask.seed, outages, settings, basis_seconds, limits, guards, team }
}

fn play(
    name: &'static str,
    world: &mut World,
    outages: &[Outage],
    span: Ms,
    watch: Watch<'_>,
) -> Result<Report, Box<Violation>> {
    let mut at = 0;
    while at < span {
        at = (at + DAY).min(span);
        world.run(at)?;
        watch(world);
    }
    Ok(Report::of(name, world, outages))
}
