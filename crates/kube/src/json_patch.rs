//! JSON Patch (RFC 6902), as far as Secrets need it.
//!
//! `test` of `null` holds where a key is absent, but fails where the object around it is absent.

use std::fmt;

use k8s_openapi::ByteString;
use kube::api::Patch;
use serde::Serialize;
use serde_json::{Value, json};

/// One operation. `Debug` shows no value: it may be a credential.
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Operation {
    Test { path: String, value: Value },
    Add { path: String, value: Value },
    Remove { path: String },
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test { path, .. } => write!(f, "test {path}"),
            Self::Add { path, .. } => write!(f, "add {path}"),
            Self::Remove { path } => write!(f, "remove {path}"),
        }
    }
}

/// All of them as one patch.
pub(crate) fn patch(operations: &[Operation]) -> Patch<()> {
    let patch = serde_json::to_value(operations).and_then(serde_json::from_value);
    Patch::Json(patch.expect("operations of ours are a JSON Patch"))
}

pub(crate) fn test(path: &str, value: Value) -> Operation {
    Operation::Test { path: path.to_owned(), value }
}

pub(crate) fn add(path: String, value: Value) -> Operation {
    Operation::Add { path, value }
}

/// A JSON Pointer (RFC 6901) to a key that may hold `/` and `~`.
pub(crate) fn pointer(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A value of `data`.
pub(crate) fn base64(bytes: &[u8]) -> Value {
    json!(ByteString(bytes.to_vec()))
}
