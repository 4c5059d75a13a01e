//! Labels and automount that are not as a Secret asks for.

use perennial_core::{clock::Clock as _, keys};
use perennial_process::clock::SystemClock;
use serde_json::json;

use super::stage::{PROXY, Stage};

const NAME: &str = "shoot-access-kube-proxy";
const REFERENCE: &str = "gardener-resource-manager";

#[tokio::test]
async fn c_account_drift_is_put_back_without_a_token_and_foreign_labels_stay() {
    let stage = Stage::start().await;
    let labels = r#"{"app":"proxy","role":"x"}"#;
    stage.house.ask(1, NAME, &[(keys::ACCOUNT_LABELS, labels)]).await;
    stage.house.wait_for_token(1, NAME).await;
    let before = stage.house.counts().await;
    let ours = [("app", "proxy"), ("role", "x"), ("team", "y")];

    for change in [
        json!({"metadata": {"labels": {"app": "other", "team": "y"}}}),
        json!({"metadata": {"labels": {"app": null, "role": "z"}}}),
        json!({"automountServiceAccountToken": true}),
        json!({"automountServiceAccountToken": null}),
    ] {
        let begin = SystemClock.now();
        println!("{change}");
        stage.change("kubectl", PROXY, change).await;
        stage.wait_for_labels(PROXY, &ours, begin).await;
    }
    assert_eq!(stage.granted_since(&before).await, 0);
    stage.house.end().await;
}

#[tokio::test]
async fn b2_labels_follow_the_annotation_and_only_ours_are_taken_away() {
    let stage = Stage::start().await;
    stage.make(PROXY).await; // with a label of its own, and automount as it comes
    stage.house.ask(1, NAME, &[(keys::ACCOUNT_LABELS, r#"{"app":"proxy"}"#)]).await;
    let begin = SystemClock.now();
    stage.house.wait_for_token(1, NAME).await;
    stage.wait_for_labels(PROXY, &[("app", "proxy"), ("team", "x")], begin).await;
    for (asked, labels) in [
        (
            Some(r#"{"app":"proxy","role":"y"}"#),
            &[("app", "proxy"), ("role", "y"), ("team", "x")][..],
        ),
        (Some(r#"{"role":"y"}"#), &[("role", "y"), ("team", "x")]),
        (None, &[("team", "x")]),
    ] {
        let begin = SystemClock.now();
        stage.house.annotate(1, NAME, keys::ACCOUNT_LABELS, asked).await;
        stage.wait_for_labels(PROXY, labels, begin).await;
    }
    stage.house.end().await;
}

#[tokio::test]
async fn b2_labels_that_the_reference_wrote_are_taken_over_when_they_are_no_longer_wanted() {
    let stage = Stage::start().await;
    stage.make(PROXY).await;
    let written = json!({
        "metadata": {"labels": {"app": "proxy", "old": "y"}}, "automountServiceAccountToken": false,
    });
    stage.change(REFERENCE, PROXY, written).await;
    let before = stage.house.counts().await;
    let both = r#"{"app":"proxy","old":"y"}"#;
    stage.house.ask(1, NAME, &[(keys::ACCOUNT_LABELS, both)]).await;
    stage.house.wait_for_token(1, NAME).await;
    let spent = stage.house.counts().await.since(&before);
    assert_eq!(spent.shoot.writes("serviceaccounts"), 0, "what fits is not written to");

    let begin = SystemClock.now();
    stage.house.annotate(1, NAME, keys::ACCOUNT_LABELS, Some(r#"{"app":"proxy"}"#)).await;
    stage.wait_for_labels(PROXY, &[("app", "proxy"), ("team", "x")], begin).await;
    let account = stage.account(PROXY).await;
    let owners = account.metadata.managed_fields.unwrap();
    let managers: Vec<_> = owners.iter().filter_map(|entry| entry.manager.as_deref()).collect();
    assert!(!managers.contains(&REFERENCE), "{managers:?}");
    stage.house.end().await;
}
