use std::time::Duration;

use perennial_core::{
    failure::Kind,
    name::SecretRef,
    reason::Reason,
    record::{Held, OtherWriter, Record},
    shoot::{Reach, ShootStatus},
    window::Window,
};

use super::{
    attempts::{Blame, Fault},
    feed::{Event, RecordEvent, ShootEvent},
    order::Order,
    schedule::{Schedule, State},
    *,
};
use crate::fixtures::{
    HOUR, LIFETIME, PLANNED, at, bare, fault, fresh, invalid, labels, secret, shoot,
    without_timestamp, written,
};

mod budget;
mod campaigns;
mod failures;
mod frozen;
mod hibernation;
mod levelling;
mod limits;
mod outages;
mod ownership;
mod pauses;
mod properties;
mod reading;
mod repairs;
mod requests;
mod revocation;
mod rotation;
mod start;
mod stop;
mod streams;
mod targets;

/// A fleet and the moment it is at, in seconds.
struct World {
    fleet: Fleet,
    now: i64,
}

fn settings(in_flight_max: usize, in_flight_per_shoot_max: usize) -> Settings {
    Settings {
        policy: Policy::default(),
        in_flight_max,
        in_flight_per_shoot_max,
        audit: false,
        own_secret: "shoot-access-token-issuer".parse().unwrap(),
        rate_max: 1_000.try_into().unwrap(),
        rate_per_shoot_max: 500.try_into().unwrap(),
        budget: Default::default(),
    }
}

/// A fleet that nobody stopped.
fn running(settings: Settings) -> Fleet {
    let mut fleet = Fleet::new(settings);
    fleet.hear_of_stop(at(0), None);
    fleet
}

impl World {
    fn empty() -> Self {
        Self { fleet: running(settings(64, 8)), now: 0 }
    }

    /// Both first sets are in.
    fn of(records: &[Record], shoots: &[ShootStatus]) -> Self {
        Self::limited(64, 8, records, shoots)
    }

    fn limited(all: usize, each: usize, records: &[Record], shoots: &[ShootStatus]) -> Self {
        let mut world = Self { fleet: running(settings(all, each)), now: 0 };
        world.shoots(shoots);
        world.records(records);
        world
    }

    fn records(&mut self, records: &[Record]) {
        self.record(Event::Opened);
        records.iter().for_each(|record| self.record(Event::Upsert(record.clone())));
        self.record(Event::Complete);
    }

    fn shoots(&mut self, shoots: &[ShootStatus]) {
        self.shoot(Event::Opened);
        shoots.iter().for_each(|shoot| self.shoot(Event::Upsert(shoot.clone())));
        self.shoot(Event::Complete);
    }

    fn record(&mut self, event: RecordEvent) {
        self.fleet.hear_of_records(at(self.now), event);
    }

    fn shoot(&mut self, event: ShootEvent) {
        self.fleet.hear_of_shoots(at(self.now), 0, event);
    }

    fn tick_at(&mut self, seconds: i64) -> Vec<Order> {
        self.now = seconds;
        self.fleet.tick(at(seconds))
    }

    /// Names of the Secrets that are ordered at that moment.
    fn ordered_at(&mut self, seconds: i64) -> Vec<String> {
        self.tick_at(seconds).iter().map(|order| order.secret.to_string()).collect()
    }

    /// The only order of that moment.
    fn order_at(&mut self, seconds: i64) -> Order {
        let mut orders = self.tick_at(seconds);
        assert_eq!(orders.len(), 1, "{orders:?}");
        orders.pop().unwrap()
    }

    fn end(&mut self, order: &Order, outcome: Result<Record, Fault>) {
        let ended = self.fleet.finished(at(self.now), &order.secret, order.attempt, outcome);
        assert!(ended.is_some(), "the attempt was under way");
    }

    /// The secret-writer answers with the Secret as it wrote it.
    fn succeed(&mut self, order: &Order) -> Record {
        // What was ordered could be served, whatever stands there by now.
        let held = self.fleet.members.get(&order.secret).map(|entry| entry.record());
        let held = held.filter(|record| record.inputs.is_ok());
        let held = held.unwrap_or_else(|| bare(&order.secret.to_string()));
        let record = written(&held, self.now, order.reason);
        self.end(order, Ok(record.clone()));
        record
    }

    fn fail(&mut self, order: &Order, kind: Kind) {
        self.end(order, Err(fault(kind)));
    }

    fn schedule(&self, name: &str) -> Schedule {
        self.fleet.schedule(at(self.now), &secret(name)).expect("a Secret of that name")
    }

    fn state(&self, name: &str) -> State {
        self.schedule(name).state
    }

    /// The first moment, in whole seconds and up to `until`, at which something is ordered.
    fn next_order(&mut self, until: i64) -> Option<(i64, Order)> {
        (self.now..=until).find_map(|second| {
            let mut orders = self.tick_at(second);
            assert!(orders.len() <= 1, "{orders:?}");
            orders.pop().map(|order| (second, order))
        })
    }
}

fn reachable() -> [ShootStatus; 1] {
    [shoot("shoot-1", Reach::Reachable)]
}

fn asked_to_wait(kind: Kind, seconds: u64) -> Fault {
    Fault { retry_after: Some(Duration::from_secs(seconds)), ..fault(kind) }
}
