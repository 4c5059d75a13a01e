//! Secrets that ask for the impossible (B10, B11): named, told of once, not called for, and harmless
//! to the others.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use perennial_core::clock::Clock as _;
use perennial_lab::{
    access_secret::token,
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;
use serde_json::Value;

#[path = "../integration/nonsense/cases.rs"]
mod cases;

use self::cases::{Case, cases};
use crate::{
    events::{events, note, wait_for_event},
    house::{House, MOMENT},
};

#[tokio::test]
async fn b10_what_cannot_be_served_is_named_and_costs_no_call_and_is_served_once_corrected() {
    let house = House::start(1, &[]).await;
    house.wait_for_token(1, perennial_lab::shoot::ACCESS_SECRET).await;
    let cases = cases();
    let before = house.counts().await;
    for case in &cases {
        house.create(1, object(case.secret(&namespace(1)))).await;
    }
    let begin = SystemClock.now();
    for case in &cases {
        is_told_once(&house, case).await;
    }
    let took = SystemClock.now().duration_since(begin);
    println!("{} wrong Secrets have their Events after {took:.1?}", cases.len());
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.token_requests(), 0, "{:?}", spent.shoot);
    assert_eq!(spent.seed.writes("secrets"), cases.len() as u64, "only our own creations");

    house.ask(1, "shoot-access-right", &[]).await;
    house.wait_for_token(1, "shoot-access-right").await;
    let schedules = house.schedules().await;
    for case in &cases {
        let schedule = schedules.iter().find(|schedule| schedule.name == case.name).unwrap();
        let state = if case.immutable() { State::Obstructed } else { State::Invalid };
        assert_eq!(schedule.state(), state, "{}", case.name);
        assert!(schedule.detail.contains(case.named), "{}", schedule.detail);
        println!("{}: {}", case.reason, schedule.detail);
        let secret = house.secrets(1).get(&case.name).await.unwrap();
        assert_eq!(token(&secret), None);
    }
    a_restart_tells_nothing_again(&house, cases.len()).await;

    for case in &cases {
        correct(&house.secrets(1), case).await;
    }
    let begin = SystemClock.now();
    for case in &cases {
        house.wait_for_token(1, &case.name).await;
    }
    println!("all served {:.1?} after the correction", SystemClock.now().duration_since(begin));
    let events = events(&house).await;
    assert_eq!(events.len(), cases.len(), "nothing is told of a correction");
    assert!(events.iter().all(|event| event.count == Some(1)));
    house.end().await;
}

fn object(json: Value) -> Secret {
    serde_json::from_value(json).unwrap()
}

async fn is_told_once(house: &House, case: &Case) {
    let event = wait_for_event(house, &case.name).await;
    let message = event.message.clone().unwrap();
    assert_eq!(event.reason.as_deref(), Some(case.reason), "{}: {message}", case.name);
    assert!(message.contains(case.named), "{}: {message}", case.name);
    let secret = house.secrets(1).get(&case.name).await.unwrap();
    assert_eq!(event.involved_object.uid, secret.metadata.uid);
    assert_eq!(note(house, &event).await, Some(message));
}

/// The next secret-writer looks whether each Event is there, and leaves all as they are.
async fn a_restart_tells_nothing_again(house: &House, count: usize) {
    let before = events(house).await;
    house.lab.service("secret-writer").restart().await.unwrap();
    let known = format!("perennial_secret_writer_events_total{{outcome=\"known\"}} {count}");
    let look = async || {
        let metrics = house.lab.service("secret-writer").metrics().await?;
        let of_events = |line: &&str| line.starts_with("perennial_secret_writer_events_total");
        let lines: Vec<_> = metrics.lines().filter(of_events).collect();
        Ok(match lines.contains(&known.as_str()) {
            true => Look::Done(()),
            false => Look::Waiting(lines.join("; ")),
        })
    };
    until("a look at every Event", MOMENT, look).await.unwrap();
    assert_eq!(events(house).await, before);
}

async fn correct(secrets: &Api<Secret>, case: &Case) {
    if case.immutable() {
        secrets.delete(&case.name, &DeleteParams::default()).await.unwrap();
        let right = object(case.right(&namespace(1)));
        secrets.create(&PostParams::default(), &right).await.unwrap();
        return;
    }
    let mut secret = serde_json::to_value(secrets.get(&case.name).await.unwrap()).unwrap();
    case.correct(&mut secret);
    secrets.replace(&case.name, &PostParams::default(), &object(secret)).await.unwrap();
}
