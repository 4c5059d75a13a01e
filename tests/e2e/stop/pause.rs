//! A pause of one shoot beside another that is not paused.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use perennial_core::{clock::Clock as _, keys, pause::NAME, stop::NO_REASON};
use perennial_lab::{
    access_secret::token,
    poll::{Look, until},
    service::NAMESPACE,
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{ListSchedulesRequest, Pause, State};
use serde_json::json;

use super::{HELD, status_with};
use crate::{
    house::{House, MOMENT},
    operator::{code, errors, perennial, text},
};

const SHOOT: &str = "shoot--lab--1";
/// From the command to the written Secret. It takes 0.2 s; machines that run this are shared.
const RENEWED_WITHIN: SignedDuration = SignedDuration::from_secs(5);
const OTHER: &str = "shoot--lab--2";
const SECRET: &str = "shoot--lab--1/shoot-access-kube-scheduler";

/// A house of two shoots, each with the Secret [`HELD`], in which nothing is under way.
pub(super) async fn a_pause_holds_for_one_shoot_over_kill_9(house: &House) {
    nobody_lets_a_token_expire_unasked(house).await;
    two_at_once_lose_none(house).await;
    let before = [house.wait_for_token(1, HELD).await, house.wait_for_token(2, HELD).await];
    for shoot in [1, 2] {
        house.annotate(shoot, HELD, keys::RENEW_TIMESTAMP, None).await;
    }
    house.wait(2, HELD, "another token", |secret| is_another(secret, &before[1])).await;
    is_paused(house).await;
    house.lab.service("scheduler").kill_and_wait().await.unwrap();
    is_paused(house).await;
    let refused = perennial(house, &["renew", SECRET]).await;
    assert_eq!(code(&refused), 75, "{}", text(&refused));
    let explained = text(&perennial(house, &["explain", SECRET]).await);
    let explained = explained.split_whitespace().collect::<Vec<_>>().join(" "); // lines are wrapped
    for part in
        ["SHOOT PAUSED", "its shoot is paused by spiffe://", "perennial resume shoot--lab--1"]
    {
        assert!(explained.contains(part), "{part} is missing in {explained}");
    }
    let status = status_with(house, 0).await;
    println!("{status}");
    assert!(
        status.contains("1 shoot is paused") && status.contains("Paused:  shoot shoot--lab--1")
    );
    assert!(errors(&perennial(house, &["list"]).await).contains("shoot shoot--lab--1 is paused"));
    assert_eq!(token(&house.secrets(1).get(HELD).await.unwrap()), token(&before[0]));

    let begun = SystemClock.now();
    let resumed = perennial(house, &["resume", SHOOT]).await;
    println!("{}", text(&resumed));
    assert!(text(&resumed).contains("1 Secret fell due meanwhile"), "{}", text(&resumed));
    house.wait(1, HELD, "another token", |secret| is_another(secret, &before[0])).await;
    let took = SystemClock.now().duration_since(begun);
    println!("renewed {took:?} after the resume");
    assert!(took < RENEWED_WITHIN, "{took:?}");
    a_key_by_hand_pauses(house).await;
}

/// A day is longer than any token lives here: it is said, and nothing happens.
async fn nobody_lets_a_token_expire_unasked(house: &House) {
    let day = ["pause", SHOOT, "--for", "24h", "--reason", "migration"];
    let warned = perennial(house, &day).await;
    println!("{}{}", text(&warned), errors(&warned));
    assert_eq!(code(&warned), 1);
    assert!(text(&warned).contains("WARNING: 2 tokens expire before it ends, first that of "));
    assert!(errors(&warned).contains("--yes does it anyway"));
    assert_eq!(pauses(house).await, []);
}

/// Each write is one key under one field manager, on the version that was looked at.
async fn two_at_once_lose_none(house: &House) {
    let pause = |shoot| ["pause", shoot, "--for", "2h", "--reason", "migration"];
    let (one, other) = (pause(SHOOT), pause(OTHER));
    let (one, other) = tokio::join!(perennial(house, &one), perennial(house, &other));
    println!("{}", text(&one));
    for paused in [&one, &other] {
        assert_eq!(code(paused), 0, "{}", errors(paused));
        assert!(text(paused).contains("No token expires before it ends"), "{}", text(paused));
    }
    let names: Vec<_> = pauses(house).await.into_iter().map(|pause| pause.namespace).collect();
    assert_eq!(names, [SHOOT, OTHER]);
    assert_eq!(code(&perennial(house, &["resume", OTHER]).await), 0);
    assert_eq!(pauses(house).await.len(), 1);
}

/// What is left to an operator who reaches nothing but the seed.
async fn a_key_by_hand_pauses(house: &House) {
    let maps: Api<ConfigMap> = Api::namespaced(house.lab.seed().client(), NAMESPACE);
    for (value, expected) in [(json!(""), 1), (json!(null), 0)] {
        let patch = Patch::Merge(json!({"data": {SHOOT: value}}));
        maps.patch(NAME, &PatchParams::default(), &patch).await.unwrap();
        let look = async || {
            let pauses = pauses(house).await;
            let done = pauses.len() == expected && pauses.iter().all(|p| p.reason == NO_REASON);
            Ok(if done { Look::Done(()) } else { Look::Waiting(format!("{pauses:?}")) })
        };
        until(&format!("{expected} paused shoots"), MOMENT, look).await.unwrap();
    }
}

async fn pauses(house: &House) -> Vec<Pause> {
    let request = ListSchedulesRequest::default();
    house.scheduler().list_schedules(request).await.unwrap().into_inner().pauses
}

fn is_another(secret: &Secret, before: &Secret) -> bool {
    token(secret).is_some() && token(secret) != token(before)
}

/// It would be renewed, and says why it is not.
async fn is_paused(house: &House) {
    let look = async || {
        let schedules = house.schedules().await;
        let is_due = schedules.iter().any(|schedule| {
            let is_it = schedule.namespace == SHOOT && schedule.name == HELD;
            is_it && schedule.state() == State::Due && schedule.detail.contains("migration")
        });
        Ok(if is_due { Look::Done(()) } else { Look::Waiting(format!("{schedules:?}")) })
    };
    until("a Secret that is due in a paused shoot", MOMENT, look).await.unwrap();
}
