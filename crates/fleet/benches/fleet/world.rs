//! A large fleet that is driven as the engine drives one, for the bench and for the test of what a
//! Secret costs.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{decision::Policy, name::SecretRef, reason::Reason, record::Record};
use perennial_fleet::{
    Fleet, Settings,
    attempts::Fault,
    feed::{AccountNews, Event},
    order::Order,
    outcome::Answer,
};
use perennial_testing::{
    crowd::{self, Crowd},
    records::at,
};

/// Seconds since the epoch when the fleet is started.
const START: i64 = 1_000_000;

/// Time that this thread has worked: others on the machine do not count.
pub(crate) fn cpu() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) took: Duration,
    pub(crate) allocations: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) crowd: Crowd,
    pub(crate) fleet: Fleet,
    pub(crate) now: i64,
    pub(crate) renewals: usize,
    /// What it took to make the records that the wire brings.
    pub(crate) wire: Wire,
    /// What the secret-writer and its stream have to work with: the names, and whose they are.
    numbers: std::collections::HashMap<SecretRef, usize>,
}

impl World {
    /// A scheduler that was just started.
    pub(crate) fn new(crowd: Crowd) -> Self {
        let settings = Settings {
            policy: Policy::default(),
            audit: false,
            in_flight_max: 64,
            in_flight_per_shoot_max: 8,
            own_secret: "shoot-access-token-issuer".parse().unwrap(),
            rate_max: u32::MAX.try_into().unwrap(),
            rate_per_shoot_max: u32::MAX.try_into().unwrap(),
            budget: Default::default(),
        };
        let numbers = (0..crowd.secrets).map(|number| (crowd.secret(number), number)).collect();
        Self {
            crowd,
            fleet: Fleet::new(settings),
            now: START,
            renewals: 0,
            wire: Wire::default(),
            numbers,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.now)
    }

    /// All records that the first stream shows.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.crowd.records(self.now).collect()
    }

    /// The streams of shoots and of records, up to the first decision on all of them.
    pub(crate) fn load(&mut self, records: Vec<Record>) -> usize {
        let now = self.now();
        self.fleet.hear_of_stop(now, None);
        self.fleet.hear_of_shoots(now, 0, Event::Opened);
        for status in self.crowd.statuses() {
            self.fleet.hear_of_shoots(now, 0, Event::Upsert(status));
        }
        self.fleet.hear_of_shoots(now, 0, Event::Complete);
        self.fleet.hear_of_records(now, Event::Opened);
        for record in records {
            self.fleet.hear_of_records(now, Event::Upsert(record));
            drop(self.fleet.take_effects());
        }
        self.fleet.hear_of_records(now, Event::Complete);
        let orders = self.fleet.tick(now);
        drop(self.fleet.take_effects());
        self.carry_out(orders)
    }

    /// Token-issuers are told what to observe, and say what they see.
    pub(crate) fn observe(&mut self) {
        loop {
            let now = self.now();
            let observations = self.fleet.observations(now);
            if observations.is_empty() {
                break;
            }
            for observation in observations {
                self.fleet.observed(now, &observation, true);
            }
        }
        for (shoot, account, seen) in self.crowd.accounts(self.now) {
            let now = self.now();
            self.fleet.hear_of_account(now, AccountNews { shoot, account, seen });
            drop(self.fleet.take_effects());
        }
    }

    /// Goes on for so many seconds, with a look at the clock in each. Every renewal is done at once,
    /// and the stream shows its record.
    pub(crate) fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += 1;
            let now = self.now();
            let orders = self.fleet.tick(now);
            self.carry_out(orders);
            let told = self.fleet.observations(now);
            assert!(told.is_empty(), "nothing is to be observed that was not before");
            drop(self.fleet.take_effects());
        }
    }

    fn carry_out(&mut self, orders: Vec<Order>) -> usize {
        let ordered = orders.len();
        for order in orders {
            let answer = self.renewed(&order);
            let now = self.now();
            let outcome = Ok::<_, Fault>(Answer::from(answer));
            self.fleet.finished(now, &order.secret, order.attempt, outcome).unwrap();
            drop(self.fleet.take_effects());
            let shown = self.renewed(&order);
            self.fleet.hear_of_records(now, Event::Upsert(shown));
            drop(self.fleet.take_effects());
            self.renewals += 1;
        }
        ordered
    }

    /// The record after an order. It comes off the wire twice: in the answer, and in the stream.
    fn renewed(&mut self, order: &Order) -> Record {
        let number = self.numbers[&order.secret];
        let begun = cpu();
        let mut record = None;
        let allocated = allocation_counter::measure(|| {
            let bare = crowd::bare(self.crowd.secret(number), number);
            record = Some(crowd::written(&bare, self.now, Reason::Due));
        });
        self.wire.took += cpu() - begun;
        self.wire.allocations += allocated.count_total;
        record.unwrap()
    }
}
