use super::*;
use crate::{
    feed::{Event, RecordEvent, ShootEvent},
    fixtures::{at, bare, secret, shoot, written},
};
use perennial_core::{reason::Reason, record::Record, shoot::Reach};

/// A Secret whose account has its name.
fn naming(text: &str) -> Record {
    let mut record = bare(text);
    record.inputs.as_mut().unwrap().account =
        format!("kube-system/{}", record.secret.name).parse().unwrap();
    record
}

struct World(Fleet);

impl World {
    fn new() -> Self {
        Self(Fleet::new(crate::fixtures::settings()))
    }

    fn records(&mut self, records: &[Record]) {
        self.record(Event::Opened);
        records.iter().for_each(|record| self.record(Event::Upsert(record.clone())));
        self.record(Event::Complete);
    }

    fn record(&mut self, event: RecordEvent) {
        self.0.hear_of_records(at(0), event);
    }

    fn shoots(&mut self, source: usize, names: &[&str]) {
        let mut say = |event: ShootEvent| self.0.hear_of_shoots(at(0), source, event);
        say(Event::Opened);
        names.iter().for_each(|name| say(Event::Upsert(shoot(name, Reach::Reachable))));
        say(Event::Complete);
    }

    /// What is told at that moment, as `source shoot: accounts`.
    fn told(&mut self, seconds: i64) -> Vec<(Observation, String)> {
        let told = self.0.observations(at(seconds)).into_iter().map(|observation| {
            let names: Vec<_> =
                observation.accounts.iter().map(|account| account.name.as_str()).collect();
            let text = format!("{} {}: {}", observation.source, observation.shoot, names.join(","));
            (observation, text)
        });
        told.collect()
    }

    fn texts(&mut self, seconds: i64) -> Vec<String> {
        self.told(seconds).into_iter().map(|(_, text)| text).collect()
    }

    /// Everything that is told is taken.
    fn take_all(&mut self, seconds: i64) -> Vec<String> {
        let told = self.told(seconds);
        told.into_iter()
            .map(|(observation, text)| {
                self.0.observed(at(seconds), &observation, true);
                text
            })
            .collect()
    }
}

#[test]
fn each_token_issuer_is_told_of_the_shoots_it_knows_once_the_records_are_whole() {
    let mut world = World::new();
    world.shoots(0, &["shoot-1", "shoot-2"]);
    world.shoots(1, &["shoot-2"]);
    assert_eq!(world.texts(0), [""; 0], "half a set would be worse than none");
    world.records(&[
        naming("shoot-1/a"),
        naming("shoot-1/b"),
        naming("shoot-2/c"),
        naming("shoot-3/d"),
    ]);
    assert_eq!(world.take_all(0), ["0 shoot-1: a,b", "0 shoot-2: c", "1 shoot-2: c"]);
    assert_eq!(world.take_all(0), [""; 0], "told once");
}

#[test]
fn a_change_of_the_set_is_told_and_a_renewal_is_none() {
    let mut world = World::new();
    world.shoots(0, &["shoot-1"]);
    world.records(&[naming("shoot-1/a")]);
    world.take_all(0);
    world.record(Event::Upsert(written(&naming("shoot-1/a"), 0, Reason::Due)));
    assert_eq!(world.take_all(0), [""; 0]);
    world.record(Event::Upsert(naming("shoot-1/b")));
    assert_eq!(world.take_all(0), ["0 shoot-1: a,b"]);
    world.record(Event::Removed(secret("shoot-1/a")));
    assert_eq!(world.take_all(0), ["0 shoot-1: b"]);
}

#[test]
fn b7_a_target_is_told_when_it_is_named_and_when_it_changes() {
    let mut world = World::new();
    world.shoots(0, &["shoot-1"]);
    let aimed = |name: &str| {
        let mut record = naming("shoot-1/a");
        record.inputs.as_mut().unwrap().target = Some(secret(&format!("kube-system/{name}")));
        record
    };
    world.records(&[aimed("first")]);
    let targets = |world: &mut World| -> Vec<String> {
        let told = world.told(0);
        told.iter().for_each(|(observation, _)| {
            world.0.observed(at(0), observation, true);
        });
        let all = told.into_iter().flat_map(|(observation, _)| observation.targets);
        all.map(|target| target.to_string()).collect()
    };
    assert_eq!(targets(&mut world), ["kube-system/first"]);
    world.record(Event::Upsert(aimed("second")));
    assert_eq!(targets(&mut world), ["kube-system/second"]);
    world.record(Event::Upsert(written(&aimed("second"), 0, Reason::Due)));
    assert_eq!(targets(&mut world), [""; 0], "a renewal is no change");
}

#[test]
fn a_token_issuer_whose_stream_is_new_is_told_again() {
    let mut world = World::new();
    world.shoots(0, &["shoot-1"]);
    world.records(&[naming("shoot-1/a")]);
    world.take_all(0);
    world.0.hear_of_shoots(at(0), 0, Event::Lost);
    world.shoots(0, &["shoot-1"]);
    assert_eq!(world.take_all(0), ["0 shoot-1: a"]);
}

#[test]
fn what_was_not_taken_is_told_again_after_a_pause_that_doubles() {
    let mut world = World::new();
    world.shoots(0, &["shoot-1"]);
    world.records(&[naming("shoot-1/a")]);
    let mut moments = Vec::new();
    for second in 0..40 {
        for (observation, _) in world.told(second) {
            moments.push(second);
            let failures = world.0.observed(at(second), &observation, false);
            assert_eq!(failures as usize, moments.len());
        }
    }
    assert_eq!(moments, [0, 1, 3, 7, 15, 31]);
}

#[test]
fn a_change_while_it_is_being_told_is_told_after_that() {
    let mut world = World::new();
    world.shoots(0, &["shoot-1"]);
    world.records(&[naming("shoot-1/a")]);
    let (observation, _) = world.told(0).remove(0);
    world.record(Event::Upsert(naming("shoot-1/b")));
    assert_eq!(world.texts(0), [""; 0], "one at a time");
    world.0.observed(at(0), &observation, true);
    assert_eq!(world.take_all(0), ["0 shoot-1: a,b"]);
}
