//! Secrets as they stand before an attempt, and the attempts that only change one value.

use perennial_core::keys;
use serde_json::{Value, json};

use super::attempt::{Act, Case, Outcome, Who};

/// In token mode, with everything beside it that belongs to somebody else.
pub(super) fn access() -> Value {
    json!({
        "metadata": {
            "labels": {keys::PURPOSE: "token-requestor", keys::CLASS: "shoot", "app": "mine"},
            "annotations": {
                keys::ACCOUNT_NAME: "kube-proxy",
                keys::ACCOUNT_NAMESPACE: "kube-system",
                keys::RENEW_TIMESTAMP: "2026-11-23T00:00:00Z",
                "example.com/note": "mine",
            },
        },
        "data": {"token": "b2xk", "config": "bWluZQ=="},
    })
}

pub(super) fn access_with(edit: impl Fn(&mut Value)) -> Value {
    let mut secret = access();
    edit(&mut secret);
    secret
}

pub(super) fn without_data() -> Value {
    access_with(|secret| secret["data"] = Value::Null)
}

pub(super) fn in_kubeconfig_mode() -> Value {
    access_with(|secret| secret["data"] = json!({"kubeconfig": "b2xk", "config": "bWluZQ=="}))
}

pub(super) fn of_class(class: &str, mut secret: Value) -> Value {
    secret["metadata"]["labels"][keys::CLASS] = class.into();
    secret
}

pub(super) fn unlabelled(mut secret: Value) -> Value {
    secret["metadata"]["labels"] = json!({"app": "mine"});
    secret
}

pub(super) fn with_target() -> Value {
    access_with(|secret| {
        secret["metadata"]["annotations"][keys::TARGET_NAME] = "target".into();
        secret["metadata"]["annotations"][keys::TARGET_NAMESPACE] = "kube-system".into();
        secret["data"] = json!({"token": "b2xk"});
    })
}

pub(super) fn case(attempt: impl Into<String>, before: Value, act: Act, outcome: Outcome) -> Case {
    Case { attempt: attempt.into(), who: Who::Writer, before: Some(before), act, outcome }
}

pub(super) fn note(key: &str, value: impl Into<Value>) -> Act {
    Act::Merge(json!({"metadata": {"annotations": {key: value.into()}}}))
}

pub(super) fn label(key: &str, value: impl Into<Value>) -> Act {
    Act::Merge(json!({"metadata": {"labels": {key: value.into()}}}))
}

pub(super) fn value(key: &str, value: impl Into<Value>) -> Act {
    Act::Merge(json!({"data": {key: value.into()}}))
}
