//! Whose the labels of a ServiceAccount are, by `metadata.managedFields`.
//!
//! What we apply is ours. Server-side apply takes away what we no longer apply, but only where
//! nobody else owns it too; and the reference wrote its labels by update, under its own name. So an
//! account that we have not applied yet counts as ours in what the reference wrote, which costs a
//! seed that is taken over no write; and a label of the reference that nobody wants any more is made
//! ours first ([`take_over`], as client-go's csaupgrade does), and then taken away by an apply.
//!
//! Only labels and automount change hands: the reference manages other objects under the same name.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::{Map, Value, json};

use super::FIELD_MANAGER;

/// Who wrote labels by update where we apply them now. The first is Gardener's: controller-runtime
/// names no manager, so the API server takes the name of the program from `User-Agent`.
const PREDECESSORS: [&str; 2] = ["gardener-resource-manager", FIELD_MANAGER];

const METADATA: &str = "f:metadata";
const LABELS: &str = "f:labels";
const AUTOMOUNT: &str = "f:automountServiceAccountToken";

/// The labels that are ours, with the values they have now.
pub(super) fn labels(meta: &ObjectMeta) -> BTreeMap<String, String> {
    let is_applied = entries(meta).any(is_ours);
    let counts = |entry: &&ManagedFieldsEntry| match is_applied {
        true => is_ours(entry),
        false => is_predecessor(entry),
    };
    let keys: BTreeSet<_> = entries(meta).filter(counts).flat_map(label_keys).collect();
    let present = meta.labels.iter().flatten();
    let ours = present.filter(|(key, _)| keys.contains(key.as_str()));
    ours.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What makes labels and automount of the predecessors ours, where one of their labels is not
/// `wanted`: a JSON Patch for the object as it came back from an apply of ours. On another version of
/// it the API server answers 409.
pub(super) fn take_over(meta: &ObjectMeta, wanted: &BTreeMap<String, String>) -> Option<Value> {
    let theirs: BTreeSet<_> =
        entries(meta).filter(|entry| is_predecessor(entry)).flat_map(label_keys).collect();
    theirs.iter().find(|key| !wanted.contains_key(**key))?;
    let entries = meta.managed_fields.iter().flatten();
    let entries: Vec<_> = entries.filter_map(|entry| handed_over(entry, &theirs)).collect();
    Some(json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": meta.resource_version},
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
    ]))
}

/// An entry after the change of hands; `None` where nothing is left of it.
fn handed_over(entry: &ManagedFieldsEntry, keys: &BTreeSet<&str>) -> Option<ManagedFieldsEntry> {
    let mut entry = entry.clone();
    let is_ours = is_ours(&entry);
    if entry.subresource.is_some() || !(is_ours || is_predecessor(&entry)) {
        return Some(entry);
    }
    let fields = entry.fields_v1.as_mut()?.0.as_object_mut()?;
    if is_ours {
        let metadata = fields.entry(METADATA).or_insert_with(|| json!({}));
        let labels = metadata.as_object_mut()?.entry(LABELS).or_insert_with(|| json!({}));
        let labels = labels.as_object_mut()?;
        labels.extend(keys.iter().map(|key| (format!("f:{key}"), json!({}))));
        return Some(entry);
    }
    fields.remove(AUTOMOUNT);
    let metadata = fields.get_mut(METADATA).and_then(Value::as_object_mut);
    let rest = metadata.map(|metadata| {
        metadata.remove(LABELS);
        metadata.len()
    });
    if rest == Some(0) {
        fields.remove(METADATA);
    }
    (!fields.is_empty()).then_some(entry)
}

fn entries(meta: &ObjectMeta) -> impl Iterator<Item = &ManagedFieldsEntry> {
    meta.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none())
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.operation.as_deref() == Some("Apply") && entry.manager.as_deref() == Some(FIELD_MANAGER)
}

fn is_predecessor(entry: &ManagedFieldsEntry) -> bool {
    let manager = entry.manager.as_deref();
    entry.operation.as_deref() == Some("Update")
        && manager.is_some_and(|manager| PREDECESSORS.contains(&manager))
}

fn label_keys(entry: &ManagedFieldsEntry) -> impl Iterator<Item = &str> {
    let field = |name| entry.fields_v1.as_ref()?.0.get(METADATA)?.get(name)?.as_object();
    let keys = field(LABELS).into_iter().flat_map(Map::keys);
    keys.filter_map(|key| key.strip_prefix("f:"))
}

#[cfg(test)]
mod tests;
