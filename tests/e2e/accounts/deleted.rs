//! Accounts that are deleted, made anew, or held by a finalizer.

use perennial_core::{clock::Clock as _, keys};
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;
use serde_json::json;
use tonic::Code;

use super::stage::{PROXY, Stage};
use crate::house::{MOMENT, access_secret};

const FIRST: &str = "shoot-access-kube-proxy";

#[tokio::test]
async fn c_account_deleted_or_made_anew_costs_each_secret_one_token_within_ten_seconds() {
    let stage = Stage::start().await;
    let labels = (keys::ACCOUNT_LABELS, r#"{"app":"x"}"#);
    let secrets = |account: &str| [format!("shoot-access-{account}"), format!("second-{account}")];
    let accounts = ["deleted", "made-anew"];
    for account in accounts {
        for name in secrets(account) {
            let more = [labels, (keys::ACCOUNT_NAME, account)];
            stage.house.create(1, access_secret(&name, &more)).await;
        }
    }
    for name in accounts.iter().flat_map(|account| secrets(account)) {
        stage.house.wait_for_token(1, &name).await;
    }

    for account in accounts {
        let old = stage.uid(account).await;
        let (before, begin) = (stage.house.counts().await, SystemClock.now());
        stage.delete(account).await;
        let (uid, labels): (_, &[_]) = match account {
            "deleted" => (stage.wait_for_another(account, &old).await, &[("app", "x")]),
            _ => (stage.make(account).await, &[("app", "x"), ("team", "x")]),
        };
        for name in secrets(account) {
            stage.wait_for_uid(&name, &uid, begin).await;
        }
        stage.wait_for_labels(account, labels, begin).await;
        assert_eq!(stage.granted_since(&before).await, 2, "{account}");
        assert_eq!(stage.uid(account).await, uid, "it is left in place");
    }
    stage.house.end().await;
}

#[tokio::test]
async fn c_account_held_by_a_finalizer_gets_no_token_before_it_is_gone() {
    let stage = Stage::start().await;
    stage.house.ask(1, FIRST, &[]).await;
    stage.house.wait_for_token(1, FIRST).await;
    let uid = stage.uid(PROXY).await;
    let finalizer = json!({"metadata": {"finalizers": ["example.org/wait"]}});
    stage.change("kubectl", PROXY, finalizer).await;

    let before = stage.house.counts().await;
    stage.delete(PROXY).await;
    wait_for_state(&stage, State::WaitingForShoot).await;
    let status = stage.house.renew_now(1, FIRST).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("finalizer"), "{status}");
    assert_eq!(stage.granted_since(&before).await, 0, "while it is terminating");

    let begin = SystemClock.now();
    stage.change("kubectl", PROXY, json!({"metadata": {"finalizers": null}})).await;
    let uid = stage.wait_for_another(PROXY, &uid).await;
    stage.wait_for_uid(FIRST, &uid, begin).await;
    assert_eq!(stage.granted_since(&before).await, 1);
    stage.house.end().await;
}

async fn wait_for_state(stage: &Stage, wanted: State) {
    let look = async || {
        let schedules = stage.house.schedules().await;
        let found = schedules.into_iter().find(|schedule| schedule.name == FIRST);
        let state = found.map(|schedule| schedule.state());
        Ok(match state == Some(wanted) {
            true => Look::Done(()),
            false => Look::Waiting(format!("{state:?}")),
        })
    };
    until(&format!("{FIRST}: {wanted:?}"), MOMENT, look).await.unwrap();
}
