//! The cases, in the order of the table in `docs/security.md`.

use perennial_core::keys;
use serde_json::{Value, json};

use super::{
    attempt::{Act, Case, Outcome, Who},
    generic,
    stage::{
        access, access_with, case, in_kubeconfig_mode, label, note, of_class, unlabelled, value,
        with_target, without_data,
    },
};
use Outcome::{Denied, Passes, Refused, Remains};

const CREATE_DELETE: &str = "may neither create nor delete a Secret";
const UNLABELLED: &str =
    "only Secrets with the label resources.gardener.cloud/purpose=token-requestor";
const CLASS: &str = "only Secrets whose label resources.gardener.cloud/class is one that it serves";
const LABELS: &str = "may not change labels";
const KEYS: &str = "no data keys but token, kubeconfig and bundle.crt";
const MODE: &str = "may not add a data key kubeconfig";
const EMPTY: &str =
    "remove or empty token and kubeconfig only where the Secret names a target Secret";
const NOTES: &str = "no annotations but token-renew-timestamp and perennial.dev/issued";
const REST: &str = "may not change finalizers, ownerReferences, generateName or immutable";

pub(super) fn cases() -> Vec<Case> {
    let denied = [others(), labels(), data(), annotations(), rest(), generic::denied()];
    let passes = [passes(), generic::passes(), free(), remains(), generic::remains()];
    denied.into_iter().chain(passes).flatten().collect()
}

/// Secrets that are none of its business, and Secrets that come and go.
fn others() -> Vec<Case> {
    let labelled_too = json!({
        "metadata": {"labels": {keys::PURPOSE: "token-requestor", keys::CLASS: "shoot"}},
        "data": {"token": "bmV3"},
    });
    let other_purpose = access_with(|s| s["metadata"]["labels"][keys::PURPOSE] = "other".into());
    let none = |attempt: &str, act, outcome| Case {
        before: None,
        ..case(attempt, Value::Null, act, outcome)
    };
    vec![
        case(
            "writes a token into a Secret without the purpose label",
            unlabelled(access()),
            value("token", "bmV3"),
            Denied(UNLABELLED),
        ),
        case(
            "writes a kubeconfig into a Secret without the purpose label",
            unlabelled(in_kubeconfig_mode()),
            value("kubeconfig", "bmV3"),
            Denied(UNLABELLED),
        ),
        case(
            "writes a timestamp on a Secret without the purpose label",
            unlabelled(access()),
            note(keys::RENEW_TIMESTAMP, "2026-11-24T00:00:00Z"),
            Denied(UNLABELLED),
        ),
        case(
            "writes a token into a Secret with another purpose",
            other_purpose,
            value("token", "bmV3"),
            Denied(UNLABELLED),
        ),
        case(
            "adds the purpose label in the same update",
            unlabelled(access()),
            Act::Merge(labelled_too),
            Denied(UNLABELLED),
        ),
        case(
            "writes a token into an access Secret of another class",
            of_class("garden", access()),
            value("token", "bmV3"),
            Denied(CLASS),
        ),
        case(
            "writes a kubeconfig into an access Secret of another class",
            of_class("garden", in_kubeconfig_mode()),
            value("kubeconfig", "bmV3"),
            Denied(CLASS),
        ),
        none("creates an access Secret", Act::Create(access()), Denied(CREATE_DELETE)),
        none(
            "creates an access Secret by server-side apply",
            Act::Apply(access()),
            Denied(CREATE_DELETE),
        ),
        case("deletes an access Secret", access(), Act::Delete, Denied(CREATE_DELETE)),
        case(
            "deletes all Secrets of a namespace at once",
            access(),
            Act::DeleteCollection,
            Denied(CREATE_DELETE),
        ),
    ]
}

fn labels() -> Vec<Case> {
    let applied = json!({"metadata": {"labels": {"team": "new"}}, "data": {"token": "bmV3"}});
    vec![
        case(
            "removes the purpose label",
            access(),
            label(keys::PURPOSE, Value::Null),
            Denied(LABELS),
        ),
        case("changes the purpose label", access(), label(keys::PURPOSE, "other"), Denied(LABELS)),
        case("removes the class label", access(), label(keys::CLASS, Value::Null), Denied(LABELS)),
        case("changes the class label", access(), label(keys::CLASS, "seed"), Denied(LABELS)),
        case("adds another label", access(), label("team", "new"), Denied(LABELS)),
        case(
            "adds another label by server-side apply",
            access(),
            Act::Apply(applied),
            Denied(LABELS),
        ),
        case("removes another label", access(), label("app", Value::Null), Denied(LABELS)),
        case(
            "removes all labels",
            access(),
            Act::Merge(json!({"metadata": {"labels": null}})),
            Denied(LABELS),
        ),
    ]
}

fn data() -> Vec<Case> {
    let text = |value: Value| Act::Merge(json!({"stringData": value}));
    let whole = json!([{"op": "replace", "path": "/data", "value": {"token": "bmV3"}}]);
    let applied = json!({"data": {"token": "bmV3", "extra": "bmV3"}});
    vec![
        case("adds a foreign data key", access(), value("extra", "bmV3"), Denied(KEYS)),
        case("changes a foreign data key", access(), value("config", "bmV3"), Denied(KEYS)),
        case("removes a foreign data key", access(), value("config", Value::Null), Denied(KEYS)),
        case(
            "adds a foreign data key to a Secret without data",
            without_data(),
            value("extra", "bmV3"),
            Denied(KEYS),
        ),
        case(
            "replaces the whole of data by JSON Patch",
            access(),
            Act::JsonPatch(whole),
            Denied(KEYS),
        ),
        case(
            "adds a foreign data key through stringData",
            access(),
            text(json!({"extra": "new"})),
            Denied(KEYS),
        ),
        case(
            "changes a foreign data key through stringData in a PUT",
            access(),
            Act::Put(|s| s["stringData"] = json!({"config": "new"})),
            Denied(KEYS),
        ),
        case(
            "removes a foreign data key by a PUT without it",
            access(),
            Act::Put(|s| s["data"] = json!({"token": "bmV3"})),
            Denied(KEYS),
        ),
        case(
            "adds a foreign data key by server-side apply",
            access(),
            Act::Apply(applied),
            Denied(KEYS),
        ),
        case(
            "adds a kubeconfig in token mode",
            access(),
            value("kubeconfig", "bmV3"),
            Denied(MODE),
        ),
        case(
            "removes a token that goes to no target",
            access(),
            value("token", Value::Null),
            Denied(EMPTY),
        ),
        case("empties a token", access(), value("token", ""), Denied(EMPTY)),
        case(
            "removes a kubeconfig that goes to no target",
            in_kubeconfig_mode(),
            value("kubeconfig", Value::Null),
            Denied(EMPTY),
        ),
        case(
            "removes all data",
            access_with(|s| s["data"] = json!({"token": "b2xk"})),
            Act::Merge(json!({"data": null})),
            Denied(EMPTY),
        ),
    ]
}

fn annotations() -> Vec<Case> {
    let set = |key: &str| {
        case(
            format!("sets the input annotation `{key}`"),
            access(),
            note(key, "new"),
            Denied(NOTES),
        )
    };
    let mut cases: Vec<Case> = keys::INPUT_ANNOTATIONS.into_iter().map(set).collect();
    cases.extend([
        case("removes the name of the account", access(), note(keys::ACCOUNT_NAME, Value::Null), Denied(NOTES)),
        case("names a target and removes the token", access(), Act::Merge(json!({
            "metadata": {"annotations": {keys::TARGET_NAME: "new", keys::TARGET_NAMESPACE: "new"}},
            "data": {"token": null},
        })), Denied(EMPTY)),
        case("adds a foreign annotation", access(), note("example.com/other", "new"), Denied(NOTES)),
        case("changes a foreign annotation", access(), note("example.com/note", "new"), Denied(NOTES)),
        case("removes a foreign annotation", access(), note("example.com/note", Value::Null), Denied(NOTES)),
        case("removes all annotations by a PUT", access(), Act::Put(|s| s["metadata"]["annotations"] = Value::Null), Denied(NOTES)),
    ]);
    cases
}

fn rest() -> Vec<Case> {
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}]);
    let meta = |key: &str, value: Value| Act::Merge(json!({"metadata": {key: value}}));
    let held = access_with(|s| s["metadata"]["finalizers"] = json!(["example.com/hold"]));
    vec![
        case(
            "adds an owner, so that the Secret is collected as garbage",
            access(),
            meta("ownerReferences", owner),
            Denied(REST),
        ),
        case(
            "adds a finalizer",
            access(),
            meta("finalizers", json!(["example.com/hold"])),
            Denied(REST),
        ),
        case("removes a finalizer", held, meta("finalizers", Value::Null), Denied(REST)),
        case(
            "makes the Secret immutable",
            access(),
            Act::Merge(json!({"immutable": true})),
            Denied(REST),
        ),
        case("sets generateName", access(), meta("generateName", "new-".into()), Denied(REST)),
        case(
            "changes the type of the Secret",
            access(),
            Act::Merge(json!({"type": "example.com/new"})),
            Refused("field is immutable"),
        ),
    ]
}

/// What the secret-writer needs, and must be able to do under the fence.
fn passes() -> Vec<Case> {
    let notes =
        json!({"annotations": {keys::RENEW_TIMESTAMP: "2026-11-24T00:00:00Z", keys::ISSUED: "{}"}});
    let renewal = json!({"metadata": notes, "data": {"token": "bmV3"}});
    let bundle = access_with(|s| s["data"]["bundle.crt"] = "b2xk".into());
    vec![
        case("writes token, timestamp and note", access(), Act::Merge(renewal.clone()), Passes),
        case(
            "writes the first token into a Secret without data",
            without_data(),
            Act::Merge(renewal.clone()),
            Passes,
        ),
        case(
            "writes a timestamp on a Secret without data",
            without_data(),
            note(keys::RENEW_TIMESTAMP, "2026-11-24T00:00:00Z"),
            Passes,
        ),
        case("removes the timestamp", access(), note(keys::RENEW_TIMESTAMP, Value::Null), Passes),
        case(
            "writes another kubeconfig in kubeconfig mode",
            in_kubeconfig_mode(),
            value("kubeconfig", "bmV3"),
            Passes,
        ),
        case("adds `bundle.crt`", access(), value("bundle.crt", "bmV3"), Passes),
        case("removes `bundle.crt`", bundle, value("bundle.crt", Value::Null), Passes),
        case(
            "removes the token, the last data key, where a target is named",
            with_target(),
            value("token", Value::Null),
            Passes,
        ),
        case(
            "writes the token through stringData",
            access(),
            Act::Merge(json!({"stringData": {"token": "new"}})),
            Passes,
        ),
        case(
            "writes token, timestamp and note by server-side apply",
            access(),
            Act::Apply(renewal),
            Passes,
        ),
        case(
            "writes the token by a PUT",
            access(),
            Act::Put(|s| s["data"]["token"] = "bmV3".into()),
            Passes,
        ),
    ]
}

/// Whom the fence does not concern.
fn free() -> Vec<Case> {
    let by = |who, attempt: &str, before, act| Case { who, ..case(attempt, before, act, Passes) };
    vec![
        by(
            Who::Admin,
            "an admin changes labels and foreign keys of an access Secret",
            access(),
            Act::Merge(json!({"metadata": {"labels": {"app": "new"}}, "data": {"config": "bmV3"}})),
        ),
        by(Who::Admin, "an admin empties a token", access(), value("token", "")),
        by(Who::Admin, "an admin deletes an access Secret", access(), Act::Delete),
        by(
            Who::Another,
            "another ServiceAccount with the right to do so writes a Secret without the purpose label",
            unlabelled(access()),
            value("extra", "bmV3"),
        ),
        by(
            Who::Another,
            "another ServiceAccount with the right to do so deletes an access Secret",
            access(),
            Act::Delete,
        ),
    ]
}

/// What a stolen secret-writer can still do.
fn remains() -> Vec<Case> {
    vec![
        case("reads a Secret without the purpose label", unlabelled(access()), Act::Read, Remains),
        case(
            "writes something that is no token over a usable one",
            access(),
            value("token", "bm9uc2Vuc2U="),
            Remains,
        ),
        case(
            "writes a kubeconfig that leads elsewhere",
            in_kubeconfig_mode(),
            value("kubeconfig", "ZWxzZXdoZXJl"),
            Remains,
        ),
        case(
            "writes a timestamp in a hundred years",
            access(),
            note(keys::RENEW_TIMESTAMP, "2126-11-24T00:00:00Z"),
            Remains,
        ),
        case(
            "clears `metadata.managedFields`",
            access(),
            Act::Merge(json!({"metadata": {"managedFields": [{}]}})),
            Remains,
        ),
    ]
}
