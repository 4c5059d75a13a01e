//! A year of faults, drawn from the seed.
//!
//! No outage is longer than what lifetimes allow: a 12 h token is renewed by 80 % of its life, so
//! 2.4 h are left, and a shoot that caps it at 6 h leaves 1.2 h. What concerns everybody stays under
//! the least of them. Between two outages of one shoot there is time to recover: the second one
//! would else begin with the backlog of the first. Hibernation is the one exception, and counted apart.

use super::{Fault, Outage, Process};
use crate::{
    draw::Draw,
    time::{DAY, HOUR, MINUTE, Ms, SECOND},
    town::Town,
};

/// A fault of one shoot happens to each shoot once in so long, on average; ten kinds are drawn from.
const SHOOT_INTERVAL: Ms = 12 * DAY;
/// A fault that concerns everybody happens once in so long, on average.
const COMMON_INTERVAL: Ms = 2 * DAY;
/// Each shoot exchanges its signing key once in so long, on average.
const KEY_INTERVAL: Ms = 120 * DAY;
/// Share of the shoots that hibernate at night.
const SLEEPERS: f64 = 0.05;
/// Time to recover between two outages.
const CALM: Ms = HOUR;
/// What must be left of the life of a token at the end of an outage.
const RESERVE: Ms = 12 * MINUTE;
/// The former key is dropped when no token of it is left: after the longest life, and an hour.
const FORMER_KEY_KEPT: Ms = 13 * HOUR;

/// Draws what happens in `span`, after the first `calm`, which is for the mass start.
#[must_use]
pub fn draw(town: &Town, span: Ms, calm: Ms, draw: &mut Draw) -> Vec<Outage> {
    draw_as_often(town, span, calm, COMMON_INTERVAL, draw)
}

/// The same where a fault that concerns everybody happens once in `interval`, on average.
pub(super) fn draw_as_often(
    town: &Town,
    span: Ms,
    calm: Ms,
    interval: Ms,
    draw: &mut Draw,
) -> Vec<Outage> {
    let mut outages = apart(common(town, span, interval, draw), &[]);
    outages.retain(|outage| outage.begin >= calm);
    let common = outages.clone();
    for (number, home) in town.shoots.iter().enumerate() {
        let of_shoot = of_shoot(number, home.grants, span, draw);
        outages.extend(apart(of_shoot, &common));
        outages.extend(key_exchanges(number, span, draw));
    }
    outages.retain(|outage| outage.begin >= calm);
    outages.sort_by_key(|outage| outage.begin);
    outages
}

/// Leaves out what would begin before all have recovered from the one before, or would not be over
/// before one of `common` begins.
fn apart(mut outages: Vec<Outage>, common: &[Outage]) -> Vec<Outage> {
    outages.sort_by_key(|outage| outage.begin);
    let mut free = Ms::MIN;
    outages.retain(|outage| {
        let end = outage.begin + outage.length + CALM;
        // Sorted, so those that may overlap are the last before `end`.
        let behind = common.partition_point(|other| other.begin < end);
        let overlaps = common[..behind]
            .iter()
            .rev()
            .take(2)
            .any(|other| other.begin + other.length + CALM > outage.begin);
        let fits = outage.begin >= free && !overlaps;
        free = if fits { end } else { free };
        fits
    });
    outages
}

/// What is left of the life of a token when it must have been renewed, without the reserve.
const fn budget(grants: Ms) -> Ms {
    grants / 5 - RESERVE
}

fn of_shoot(shoot: usize, grants: Ms, span: Ms, draw: &mut Draw) -> Vec<Outage> {
    let most = budget(grants);
    let mut outages: Vec<_> = draw
        .moments(span, SHOOT_INTERVAL)
        .into_iter()
        .map(|begin| {
            let minutes = draw.between(MINUTE, 30 * MINUTE);
            let long = draw.between(30 * MINUTE, most);
            let (fault, length) = match draw.index(10) {
                0 | 1 => (Fault::ShootAway(shoot), minutes),
                2 => (Fault::ShootAway(shoot), long),
                3 => (Fault::ShootFrozen(shoot), minutes),
                4 => (Fault::ShootFrozen(shoot), long),
                5 => (Fault::ShootSlow(shoot), long),
                6 => (Fault::ShootThrottles(shoot), minutes),
                7 => (Fault::ShootErrs(shoot), minutes),
                8 => (Fault::ShootClock(shoot, draw.between(-5 * MINUTE, 5 * MINUTE)), MINUTE),
                _ => (Fault::ShootAway(shoot), draw.between(5 * SECOND, MINUTE)),
            };
            Outage { fault, begin, length }
        })
        .collect();
    if draw.chance(SLEEPERS) {
        let evening = draw.between(0, DAY);
        let nights = (0..span / DAY).map(|day| day * DAY + evening);
        let (hours, fault) = (draw.between(8 * HOUR, 14 * HOUR), Fault::ShootHibernates(shoot));
        outages.extend(nights.map(|begin| Outage { fault, begin, length: hours }));
    }
    outages
}

/// They keep nobody from anything, so they may overlap with all but themselves.
fn key_exchanges(shoot: usize, span: Ms, draw: &mut Draw) -> Vec<Outage> {
    let exchange =
        |begin| Outage { fault: Fault::KeyExchange(shoot), begin, length: FORMER_KEY_KEPT };
    apart(draw.moments(span, KEY_INTERVAL).into_iter().map(exchange).collect(), &[])
}

fn common(town: &Town, span: Ms, interval: Ms, draw: &mut Draw) -> Vec<Outage> {
    let least = town.shoots.iter().map(|home| home.grants).min().unwrap_or(DAY);
    let most = budget(least);
    let processes = [Process::Scheduler, Process::Writer, Process::Issuer];
    let outage = |begin: Ms, draw: &mut Draw| {
        let minutes = draw.between(MINUTE, 15 * MINUTE);
        let long = draw.between(10 * MINUTE, most);
        let restart = draw.between(2 * SECOND, MINUTE);
        let process = processes[draw.index(3)];
        let (fault, length) = match draw.index(16) {
            0 => (Fault::SeedAway, long),
            1 => (Fault::SeedAway, draw.between(SECOND, 2 * MINUTE)),
            2 => (Fault::SeedSlow, minutes),
            3 => (Fault::SeedThrottles, minutes),
            4 => (Fault::SeedBusy, long),
            5..=8 => (Fault::Crash(process), restart),
            9 => (Fault::Crash(process), long),
            10 => (Fault::CrashIntoStale(draw.between(SECOND, 5 * MINUTE)), restart),
            11 => {
                let most = if draw.chance(0.3) { HOUR } else { 2 * MINUTE };
                (Fault::Clock(process, draw.between(-most, most)), MINUTE)
            }
            12 => (Fault::CutWriter, minutes),
            13 => (Fault::CutIssuer, minutes),
            14 => (Fault::CutIssuing, minutes),
            _ => (Fault::SlowStream(draw.between(SECOND, 2 * MINUTE)), minutes),
        };
        Outage { fault, begin, length }
    };
    draw.moments(span, interval).into_iter().map(|begin| outage(begin, draw)).collect()
}
