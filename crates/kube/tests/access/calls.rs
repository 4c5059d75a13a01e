//! What a write costs, and what becomes of lost answers: only the fake can tell.

use std::time::Duration;

use perennial_core::failure::{Failure as _, Kind};
use perennial_kube::access::WriteError;
use perennial_testing::api_server::{Fault, On};
use serde_json::json;

use super::seed::{KUBECONFIG, Seed, base64, order, written};

#[tokio::test]
async fn a_write_is_one_patch_and_in_kubeconfig_mode_one_read_more() {
    let seed = Seed::fake().await;
    for (name, data, reads) in [
        ("token", json!({"token": ""}), 0),
        ("kubeconfig", json!({"kubeconfig": base64(KUBECONFIG)}), 1),
    ] {
        let order = order(&seed.create(name, data).await, 0, None);
        let calls = seed.calls(seed.write(&order)).await;
        assert_eq!((calls.of("get", "secrets"), calls.of("patch", "secrets")), (reads, 1));
        assert_eq!(calls.count(|_| true), reads + 1);
    }
}

#[tokio::test]
async fn beside_an_unrelated_edit_it_is_two_patches_and_a_read() {
    let seed = Seed::fake().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    seed.edit("a", json!({"metadata": {"annotations": {"stranger": "1"}}})).await;
    let calls = seed.calls(seed.write(&order)).await;
    assert_eq!((calls.of("get", "secrets"), calls.of("patch", "secrets")), (1, 2));
}

#[tokio::test]
async fn a_patch_whose_answer_was_lost_is_found_done_by_the_next_try() {
    let seed = Seed::fake().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    let fake = seed.fake.as_ref().unwrap();
    fake.fail_times(1, On::call("patch", "secrets"), Fault::AnswerLost);
    let error = seed.access.write(&order).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let there = seed.seen("a").await;
    assert_eq!(written(seed.write(&order).await), there, "written once");
}

#[tokio::test]
async fn a_throttled_write_says_so_without_the_token() {
    let seed = Seed::fake().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    seed.fake.as_ref().unwrap().fail(On::call("patch", "secrets"), Fault::Forbidden);
    let error = seed.access.write(&order).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(!format!("{error:?} {error}").contains(order.token().unwrap().expose()));
}

#[tokio::test]
async fn a_seed_that_asks_to_slow_down_for_long_is_believed_and_not_asked_again() {
    let seed = Seed::fake().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    let retry_after = Duration::from_secs(600);
    for fault in [Fault::FlowControl { retry_after }, Fault::Throttled { retry_after }] {
        seed.fake.as_ref().unwrap().fail_times(1, On::call("patch", "secrets"), fault);
        let calls = seed.calls(async {
            let error = seed.access.write(&order).await.unwrap_err();
            assert_eq!((error.kind(), error.retry_after()), (Kind::Throttled, Some(retry_after)));
            assert_eq!(error.reason(), "SEED_THROTTLED");
        });
        assert_eq!(calls.await.of("patch", "secrets"), 1);
    }
}

#[tokio::test]
async fn a_seed_that_is_away_for_a_moment_costs_no_token() {
    let seed = Seed::fake().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    seed.fake.as_ref().unwrap().fail_times(3, On::call("patch", "secrets"), Fault::Unavailable);
    let calls = seed.calls(async { written(seed.write(&order).await) }).await;
    assert_eq!(calls.of("patch", "secrets"), 4);
}

/// Whether a write that fails says that nobody knows what came of it.
async fn unknown(seed: &Seed, name: &str, data: &str, faults: &[(&'static str, Fault)]) -> bool {
    let order = order(&seed.create(name, json!({data: base64(KUBECONFIG)})).await, 0, None);
    let fake = seed.fake.as_ref().unwrap();
    faults.iter().for_each(|(verb, fault)| fake.fail(On::call(verb, "secrets"), *fault));
    let error = seed.access.write(&order).await.unwrap_err();
    fake.heal();
    let text = error.to_string();
    let unknown = matches!(error, WriteError::Unknown(_));
    assert_eq!(text.ends_with("; whether the token was written is unknown"), unknown, "{text}");
    unknown
}

#[tokio::test]
async fn only_a_refusal_says_that_nothing_was_written() {
    let seed = Seed::fake().await;
    assert!(unknown(&seed, "lost", "token", &[("patch", Fault::AnswerLost)]).await);
    assert!(unknown(&seed, "away", "token", &[("patch", Fault::Unavailable)]).await);
    assert!(!unknown(&seed, "forbidden", "token", &[("patch", Fault::Forbidden)]).await);
    let unread = [("get", Fault::AnswerLost)];
    assert!(!unknown(&seed, "unread", "kubeconfig", &unread).await, "no patch was sent");
}

#[tokio::test]
async fn a_refused_patch_that_nobody_could_look_after_is_unknown() {
    let seed = Seed::fake().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    seed.edit("a", json!({"metadata": {"annotations": {"stranger": "1"}}})).await;
    seed.fake.as_ref().unwrap().fail(On::call("get", "secrets"), Fault::Forbidden);
    let error = seed.access.write(&order).await.unwrap_err();
    assert!(matches!(error, WriteError::Unknown(_)), "a repeated patch is refused too: {error}");
}
