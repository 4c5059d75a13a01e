//! Server-side apply of ServiceAccounts: whose a label is decides whether it stays.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

const NAME: &str = "applied";
const OURS: &str = "contract-issuer";

pub(super) async fn suite(client: &Client, namespace: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    what_is_missing_is_made(&accounts).await;
    what_is_no_longer_applied_goes_and_foreign_labels_stay(&accounts).await;
    who_changes_a_label_owns_it(&accounts).await;
    ownership_changes_hands_on_the_version_that_was_seen(&accounts).await;
}

async fn apply(accounts: &Api<ServiceAccount>, labels: Value) -> ServiceAccount {
    let body = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": NAME, "labels": labels}, "automountServiceAccountToken": false,
    });
    let params = PatchParams::apply(OURS).force();
    accounts.patch(NAME, &params, &Patch::Apply(&body)).await.unwrap()
}

async fn edit(accounts: &Api<ServiceAccount>, labels: Value) -> ServiceAccount {
    let params = PatchParams { field_manager: Some("stranger".to_owned()), ..<_>::default() };
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    accounts.patch(NAME, &params, &patch).await.unwrap()
}

fn labels(account: &ServiceAccount) -> Value {
    json!(account.metadata.labels.clone().unwrap_or_default())
}

/// Keys of the labels that we own, in the words of `managedFields`.
fn ours(account: &ServiceAccount) -> Vec<String> {
    let entries = account.metadata.managed_fields.iter().flatten();
    let ours = entries.filter(|entry| entry.manager.as_deref() == Some(OURS));
    let fields = ours.filter_map(|entry| Some(&entry.fields_v1.as_ref()?.0));
    let labels = fields.filter_map(|fields| fields["f:metadata"]["f:labels"].as_object());
    labels.flat_map(|labels| labels.keys().cloned()).filter(|key| key != ".").collect()
}

async fn what_is_missing_is_made(accounts: &Api<ServiceAccount>) {
    assert!(accounts.get_opt(NAME).await.unwrap().is_none());
    let made = apply(accounts, json!({"a": "1"})).await;
    assert_eq!(
        (labels(&made), made.automount_service_account_token),
        (json!({"a": "1"}), Some(false))
    );
    let again = apply(accounts, json!({"a": "1"})).await;
    assert_eq!(again.metadata.uid, made.metadata.uid);
    assert_eq!(again.metadata.resource_version, made.metadata.resource_version, "without effect");
}

async fn what_is_no_longer_applied_goes_and_foreign_labels_stay(accounts: &Api<ServiceAccount>) {
    edit(accounts, json!({"foreign": "x"})).await;
    let both = apply(accounts, json!({"a": "1", "b": "2"})).await;
    assert_eq!(labels(&both), json!({"a": "1", "b": "2", "foreign": "x"}));
    let one = apply(accounts, json!({"b": "2"})).await;
    assert_eq!(labels(&one), json!({"b": "2", "foreign": "x"}));
    assert_eq!(ours(&one), ["f:b"]);
}

async fn who_changes_a_label_owns_it(accounts: &Api<ServiceAccount>) {
    let changed = edit(accounts, json!({"b": "3"})).await;
    assert_eq!(ours(&changed), [""; 0]);
    let back = apply(accounts, json!({"b": "2"})).await;
    assert_eq!((labels(&back)["b"].clone(), ours(&back)), (json!("2"), vec!["f:b".to_owned()]));
    let gone = edit(accounts, json!({"b": null})).await;
    assert_eq!(ours(&gone), [""; 0]);
}

async fn ownership_changes_hands_on_the_version_that_was_seen(accounts: &Api<ServiceAccount>) {
    let seen = apply(accounts, json!({"b": "2"})).await;
    let mut entries = seen.metadata.managed_fields.clone().unwrap();
    entries.retain(|entry| entry.manager.as_deref() == Some(OURS));
    let hand_over = |version: &str| {
        let operations = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        ]);
        Patch::<()>::Json(serde_json::from_value(operations).unwrap())
    };
    let params = PatchParams { field_manager: Some(OURS.to_owned()), ..<_>::default() };
    let stale = accounts.patch(NAME, &params, &hand_over("1")).await;
    assert!(matches!(stale, Err(kube::Error::Api(status)) if status.code == 409));
    let version = seen.metadata.resource_version.unwrap();
    let owned = accounts.patch(NAME, &params, &hand_over(&version)).await.unwrap();
    let managers: BTreeMap<_, _> = owned
        .metadata
        .managed_fields
        .into_iter()
        .flatten()
        .map(|entry| (entry.manager.unwrap(), entry.operation.unwrap()))
        .collect();
    assert_eq!(managers, [(OURS.to_owned(), "Apply".to_owned())].into());
}
