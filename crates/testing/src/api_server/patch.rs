//! Patches, with the habits of the library that API servers use (evanphx/json-patch v4).

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::refusal::Refusal;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// As good as a merge patch for the objects that are kept here: none has lists with keys.
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// The object after the patch.
pub(super) fn apply(object: &Value, content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let bad =
        |error: serde_json::Error| Refusal::bad_request(format!("error decoding patch: {error}"));
    let mut patched = object.clone();
    match content_type.split(';').next().unwrap_or_default().trim() {
        JSON_PATCH => {
            let patch: Patch = serde_json::from_slice(body).map_err(bad)?;
            for operation in patch.0 {
                step(&mut patched, operation).ok_or_else(Refusal::patch_does_not_apply)?;
            }
        }
        MERGE_PATCH | STRATEGIC_PATCH => {
            json_patch::merge(&mut patched, &serde_json::from_slice(body).map_err(bad)?);
        }
        _ => return Err(Refusal::unsupported_patch()),
    }
    Ok(patched)
}

/// One operation; `None` where it does not apply. Two habits are not those of RFC 6902: a key that
/// is absent passes a `test` for `null`, and `replace` sets it.
fn step(object: &mut Value, operation: PatchOperation) -> Option<()> {
    let pointer = operation.path().as_str().to_owned();
    let (parent, _) = pointer.rsplit_once('/').unwrap_or_default();
    let absent =
        object.pointer(&pointer).is_none() && object.pointer(parent).is_some_and(Value::is_object);
    let operation = match operation {
        PatchOperation::Test(test) if absent && test.value.is_null() => return Some(()),
        PatchOperation::Replace(replace) if absent => {
            PatchOperation::Add(json_patch::AddOperation {
                path: replace.path,
                value: replace.value,
            })
        }
        other => other,
    };
    json_patch::patch(object, &[operation]).ok()
}
