//! Secrets that ask for the impossible (B10, B11): each is named, told of once, costs the shoot no
//! call, keeps nobody waiting, and is served as soon as it is corrected.

mod cases;

use std::{collections::BTreeMap, time::Duration};

use perennial_core::{clock::Clock as _, keys};
use perennial_kube::events::REPEAT_MIN;
use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::State;
use perennial_rpc::identity::Role;
use perennial_testing::{
    access_secret::AccessSecret,
    api_server::{Fault, On},
};
use serde_json::Value;

use self::cases::{Case, cases};
use crate::house::{House, namespace, token};

/// Longest time from a correction to the token.
const SERVED_MAX: Duration = Duration::from_secs(10);

/// The Events about one Secret.
fn events_of(house: &House, name: &str) -> Vec<Value> {
    let mut events = house.seed.list("events", &namespace(1));
    events.retain(|event| event["involvedObject"]["name"] == name);
    events
}

async fn wait_for_event(house: &House, name: &str) -> Value {
    house
        .until(&format!("an Event about {name}"), async || {
            match events_of(house, name).as_slice() {
                [event] => Look::Done(event.clone()),
                events => Look::Waiting(format!("{events:?}")),
            }
        })
        .await
}

#[tokio::test]
async fn b10_every_impossible_value_is_named_and_told_once_and_costs_no_call() {
    let house = House::new().await;
    let before = house.counts();
    let cases = cases();
    for case in &cases {
        house.seed.create(case.secret(&namespace(1)));
    }
    for case in &cases {
        is_named(&house, case).await;
    }
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "nothing is asked and nothing written");

    let right = house.ask(1, "right");
    house.wait_for_token(1, &right).await;
    assert!(events_of(&house, &right).is_empty());

    for case in &cases {
        if case.immutable() {
            house.seed.delete("secrets", &namespace(1), &case.name);
            house.seed.create(case.right(&namespace(1)));
        } else {
            house.edit(1, &case.name, |secret| case.correct(secret));
        }
    }
    let begin = house.clock.now();
    for case in &cases {
        house.wait_for_token(1, &case.name).await;
    }
    let served = house.clock.now().duration_since(begin).unsigned_abs();
    assert!(served < SERVED_MAX, "{} Secrets served after {served:?}", cases.len());
    for case in &cases {
        let events = events_of(&house, &case.name);
        assert_eq!(events.len(), 1, "{}: nothing is told of a correction", case.name);
        assert_eq!(events[0]["count"], 1, "{}", case.name);
    }
}

/// In the schedule, and in one Event.
async fn is_named(house: &House, case: &Case) {
    let state = if case.immutable() { State::Obstructed } else { State::Invalid };
    let named = |text: &str| text.contains(case.named);
    let schedule = house
        .wait_for_schedule(1, &case.name, "its refusal", |schedule| schedule.state() == state)
        .await;
    assert!(named(&schedule.detail), "{}: {}", case.name, schedule.detail);
    let event = wait_for_event(house, &case.name).await;
    let secret = house.secret(1, &case.name);
    let message = event["message"].as_str().unwrap();
    assert!(named(message), "{}: {message}", case.name);
    assert!(message.contains("; ") || message.contains(": "), "it says what to do: {message}");
    assert_eq!(event["reason"], case.reason, "{}: {message}", case.name);
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["involvedObject"]["uid"], secret["metadata"]["uid"]);
    assert!(case.immutable() || token(&secret).is_none(), "{}", case.name);
}

#[tokio::test]
async fn b10_a_restart_tells_nothing_again_and_what_stays_wrong_is_counted_slowly() {
    let mut house = House::new().await;
    let wrong = AccessSecret::new(&namespace(1), "shoot-access-wrong", "wrong")
        .annotated(keys::TOKEN_LIFETIME, "soon");
    house.make(wrong);
    let first = wait_for_event(&house, "shoot-access-wrong").await;
    let writes = |house: &House| house.seed.calls().writes("events");
    for role in [Role::SecretWriter, Role::Scheduler] {
        let reads = house.seed.calls().of("get", "events");
        house.restart(role).await;
        if role == Role::SecretWriter {
            house
                .until("a look whether the Event is there", async || {
                    match house.seed.calls().of("get", "events") {
                        now if now > reads => Look::Done(()),
                        now => Look::Waiting(format!("{now} reads")),
                    }
                })
                .await;
        }
        assert_eq!(writes(&house), 1, "{role:?}");
    }
    house.clock.advance(REPEAT_MIN);
    let second = house
        .until("a second count", async || {
            let event = wait_for_event(&house, "shoot-access-wrong").await;
            if event["count"] == 2 { Look::Done(event) } else { Look::Waiting(event.to_string()) }
        })
        .await;
    assert_eq!(second["metadata"]["name"], first["metadata"]["name"]);
    assert_eq!(second["firstTimestamp"], first["firstTimestamp"]);
    assert_ne!(second["lastTimestamp"], first["lastTimestamp"]);
    assert_eq!(writes(&house), 2);
}

#[tokio::test]
async fn a_refusal_by_the_token_issuer_is_told_on_the_secret() {
    let house = House::new().await;
    let thief = AccessSecret::new(&namespace(1), "shoot-access-thief", "perennial-token-issuer");
    house.make(thief);
    let event = wait_for_event(&house, "shoot-access-thief").await;
    assert_eq!(event["reason"], "PolicyOwnAccount");
    let message = event["message"].as_str().unwrap();
    assert!(message.contains("use another ServiceAccount"), "{message}");
}

#[tokio::test]
async fn a_seed_that_takes_no_events_delays_no_renewal() {
    let house = House::new().await;
    house.seed.fail(On::call("get", "events"), Fault::Hang);
    let wrong = AccessSecret::new(&namespace(1), "shoot-access-wrong", "wrong")
        .annotated(keys::INJECT_CA, "maybe");
    house.make(wrong);
    house
        .until("an Event that hangs", async || match house.seed.calls().of("get", "events") {
            0 => Look::Waiting("none asked for".to_owned()),
            _ => Look::Done(()),
        })
        .await;
    let begin = house.clock.now();
    let names: BTreeMap<_, _> = (0..20).map(|n| (n, house.ask(1, &format!("right-{n}")))).collect();
    for name in names.values() {
        house.wait_for_token(1, name).await;
    }
    let served = house.clock.now().duration_since(begin).unsigned_abs();
    assert!(served < SERVED_MAX, "{served:?}");
}
