//! A tiny virtual world: shoots that answer in 50 ms, some that freeze, and a beat of 200 ms.

use std::{cmp::Reverse, collections::BinaryHeap};

use jiff::Timestamp;

use super::*;

const SHOOTS: usize = 50;
/// What falls due in a second, over all shoots.
const PER_SECOND: usize = 50;
/// How long the world is looked at, in seconds.
const LENGTH: usize = 110;
/// When some of the shoots freeze.
const FREEZE: i64 = 20_000;
const ANSWER: i64 = 50;
/// Limit of a call to a shoot that does not answer.
const CALL_MAX: i64 = 30_000;
const BEAT: i64 = 200;

fn millis(millis: i64) -> Timestamp {
    at(PLANNED).checked_add(SignedDuration::from_millis(millis)).unwrap()
}

struct Virtual {
    fleet: Fleet,
    now: i64,
    frozen: usize,
    /// What ends when: the order, and whether it is answered.
    ends: BinaryHeap<Reverse<(i64, u64)>>,
    orders: std::collections::HashMap<u64, (Order, bool)>,
    /// Of shoots that are not frozen, from the freeze on.
    lateness: Vec<Duration>,
}

fn name_of(shoot: usize) -> String {
    format!("shoot-{shoot:03}")
}

impl Virtual {
    fn new(frozen: usize) -> Self {
        let mut world = World::empty();
        let shoots: Vec<_> = (0..SHOOTS).map(|n| shoot(&name_of(n), Reach::Reachable)).collect();
        world.shoots(&shoots);
        let count = PER_SECOND * LENGTH;
        let records: Vec<_> = (0..count)
            .map(|n| {
                let due = i64::try_from(n / PER_SECOND).unwrap();
                fresh(&format!("{}/secret-{n:05}", name_of(n % SHOOTS)), due)
            })
            .collect();
        world.records(&records);
        let fleet = world.fleet;
        Self {
            fleet,
            now: 0,
            frozen,
            ends: BinaryHeap::new(),
            orders: std::collections::HashMap::new(),
            lateness: Vec::new(),
        }
    }

    /// The first shoots by name freeze; they are the first to be served, too.
    fn is_frozen(&self, secret: &SecretRef) -> bool {
        self.now >= FREEZE && secret.namespace.as_str() < name_of(self.frozen).as_str()
    }

    fn tick(&mut self) {
        for order in self.fleet.tick(millis(self.now)) {
            let hangs = self.is_frozen(&order.secret);
            let end = self.now + if hangs { CALL_MAX } else { ANSWER };
            self.ends.push(Reverse((end, order.attempt)));
            self.orders.insert(order.attempt, (order, hangs));
        }
    }

    fn end(&mut self, attempt: u64) {
        let (order, hung) = self.orders.remove(&attempt).unwrap();
        let now = millis(self.now);
        let outcome = match hung {
            true => Err(Fault { reason: "ISSUE_TIMED_OUT".to_owned(), ..fault(Kind::TimedOut) }),
            false => Ok(written(&bare(&order.secret.to_string()), now.as_second(), order.reason)),
        };
        let ended = self.fleet.finished(now, &order.secret, attempt, outcome).unwrap();
        let ours = !self.is_frozen(&order.secret) && self.now >= FREEZE;
        self.lateness.extend(ended.lateness.filter(|_| ours));
    }

    fn run(&mut self) {
        let length = i64::try_from(LENGTH).unwrap() * 1_000;
        for beat in (0..length).step_by(usize::try_from(BEAT).unwrap()) {
            while let Some(Reverse((end, attempt))) = self.ends.peek().copied()
                && end < beat
            {
                self.ends.pop();
                self.now = end;
                self.end(attempt);
                self.tick();
            }
            self.now = beat;
            self.tick();
        }
        self.lateness.sort();
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.lateness[(self.lateness.len() - 1) * percent / 100]
    }
}

/// The 99th percentile of the delay of those that are well, with so many frozen.
fn delay_beside(frozen: usize) -> Duration {
    let mut world = Virtual::new(frozen);
    world.run();
    let due = (LENGTH - usize::try_from(FREEZE / 1_000).unwrap()) * (PER_SECOND - frozen);
    let (done, p99) = (world.lateness.len(), world.percentile(99));
    let (median, longest) = (world.percentile(50), world.percentile(100));
    println!(
        "{frozen} of {SHOOTS} frozen: {done} of {due} of the others done; late by {median:?} \
         (median), {p99:?} (99th percentile), {longest:?} (longest)"
    );
    assert!(done + 2 * PER_SECOND >= due, "{done} of {due} were renewed");
    p99
}

#[test]
fn shoots_that_freeze_delay_the_others_by_less_than_a_second() {
    for frozen in [0, 10, 40] {
        let p99 = delay_beside(frozen);
        assert!(p99 < Duration::from_secs(1), "{p99:?} with {frozen} frozen");
    }
}
