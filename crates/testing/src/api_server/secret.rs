//! What an API server does to Secrets beyond storing them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::refusal::{Cause, Refusal};

/// `stringData` goes into `data`, the type gets its default, and values must be base64.
pub(super) fn normalize(secret: &mut Value) -> Result<(), Refusal> {
    let Some(fields) = secret.as_object_mut() else {
        return Err(Refusal::bad_request("the object provided is unrecognized"));
    };
    let plain = fields.remove("stringData");
    if let Some(Value::Object(plain)) = plain.filter(|plain| *plain != Value::Object(Map::new())) {
        let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in plain {
            data[key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
        }
    }
    let emptied = fields.get("data").is_some_and(|data| *data == Value::Object(Map::new()));
    if emptied {
        fields.remove("data");
    }
    let values = fields.get("data").and_then(Value::as_object).into_iter().flat_map(Map::values);
    for value in values {
        if value.as_str().is_none_or(|text| STANDARD.decode(text).is_err()) {
            return Err(Refusal::bad_request("illegal base64 data in data of the Secret"));
        }
    }
    fields.entry("type").or_insert_with(|| "Opaque".into());
    Ok(())
}

/// An immutable Secret keeps its data and stays immutable.
pub(super) fn check_update(old: &Value, new: &Value) -> Result<(), Refusal> {
    if old["immutable"] != true {
        return Ok(());
    }
    let invalid = |field| {
        let name = old["metadata"]["name"].as_str().unwrap_or_default();
        let cause = Cause::Forbidden("field is immutable when `immutable` is set");
        Refusal::invalid("Secret", name, field, cause)
    };
    if new["immutable"] != true {
        return Err(invalid("immutable"));
    }
    if old.get("data") != new.get("data") {
        return Err(invalid("data"));
    }
    Ok(())
}
