//! Errors as an API server says them, word by word where somebody looks at the words.

use serde_json::{Value, json};

use super::resource::Resource;

/// An answer with a body that is known as a whole.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub code: u16,
    pub body: Body,
    pub retry_after_seconds: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Json(Value),
    Text(&'static str),
}

impl Answer {
    pub(super) fn json(code: u16, body: Value) -> Self {
        Self { code, body: Body::Json(body), retry_after_seconds: None }
    }

    pub(super) fn text(code: u16, text: &'static str) -> Self {
        Self { code, body: Body::Text(text), retry_after_seconds: None }
    }

    /// `tooManyRequests` of the API server's filters: no Status.
    pub(super) fn flow_control(retry_after_seconds: u64) -> Self {
        Self {
            retry_after_seconds: Some(retry_after_seconds),
            ..Self::text(429, "Too many requests, please try again later.\n")
        }
    }
}

/// A `Status` that says no.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let retry_after_seconds = refusal.details["retryAfterSeconds"].as_u64();
        Self { retry_after_seconds, ..Self::json(refusal.code, refusal.status()) }
    }
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Value) -> Self {
        Self { code, reason, message: message.into(), details }
    }

    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized", Value::Null)
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "Forbidden", "forbidden: no RBAC policy matched", json!({}))
    }

    pub(super) fn no_such_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(404, "NotFound", message, json!({}))
    }

    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} not found", resource.qualified());
        Self::new(404, "NotFound", message, resource.details(name))
    }

    pub(super) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message, resource.details(name))
    }

    /// A resourceVersion that is no longer the present one.
    pub(super) fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::conflict(&resource.qualified(), name, why, resource.details(name))
    }

    /// A uid that is not that of the object.
    pub(super) fn other_uid(resource: &Resource, name: &str, asked: &str, is: &str) -> Self {
        let why =
            format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {is}");
        Self::conflict(&resource.qualified(), name, &why, resource.details(name))
    }

    pub(super) fn conflict(kind: &str, name: &str, why: &str, details: Value) -> Self {
        let message = format!("Operation cannot be fulfilled on {kind} {name:?}: {why}");
        Self::new(409, "Conflict", message, details)
    }

    /// `kind` is qualified: `TokenRequest.authentication.k8s.io`.
    pub(super) fn invalid(kind: &str, name: &str, field: &str, cause: Cause<'_>) -> Self {
        let (reason, text) = match cause {
            Cause::Value(problem) => ("FieldValueInvalid", format!("Invalid value: {problem}")),
            Cause::Forbidden(problem) => ("FieldValueForbidden", format!("Forbidden: {problem}")),
        };
        let (short, group) = kind.split_once('.').unwrap_or((kind, ""));
        let mut details = json!({
            "kind": short, "causes": [{"reason": reason, "message": text, "field": field}],
        });
        if !name.is_empty() {
            details["name"] = name.into();
        }
        if !group.is_empty() {
            details["group"] = group.into();
        }
        Self::new(422, "Invalid", format!("{kind} {name:?} is invalid: {field}: {text}"), details)
    }

    /// A JSON Patch of which an operation, a `test` too, does not apply.
    pub(super) fn patch_does_not_apply() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message, json!({}))
    }

    pub(super) fn unsupported_patch() -> Self {
        let message = "the body of the request was in an unknown format";
        Self::new(415, "UnsupportedMediaType", message, json!({}))
    }

    pub(super) fn expired(asked: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self::new(410, "Expired", message, Value::Null)
    }

    pub(super) fn throttled(retry_after_seconds: u64) -> Self {
        let message =
            "the server has received too many requests and has asked us to try again later";
        let details = json!({"retryAfterSeconds": retry_after_seconds});
        Self::new(429, "TooManyRequests", message, details)
    }

    pub(super) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request";
        Self::new(503, "ServiceUnavailable", message, json!({}))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'a> {
    Value(&'a str),
    Forbidden(&'a str),
}
