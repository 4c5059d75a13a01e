//! Keeps the pause that an API server asks for.
//!
//! The filters of an API server (priority and fairness, requests in flight) refuse in plain text,
//! before there is anybody to make a `Status`; only the header `Retry-After` says how long. kube
//! drops the headers of a refusal, so here such an answer becomes a `Status` that says the same.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Either;
use kube::core::{Status, response::StatusDetails};

/// Refusals that say "later" and not "no", by HTTP status, and their `reason` in a `Status`.
const LATER: [(StatusCode, &str); 2] = [
    (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
    (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
];

/// The answer, or in its place a `Status` where only a header says how long to wait.
pub(crate) fn keep<B>(answer: Response<B>) -> Response<Either<String, B>> {
    match status(&answer) {
        None => answer.map(Either::Right),
        Some(status) => {
            let (mut parts, _) = answer.into_parts();
            let json = HeaderValue::from_static("application/json");
            parts.headers.insert(header::CONTENT_TYPE, json);
            parts.headers.remove(header::CONTENT_LENGTH); // that of the text
            Response::from_parts(parts, Either::Left(status))
        }
    }
}

fn status<B>(answer: &Response<B>) -> Option<String> {
    let code = answer.status();
    let (_, reason) = LATER.into_iter().find(|(later, _)| *later == code)?;
    let retry_after_seconds = seconds(answer.headers()).filter(|_| !is_json(answer.headers()))?;
    let details = StatusDetails {
        retry_after_seconds,
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
    };
    let text = code.canonical_reason().unwrap_or(reason);
    let status = Status::failure(text, reason).with_code(code.as_u16()).with_details(details);
    serde_json::to_string(&status).ok()
}

/// The pause that the headers ask for. An API server writes whole seconds; the other form, a date,
/// is a proxy's.
pub(crate) fn seconds(headers: &HeaderMap) -> Option<u32> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// A `Status` says for itself how long.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/json"))
}
