//! The global stop switch and the pauses of shoots on real API servers, under the RBAC of `deploy/`, by the real binary.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use perennial_core::{
    keys,
    stop::{NAME, NO_REASON},
};
use perennial_lab::{
    access_secret::token,
    poll::{Look, until},
    service::NAMESPACE,
};
use perennial_proto::scheduler::v1::State;
use serde_json::json;

use crate::{
    house::{House, MOMENT},
    operator::{code, errors, perennial, text},
};

mod pause;

const HELD: &str = "shoot-access-kube-scheduler";
const NEW: &str = "shoot-access-kube-proxy";

#[tokio::test]
async fn a_stop_and_a_pause_hold_over_kill_9_and_are_ended_by_a_resume_or_by_hand() {
    let house = House::start(2, &[]).await;
    house.ask(1, HELD, &[]).await;
    house.ask(2, HELD, &[]).await;
    let before = house.wait_for_token(1, HELD).await;
    // The own token is proved by then, so nothing is under way.
    house.all_fresh(4).await;
    let counts = house.counts().await;

    let stopped = perennial(&house, &["stop", "--reason", "wrong tokens"]).await;
    println!("{}", text(&stopped));
    assert_eq!(code(&stopped), 0, "{}", errors(&stopped));
    assert!(text(&stopped).starts_with("THE FLEET IS STOPPED by spiffe://"), "{}", text(&stopped));
    assert!(text(&stopped).contains("No token expires within the hour; the next is that of "));
    house.annotate(1, HELD, keys::RENEW_TIMESTAMP, None).await;
    house.ask(1, NEW, &[]).await;
    are_due(&house).await;
    house.lab.service("scheduler").kill_and_wait().await.unwrap();
    are_due(&house).await;
    let status = perennial(&house, &["status"]).await;
    println!("{}", text(&status));
    assert_eq!(code(&status), 1, "somebody is needed");
    assert!(text(&status).starts_with("THE FLEET IS STOPPED by "), "{}", text(&status));
    let explained =
        text(&perennial(&house, &["explain", "shoot--lab--1/shoot-access-kube-proxy"]).await);
    assert!(
        explained.contains("FLEET STOPPED") && explained.contains("perennial resume"),
        "{explained}"
    );
    assert!(errors(&perennial(&house, &["list"]).await).contains("FLEET IS STOPPED"));
    let spent = house.counts().await.since(&counts);
    assert_eq!((spent.shoot.token_requests(), spent.seed.writes("secrets")), (0, 2), "ours alone");

    let resumed = perennial(&house, &["resume"]).await;
    println!("{}", text(&resumed));
    assert_eq!(code(&resumed), 0, "{}", errors(&resumed));
    assert!(text(&resumed).contains("2 Secrets fell due meanwhile"), "{}", text(&resumed));
    let renewed = |secret: &_| token(secret).is_some() && token(secret) != token(&before);
    house.wait(1, HELD, "another token", renewed).await;
    house.wait_for_token(1, NEW).await;
    // One token each; the account of the new Secret was missing, which the first request for it found.
    assert_eq!(house.counts().await.since(&counts).shoot.token_requests(), 3);
    an_empty_config_map_stops(&house).await;
    pause::a_pause_holds_for_one_shoot_over_kill_9(&house).await;
    house.end().await;
}

/// What is left to an operator who reaches nothing but the seed.
async fn an_empty_config_map_stops(house: &House) {
    let maps: Api<ConfigMap> = Api::namespaced(house.lab.seed().client(), NAMESPACE);
    let empty: ConfigMap = serde_json::from_value(json!({"metadata": {"name": NAME}})).unwrap();
    maps.create(&PostParams::default(), &empty).await.unwrap();
    let stopped = status_with(house, 1).await;
    println!("{stopped}");
    assert!(stopped.contains("by somebody by hand") && stopped.contains(NO_REASON), "{stopped}");
    maps.delete(NAME, &DeleteParams::default()).await.unwrap();
    assert!(status_with(house, 0).await.starts_with("all is well"));
}

async fn status_with(house: &House, expected: i32) -> String {
    let look = async || {
        let status = perennial(house, &["status"]).await;
        let done = code(&status) == expected;
        Ok(if done { Look::Done(text(&status)) } else { Look::Waiting(text(&status)) })
    };
    until(&format!("perennial status to exit with {expected}"), MOMENT, look).await.unwrap()
}

/// Both Secrets would be renewed, and say why they are not.
async fn are_due(house: &House) {
    let look = async || {
        let schedules = house.schedules().await;
        let due = schedules.iter().filter(|schedule| {
            schedule.state() == State::Due && schedule.detail.contains("wrong tokens")
        });
        let names: Vec<_> = due.map(|schedule| schedule.name.as_str()).collect();
        Ok(if names == [NEW, HELD] { Look::Done(()) } else { Look::Waiting(format!("{names:?}")) })
    };
    until("two Secrets that are due", MOMENT, look).await.unwrap();
}
