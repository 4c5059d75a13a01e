//! Who else wrote the token, by `metadata.managedFields`.
//!
//! An API server notes for each writer which fields it was the last to change: whoever writes
//! another value into a field takes it from the one before. So after a write of ours the token is
//! ours alone, and where it is somebody else's, that is who came after us.

use k8s_openapi::{
    api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry as Entry,
};
use perennial_core::{keys, record::OtherWriter};
use serde_json::Value;

use super::{FIELD_MANAGER, reduce::data};

/// Longest name of a manager that is kept, in bytes; what API servers accept.
const MANAGER_BYTES_MAX: usize = 128;

/// The last writer of the token, its timestamp or our note who is not us; `None` where there is
/// none, or it took something away, which leaves no trace.
pub(super) fn other_writer(object: &Secret) -> Option<OtherWriter> {
    last_stranger(object, |entry| wrote_token(entry, object))
}

/// The same for one data key.
pub(crate) fn other_writer_of(object: &Secret, key: &str) -> Option<OtherWriter> {
    last_stranger(object, |entry| wrote(entry, &["f:data"], key))
}

fn last_stranger(object: &Secret, wrote: impl Fn(&Entry) -> bool) -> Option<OtherWriter> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let strangers =
        entries.filter(|entry| entry.manager.as_deref().is_some_and(is_a_stranger) && wrote(entry));
    let last = strangers.max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    Some(OtherWriter { manager: last.manager.clone()?, at: last.time.as_ref().map(|time| time.0) })
}

fn is_a_stranger(manager: &str) -> bool {
    manager != FIELD_MANAGER && manager.len() <= MANAGER_BYTES_MAX
}

fn wrote_token(entry: &Entry, object: &Secret) -> bool {
    let token = match data(object, keys::DATA_KUBECONFIG) {
        Some(_) => keys::DATA_KUBECONFIG,
        None => keys::DATA_TOKEN,
    };
    let annotations = ["f:metadata", "f:annotations"];
    wrote(entry, &["f:data"], token)
        || wrote(entry, &annotations, keys::RENEW_TIMESTAMP)
        || wrote(entry, &annotations, keys::ISSUED)
}

fn wrote(entry: &Entry, parents: &[&str], key: &str) -> bool {
    let Some(fields) = &entry.fields_v1 else { return false };
    let parent = parents.iter().try_fold(&fields.0, |fields: &Value, name| fields.get(name));
    parent.is_some_and(|parent| parent.get(format!("f:{key}")).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, time: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn found(entries: &[Value], data: Value) -> Option<String> {
        let object = json!({"metadata": {"name": "a", "managedFields": entries}, "data": data});
        let object: Secret = serde_json::from_value(object).unwrap();
        other_writer(&object).map(|other| other.to_string())
    }

    #[test]
    fn whoever_wrote_the_token_after_us_is_named_with_the_moment() {
        let ours = json!({"f:metadata": {"f:annotations": {format!("f:{}", keys::ISSUED): {}}}});
        let entries = [
            entry(FIELD_MANAGER, "2026-11-23T12:00:00Z", ours),
            entry("stranger", "2026-11-23T12:00:05Z", json!({"f:data": {"f:token": {}}})),
            entry("labeller", "2026-11-23T12:00:09Z", json!({"f:metadata": {"f:labels": {}}})),
        ];
        let named = found(&entries, json!({"token": "eA=="}));
        assert_eq!(named.as_deref(), Some(r#""stranger" at 2026-11-23T12:00:05Z"#));
        assert_eq!(found(&entries[..1], json!({"token": "eA=="})), None, "we are no stranger");
    }

    #[test]
    fn the_last_of_several_counts_and_in_kubeconfig_mode_it_is_the_document() {
        let token = json!({"f:data": {"f:token": {}}});
        let stamp = json!({"f:metadata":
            {"f:annotations": {format!("f:{}", keys::RENEW_TIMESTAMP): {}}}});
        let document = json!({"f:data": {"f:kubeconfig": {}}});
        let entries = [
            entry("b", "2026-11-23T12:00:02Z", stamp),
            entry("a", "2026-11-23T12:00:01Z", document),
            entry("c", "2026-11-23T12:00:03Z", token),
        ];
        let data = json!({"kubeconfig": "eA==", "token": "eA=="});
        assert_eq!(found(&entries, data).as_deref(), Some(r#""b" at 2026-11-23T12:00:02Z"#));
    }

    #[test]
    fn nobody_is_named_where_nothing_is_noted() {
        assert_eq!(found(&[], json!({"token": "eA=="})), None);
        let odd = entry("x", "2026-11-23T12:00:00Z", json!("odd"));
        assert_eq!(found(&[odd], json!({"token": "eA=="})), None);
    }
}
