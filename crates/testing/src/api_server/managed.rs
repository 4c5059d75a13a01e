//! `metadata.managedFields`, as far as labels, data and automount of ServiceAccounts need it: who applied
//! what, what an apply no longer names goes, and what others change is no longer whose it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// The object after a forced apply of `wanted` by `manager`; `held` is what was there.
pub(super) fn applied(held: Option<&Value>, manager: &str, wanted: &Value) -> Value {
    let mut object = held.cloned().unwrap_or_else(|| json!({"metadata": {}}));
    let entries = object["metadata"]["managedFields"].take();
    let mut entries: Vec<Value> = entries.as_array().cloned().unwrap_or_default();
    let is_ours = |entry: &Value| entry["manager"] == *manager && entry["operation"] == "Apply";
    let ours = entries.iter().find(|entry| is_ours(entry)).cloned();
    let before = ours.as_ref().map(owned).unwrap_or_default();
    let data_before = ours.as_ref().map(owned_data).unwrap_or_default();
    entries.retain(|entry| !is_ours(entry));
    let others: BTreeSet<String> = entries.iter().flat_map(owned).collect();

    let labels = wanted["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    for gone in before.iter().filter(|key| !labels.contains_key(*key) && !others.contains(*key)) {
        object["metadata"]["labels"].as_object_mut().map(|labels| labels.remove(gone));
    }
    for (key, value) in &labels {
        object["metadata"]["labels"][key] = value.clone();
    }
    object["metadata"]["name"] = wanted["metadata"]["name"].clone();
    if !wanted["metadata"]["resourceVersion"].is_null() {
        object["metadata"]["resourceVersion"] = wanted["metadata"]["resourceVersion"].clone();
    }
    if !wanted["automountServiceAccountToken"].is_null() {
        object["automountServiceAccountToken"] = wanted["automountServiceAccountToken"].clone();
    }
    let data = wanted["data"].as_object().cloned().unwrap_or_default();
    let others: BTreeSet<String> = entries.iter().flat_map(owned_data).collect();
    for gone in data_before.iter().filter(|k| !data.contains_key(*k) && !others.contains(*k)) {
        object["data"].as_object_mut().map(|data| data.remove(gone));
    }
    for (key, value) in &data {
        object["data"][key] = value.clone();
    }
    if let Some(held) = held {
        disown(held, &object, &mut entries);
    }
    let named = |keys: &serde_json::Map<String, Value>| -> serde_json::Map<_, _> {
        keys.keys().map(|key| (format!("f:{key}"), json!({}))).collect()
    };
    let (fields, data) = (named(&labels), named(&data));
    entries.push(json!({
        "manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": fields}, "f:automountServiceAccountToken": {},
            "f:data": data},
    }));
    object["metadata"]["managedFields"] = entries.into();
    object
}

/// After a change by somebody else: a label that changed or went is no longer whose it was. Who
/// writes the owners themselves knows better.
pub(super) fn changed(old: &Value, new: &mut Value) {
    let held = &old["metadata"]["managedFields"];
    let Some(mut entries) = held.as_array().cloned() else { return };
    if new["metadata"]["managedFields"] != *held {
        return;
    }
    disown(old, new, &mut entries);
    new["metadata"]["managedFields"] = entries.into();
}

fn disown(old: &Value, new: &Value, entries: &mut [Value]) {
    for entry in entries {
        for key in owned(entry) {
            let label = |object: &Value| object["metadata"]["labels"][&key].clone();
            if label(old) != label(new) {
                let labels = entry["fieldsV1"]["f:metadata"]["f:labels"].as_object_mut();
                labels.map(|labels| labels.remove(&format!("f:{key}")));
            }
        }
    }
}

/// Keys of the labels that an entry owns.
fn owned(entry: &Value) -> BTreeSet<String> {
    keys_of(&entry["fieldsV1"]["f:metadata"]["f:labels"])
}

/// Keys of the data that an entry applied.
fn owned_data(entry: &Value) -> BTreeSet<String> {
    keys_of(&entry["fieldsV1"]["f:data"])
}

fn keys_of(fields: &Value) -> BTreeSet<String> {
    let labels = fields.as_object();
    let keys = labels.into_iter().flat_map(|labels| labels.keys());
    keys.filter_map(|key| key.strip_prefix("f:")).map(str::to_owned).collect()
}
