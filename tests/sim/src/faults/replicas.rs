//! What happens to replicas of the scheduler in some days, drawn from the seed, and everything else more
//! often than in a year: what is looked for are two things at once.
//!
//! What keeps a replica from renewing while it is alive and holds its Lease, so that nobody takes its
//! place, is short: its tokens have what a longer outage of a shoot left them.

use super::{Fault, OfReplica, Outage, plan};
use crate::{
    draw::Draw,
    time::{HOUR, MINUTE, Ms, SECOND},
    town::Town,
};

/// Something happens to one of the replicas once in so long, on average.
const REPLICA_INTERVAL: Ms = 10 * MINUTE;
/// A fault that concerns everybody happens once in so long, on average.
const COMMON_INTERVAL: Ms = 2 * HOUR;
/// Time between two faults of one replica.
const CALM: Ms = 20 * SECOND;
/// Time between two faults of any that keep an owner from renewing.
const CALM_OF_CUTS: Ms = HOUR;

/// Draws what happens in `span` after the first `calm`, to so many replicas that run and so many that
/// may be added.
#[must_use]
pub fn draw(
    town: &Town,
    span: Ms,
    calm: Ms,
    (running, spare): (usize, usize),
    draw: &mut Draw,
) -> Vec<Outage> {
    let mut outages = plan::draw_as_often(town, span, calm, COMMON_INTERVAL, draw);
    let mut of_replicas = of_replicas(span, running, draw);
    of_replicas.extend((running..running + spare).flat_map(|added| joins(span, added, draw)));
    of_replicas.retain(|outage| outage.begin >= calm);
    outages.extend(apart(of_replicas));
    outages.sort_by_key(|outage| outage.begin);
    outages
}

fn of_replicas(span: Ms, running: usize, draw: &mut Draw) -> Vec<Outage> {
    let outage = |begin: Ms, draw: &mut Draw| {
        let replica = draw.index(running);
        let restart = draw.between(200, 30 * SECOND);
        let minutes = draw.between(MINUTE, 10 * MINUTE);
        let (fault, length) = match draw.index(16) {
            0 | 1 => (OfReplica::Crash, restart),
            2 => (OfReplica::Crash, minutes),
            3 => (OfReplica::Lost, restart),
            4 => (OfReplica::Lost, minutes),
            5 | 6 => (OfReplica::Stands, draw.between(SECOND, 6 * SECOND)),
            7 => (OfReplica::Stands, draw.between(5 * SECOND, 30 * SECOND)),
            8 => (OfReplica::Stands, draw.between(MINUTE, 2 * HOUR)),
            9 => {
                let most = [10 * SECOND, 2 * MINUTE, HOUR][draw.index(3)];
                (OfReplica::Clock(draw.between(-most, most)), minutes)
            }
            10 => (OfReplica::CutSeed, draw.between(SECOND, 20 * SECOND)),
            11 => (OfReplica::CutSeed, minutes),
            12 => (OfReplica::CutWriter, draw.between(SECOND, 5 * MINUTE)),
            13 => (OfReplica::CutIssuer, minutes),
            14 => (OfReplica::Leaves, draw.between(5 * SECOND, 30 * MINUTE)),
            _ => (OfReplica::Leaves, restart),
        };
        Outage { fault: Fault::Replica(replica, fault), begin, length }
    };
    let moments = draw.moments(span, REPLICA_INTERVAL);
    moments.into_iter().map(|begin| outage(begin, draw)).collect()
}

/// There is one more for some time.
fn joins(span: Ms, replica: usize, draw: &mut Draw) -> Vec<Outage> {
    let fault = Fault::Replica(replica, OfReplica::Joins);
    let moments = draw.moments(span, 3 * HOUR);
    let length = |draw: &mut Draw| draw.between(30 * SECOND, 3 * HOUR);
    moments.into_iter().map(|begin| Outage { fault, begin, length: length(draw) }).collect()
}

fn apart(mut outages: Vec<Outage>) -> Vec<Outage> {
    outages.sort_by_key(|outage| outage.begin);
    let (mut free, mut uncut) = (std::collections::BTreeMap::new(), Ms::MIN);
    outages.retain(|outage| {
        let Fault::Replica(replica, fault) = outage.fault else { return true };
        let end = outage.begin + outage.length;
        let free = free.entry(replica).or_insert(Ms::MIN);
        let is_cut = matches!(fault, OfReplica::CutWriter | OfReplica::CutIssuer);
        if outage.begin < *free || (is_cut && outage.begin < uncut) {
            return false;
        }
        *free = end + CALM;
        uncut = if is_cut { end + CALM_OF_CUTS } else { uncut };
        true
    });
    outages
}
