//! JSON Patch and merge patch. The renewal is one JSON Patch, so every habit counts here.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{data, make, refusal, version};

const NAME: &str = "patched";
const DOES_NOT_APPLY: &str =
    "422 Invalid [] the server rejected our request due to an error in our request";

pub(super) async fn suite(client: &Client, namespace: &str) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let annotations = json!({"contract/a": "1"});
    let json =
        json!({"metadata": {"name": NAME, "annotations": annotations}, "stringData": {"k": "v"}});
    let made = make(&secrets, json).await;
    a_patch_applies_as_a_whole_or_not_at_all(&secrets).await;
    an_absent_key_passes_a_test_for_null(&secrets).await;
    a_key_may_be_removed_only_where_it_is(&secrets).await;
    a_uid_can_be_tested(&secrets, &made.uid().unwrap()).await;
    a_patch_without_effect_changes_no_version(&secrets).await;
    a_merge_patch_may_name_the_version_it_is_based_on(&secrets, version(&made)).await;
}

async fn json_patch(secrets: &Api<Secret>, operations: Value) -> Result<Secret, kube::Error> {
    json_patch_of(secrets, NAME, operations).await
}

async fn json_patch_of(
    secrets: &Api<Secret>,
    name: &str,
    operations: Value,
) -> Result<Secret, kube::Error> {
    let patch = Patch::<()>::Json(serde_json::from_value(operations).unwrap());
    secrets.patch(name, &PatchParams::default(), &patch).await
}

async fn a_patch_applies_as_a_whole_or_not_at_all(secrets: &Api<Secret>) {
    let both = |value: &str| {
        json!([
            {"op": "test", "path": "/metadata/annotations/contract~1a", "value": value},
            {"op": "add", "path": "/data/token", "value": "dA=="},
            {"op": "test", "path": "/data/k", "value": "dg=="},
        ])
    };
    assert_eq!(refusal(json_patch(secrets, both("2")).await), DOES_NOT_APPLY);
    assert_eq!(data(&secrets.get(NAME).await.unwrap()).len(), 1);
    let patched = json_patch(secrets, both("1")).await.unwrap();
    assert_eq!(data(&patched).into_iter().collect::<Vec<_>>(), [("k", "v"), ("token", "t")]);

    let missing = json_patch_of(secrets, "missing", both("1")).await;
    assert_eq!(refusal(missing), r#"404 NotFound [secrets] secrets "missing" not found"#);
}

async fn an_absent_key_passes_a_test_for_null(secrets: &Api<Secret>) {
    let test = |path: &str, value: Value| json!([{"op": "test", "path": path, "value": value}]);
    let passes = async |path, value| json_patch(secrets, test(path, value)).await;
    passes("/metadata/annotations/contract~1b", Value::Null).await.unwrap();
    passes("/immutable", Value::Null).await.unwrap();
    for (path, value) in [
        ("/metadata/annotations/contract~1b", json!("")),
        ("/metadata/annotations/contract~1a", Value::Null),
        ("/metadata/labels/contract~1b", Value::Null), // no labels at all
    ] {
        assert_eq!(refusal(passes(path, value.clone()).await), DOES_NOT_APPLY, "{path} {value}");
    }
    let labels = json!([{"op": "add", "path": "/metadata/labels/x", "value": "1"}]);
    assert_eq!(refusal(json_patch(secrets, labels).await), DOES_NOT_APPLY, "no parent to add to");
}

async fn a_key_may_be_removed_only_where_it_is(secrets: &Api<Secret>) {
    let step = |op: &str, path: &str| match op {
        "remove" => json!([{"op": op, "path": path}]),
        _ => json!([{"op": op, "path": path, "value": "eA=="}]),
    };
    let absent = "/data/absent";
    assert_eq!(refusal(json_patch(secrets, step("remove", absent)).await), DOES_NOT_APPLY);
    let replaced = json_patch(secrets, step("replace", absent)).await.unwrap();
    assert_eq!(data(&replaced)["absent"], "x", "replace sets what is absent");
    let removed = json_patch(secrets, step("remove", absent)).await.unwrap();
    assert!(!data(&removed).contains_key("absent"));
}

async fn a_uid_can_be_tested(secrets: &Api<Secret>, uid: &str) {
    let test = |uid: &str| json!([{"op": "test", "path": "/metadata/uid", "value": uid}]);
    json_patch(secrets, test(uid)).await.unwrap();
    assert_eq!(refusal(json_patch(secrets, test("other")).await), DOES_NOT_APPLY);
}

async fn a_patch_without_effect_changes_no_version(secrets: &Api<Secret>) {
    let before = secrets.get(NAME).await.unwrap();
    let same = json!([{"op": "add", "path": "/data/k", "value": "dg=="}]);
    assert_eq!(version(&json_patch(secrets, same).await.unwrap()), version(&before));
}

async fn a_merge_patch_may_name_the_version_it_is_based_on(secrets: &Api<Secret>, stale: u64) {
    let merge = async |metadata: Value| {
        let patch = json!({"metadata": metadata});
        secrets.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await
    };
    let merged = merge(json!({"annotations": {"contract/a": null, "contract/c": "3"}})).await;
    let keys: Vec<_> = merged.unwrap().metadata.annotations.unwrap().into_keys().collect();
    assert_eq!(keys, ["contract/c"]);
    let stale = merge(json!({"resourceVersion": stale.to_string(), "labels": {"a": "1"}})).await;
    assert!(refusal(stale).starts_with("409 Conflict [secrets] Operation cannot be fulfilled"));
}
