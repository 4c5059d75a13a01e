//! What an operator sees and may do.

use std::time::Duration;

use perennial_core::keys;
use perennial_proto::scheduler::v1::State;
use perennial_testing::access_secret::AccessSecret;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::house::{House, namespace};

#[tokio::test]
async fn a_renewal_on_request_is_written_when_the_answer_comes() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    let first = house.wait_for_token(1, &name).await;
    house.all_fresh(2).await;

    let schedule = house.renew_now(1, &name).await.unwrap();
    assert_eq!(schedule.last_renewal.unwrap().reason, "requested");
    assert_ne!(house.wait_for_token(1, &name).await, first);
}

#[tokio::test]
async fn b12_renewals_on_request_cannot_become_a_storm() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    house.all_fresh(2).await;
    let mut granted = 0;
    let refused = loop {
        match house.renew_now(1, &name).await {
            Ok(_) => granted += 1,
            Err(status) => break status,
        }
        assert!(granted <= 2, "one corrective token at once, the next one 10 s later");
    };
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let pause = refused.get_details_retry_info().and_then(|info| info.retry_delay).unwrap();
    assert!(pause <= Duration::from_secs(20), "{pause:?}");

    house.clock.advance(pause + Duration::from_secs(1));
    house.renew_after_leap(1, &name).await;
}

#[tokio::test]
async fn every_schedule_tells_when_and_why() {
    let house = House::new().await;
    for number in 0..3 {
        house.ask(1, &format!("component-{number}"));
    }
    house.all_fresh(4).await;
    for schedule in house.schedules().await.unwrap() {
        let name = &schedule.name;
        let seconds = |at: &Option<prost_types::Timestamp>| at.as_ref().unwrap().seconds;
        let [issued, planned, latest, expires] =
            [&schedule.issued_at, &schedule.planned_at, &schedule.latest_at, &schedule.expires_at]
                .map(seconds);
        assert!(issued < planned && planned <= latest && latest < expires, "{name}");
        assert_eq!(schedule.last_renewal.unwrap().reason, "nothing_held", "{name}");
        assert_eq!((schedule.failures, schedule.detail.as_str()), (0, ""), "{name}");
    }
}

#[tokio::test]
async fn b10_an_impossible_secret_is_named_and_costs_no_call_until_it_is_corrected() {
    let house = House::new().await;
    let before = house.counts();
    let name = "shoot-access-impossible";
    house.make(
        AccessSecret::new(&namespace(1), name, "impossible")
            .annotated(keys::TOKEN_LIFETIME, "soon"),
    );
    let schedule =
        house.wait_for_schedule(1, name, "its refusal", |s| s.state() == State::Invalid).await;
    assert!(schedule.detail.contains(keys::TOKEN_LIFETIME), "{}", schedule.detail);
    assert!(schedule.detail.contains("12h"), "a remedy: {}", schedule.detail);
    let refused = house.renew_now(1, name).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");

    let other = house.ask(1, "possible");
    house.wait_for_token(1, &other).await;
    let impossible = house.shoot(1).calls().count(|call| call.name == "impossible");
    assert_eq!(impossible, 0, "nothing is asked for it");
    assert_eq!(house.spent_since(&before).seed.writes("secrets"), 1, "and it is not written");

    house.edit(1, name, |secret| {
        secret["metadata"]["annotations"][keys::TOKEN_LIFETIME] = "1h".into();
    });
    house.wait_for_token(1, name).await;
}

#[tokio::test]
async fn b11_an_immutable_secret_and_one_that_is_going_harm_nobody_else() {
    let house = House::new().await;
    let immutable = house.ask(1, "immutable");
    house.all_fresh(2).await;
    house.edit(1, &immutable, |secret| secret["immutable"] = true.into());
    let mut going = AccessSecret::new(&namespace(1), "shoot-access-going", "going").json();
    going["metadata"]["finalizers"] = serde_json::json!(["stranger.example/held"]);
    house.seed.create(going);
    house.wait_for_token(1, "shoot-access-going").await;
    house.seed.delete("secrets", &namespace(1), "shoot-access-going");
    for name in [&*immutable, "shoot-access-going"] {
        house.wait_for_schedule(1, name, "its obstacle", |s| s.state() == State::Obstructed).await;
    }
    let before = house.counts();
    house.clock.advance(Duration::from_secs(11 * 60 * 60));
    let other = house.ask(1, "other");
    house.wait_for_token(1, &other).await;
    assert_eq!(house.spent_since(&before).seed.writes("secrets"), 1, "only the other one");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_not_found() {
    let house = House::new().await;
    let status = house.renew_now(1, "shoot-access-nobody").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
}
