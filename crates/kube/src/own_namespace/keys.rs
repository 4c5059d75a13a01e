//! A ConfigMap whose keys are written one by one.
//!
//! Two who write two keys at once must not lose one another's. So each key is applied under a field
//! manager of its own, which says nothing of the other keys, and on the version that was looked at:
//! whoever comes second looks again. A key is removed by a patch that tests its value, so that nobody
//! removes what he has not seen.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{FIELD_MANAGER, OwnNamespace, labels, watch::Guarded};
use crate::{
    call::bounded,
    error::Error,
    json_patch::{self, Operation, pointer, test},
};

/// Most tries of a write. One fails only where another one in between did not, so as many operators can
/// write in the same moment.
pub(super) const TRIES_MAX: usize = 16;

/// A key and what is to stand there.
pub(super) struct Key {
    /// What it is one of: a part of the name of its field manager.
    pub(super) kind: &'static str,
    pub(super) key: String,
    pub(super) value: String,
}

impl OwnNamespace {
    /// Writes one key, and makes the ConfigMap where there is none. On another version than the one
    /// that was looked at it is a conflict.
    pub(super) async fn apply(
        &self,
        name: &str,
        Key { kind, key, value }: Key,
        held: Option<&Guarded>,
    ) -> Result<(), Error> {
        let mut metadata = json!({"name": name, "labels": labels()});
        if let Some(version) = held.and_then(ResourceExt::resource_version) {
            metadata["resourceVersion"] = version.into();
        }
        let data = json!({key.as_str(): value});
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        let params = PatchParams::apply(&format!("{FIELD_MANAGER}-{kind}-{key}"));
        // What was looked at is over, whoever wrote it. What was not looked at stays whose it is.
        let params = if held.is_some() { params.force() } else { params };
        let operation = format!("write key {key} of {}", self.named(name));
        let api: Api<Guarded> = self.api();
        bounded(&operation, api.patch(name, &params, &Patch::Apply(&object))).await.map(drop)
    }

    /// Removes keys that still have these values.
    pub(super) async fn remove(
        &self,
        name: &str,
        keys: &[(&String, &String)],
    ) -> Result<(), Error> {
        let operations = keys.iter().flat_map(|(key, value)| {
            let path = pointer("/data", key);
            [test(&path, Value::from(value.as_str())), Operation::Remove { path }]
        });
        let patch = json_patch::patch(&operations.collect::<Vec<_>>());
        let names: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
        let operation = format!("remove key {} of {}", names.join(", "), self.named(name));
        let api: Api<ConfigMap> = self.api();
        let patched = bounded(&operation, api.patch(name, &PatchParams::default(), &patch)).await;
        patched.map(drop).map_err(|error| match error {
            // What an API server answers where a test of a patch does not hold.
            Error::Refused { operation, code: 422, .. } => Error::Refused {
                operation,
                code: 409,
                reason: "Conflict".to_owned(),
                message: "somebody changed it meanwhile".to_owned(),
                about: None,
                retry_after: None,
            },
            error => error,
        })
    }
}

pub(super) fn data_of(object: Option<&Guarded>) -> BTreeMap<String, String> {
    let object = object.and_then(|object| object.0.as_ref().ok());
    object.and_then(|object| object.data.clone()).unwrap_or_default()
}
