//! One call whose HTTP status or headers say more than the object in its answer.

use http::{Request, StatusCode, response::Parts};
use kube::{Client, client::Body, core::Status};

use crate::{call, error::Error};

/// Sends a request and reads the whole answer.
///
/// # Errors
/// Those of the call, and every status that is no success.
pub(super) async fn send(
    client: &Client,
    operation: &str,
    request: Result<Request<Vec<u8>>, kube::Error>,
) -> Result<(Parts, Vec<u8>), Error> {
    let (parts, body) = call::bounded(operation, async {
        let answer = client.send(request?.map(Body::from)).await?;
        let (parts, body) = answer.into_parts();
        Ok((parts, Vec::from(body.collect_bytes().await?)))
    })
    .await?;
    match parts.status.is_success() {
        true => Ok((parts, body)),
        false => Err(Error::from_kube(operation, refusal(parts.status, &body))),
    }
}

/// As kube makes it of every other call, but a body that is no Status is not quoted.
fn refusal(code: StatusCode, body: &[u8]) -> kube::Error {
    let status = serde_json::from_slice::<Status>(body).ok();
    let status = status.filter(|status| status.code == code.as_u16()).unwrap_or_else(|| {
        let text = code.canonical_reason().unwrap_or("the answer has an unknown HTTP status");
        Status::failure(text, "").with_code(code.as_u16())
    });
    kube::Error::Api(status.boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_the_words_of_the_api_server_and_no_others() {
        let status = br#"{"kind":"Status","code":403,"reason":"Forbidden","message":"no"}"#;
        let told = |code, body: &[u8]| {
            let refusal = refusal(StatusCode::from_u16(code).unwrap(), body);
            Error::from_kube("read the key set", refusal).to_string()
        };
        assert_eq!(told(403, status), "failed to read the key set: no");
        assert_eq!(told(302, b"s3cret"), "failed to read the key set: Found");
        assert_eq!(told(502, status), "failed to read the key set: Bad Gateway");
    }
}
