//! The write: one key, only on the Secret that was just read, and none where it is right already.

use k8s_openapi::api::core::v1::Secret;
use kube::api::PatchParams;
use perennial_core::{keys, name::SecretRef};
use serde_json::{Value, json};

use super::{Content, Generic, GenericKubeconfigs};
use crate::{
    access::{FIELD_MANAGER, reduce::data},
    call::bounded,
    error::Error,
    json_patch::{self, Operation, add, base64, pointer, test},
};

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds the document now; this is the Secret as it was written.
    Written(Generic),
    /// It held the document already, and nothing was written.
    Current(Generic),
    /// It may not be written, and was left alone.
    Obstructed(Generic),
    /// It is gone or no longer ours.
    Gone,
}

impl GenericKubeconfigs {
    /// Puts the document into the Secret: one GET, and one PATCH where something else stands there.
    ///
    /// # Errors
    /// When the API server does not do it; also where somebody changed the Secret between the two.
    pub async fn write(&self, secret: &SecretRef, document: &str) -> Result<Outcome, Error> {
        let api = self.in_namespace_of(secret);
        let name = secret.name.as_str();
        let operation = format!("read generic kubeconfig {secret}");
        let found = bounded(&operation, api.get_opt(name)).await?;
        let Some((found, seen)) = found.and_then(|found| {
            let seen = Generic::of(&found)?;
            Some((found, seen))
        }) else {
            return Ok(Outcome::Gone);
        };
        if seen.held == Some(Content::of(document.as_bytes())) {
            return Ok(Outcome::Current(seen));
        }
        if seen.obstacle.is_some() {
            return Ok(Outcome::Obstructed(seen));
        }
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = json_patch::patch(&operations(&found, document));
        let operation = format!("write generic kubeconfig {secret}");
        let written = bounded(&operation, api.patch(name, &params, &patch)).await?;
        Ok(Generic::of(&written).map_or(Outcome::Gone, Outcome::Written))
    }
}

/// Tests of all that the write depends on, and the one key. `test` of `null` holds where a key is
/// absent, but fails where the object around it is.
fn operations(found: &Secret, document: &str) -> Vec<Operation> {
    let path = pointer("/data", keys::DATA_GENERIC);
    let document = base64(document.as_bytes());
    let mut operations = vec![
        test("/metadata/uid", json!(found.metadata.uid)),
        test(&pointer("/metadata/labels", keys::GENERIC), json!(keys::GENERIC_KUBECONFIG)),
    ];
    operations.extend(match &found.data {
        None => [
            test("/data", Value::Null),
            add("/data".to_owned(), json!({keys::DATA_GENERIC: document})),
        ],
        Some(_) => {
            let held = data(found, keys::DATA_GENERIC).map_or(Value::Null, base64);
            [test(&path, held), add(path, document)]
        }
    });
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(data: Value) -> Vec<String> {
        let object = json!({"metadata": {"uid": "u", "labels": {}}, "data": data});
        let found = serde_json::from_value(object).unwrap();
        operations(&found, "x").iter().map(|operation| format!("{operation:?}")).collect()
    }

    #[test]
    fn e_a_write_tests_uid_label_and_key_and_touches_nothing_but_the_key() {
        let tests = ["test /metadata/uid", "test /metadata/labels/perennial.dev~1purpose"];
        for data in [json!({"kubeconfig.yaml": "b2xk", "mine": "eA=="}), json!({"mine": "eA=="})] {
            let about_data = ["test /data/kubeconfig.yaml", "add /data/kubeconfig.yaml"];
            assert_eq!(outline(data), [tests, about_data].concat());
        }
        assert_eq!(outline(Value::Null), [tests, ["test /data", "add /data"]].concat());
    }
}
