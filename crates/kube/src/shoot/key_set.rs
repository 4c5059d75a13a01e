//! The key set of a shoot, `/openid/v1/jwks`.

use http::{HeaderMap, Request, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use kube::Client;
use serde::Deserialize;

use super::send::send;
use crate::error::Error;

const PATH: &str = "/openid/v1/jwks";
const OPERATION: &str = "read the key set";

/// Most keys in a key set. An API server has a handful.
const KEYS_MAX: usize = 100;
/// Longest id of a key, in bytes. Those of an API server have 43.
const KEY_ID_BYTES_MAX: usize = 256;

/// What one look at a shoot brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// Ids of its signing keys, sorted.
    pub key_ids: Vec<String>,
    /// The `Date` of the answer: the shoot's clock, whole seconds.
    pub date: Option<Timestamp>,
}

pub(super) async fn get(client: &Client) -> Result<KeySet, Error> {
    let request = Request::get(PATH).body(Vec::new()).map_err(kube::Error::HttpError);
    let (parts, body) = send(client, OPERATION, request).await?;
    Ok(KeySet { key_ids: key_ids(&body)?, date: date(&parts.headers) })
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[derive(Deserialize)]
struct JsonWebKeySet {
    keys: Vec<JsonWebKey>,
}

#[derive(Deserialize)]
struct JsonWebKey {
    kid: Option<String>,
}

fn key_ids(body: &[u8]) -> Result<Vec<String>, Error> {
    let nonsense = |problem: &str| Error::Nonsense {
        operation: OPERATION.to_owned(),
        problem: problem.to_owned(),
    };
    let set: JsonWebKeySet =
        serde_json::from_slice(body).map_err(|_| nonsense("the answer is not a key set"))?;
    let mut ids: Vec<String> = set.keys.into_iter().filter_map(|key| key.kid).collect();
    if ids.len() > KEYS_MAX || ids.iter().any(|id| id.len() > KEY_ID_BYTES_MAX) {
        return Err(nonsense("the answer has more or longer key ids than any API server"));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_sorted_and_keys_without_one_do_not_count() {
        let body = br#"{"keys":[{"kid":"b","kty":"RSA"},{"kty":"EC"},{"kid":"a"},{"kid":"b"}]}"#;
        assert_eq!(key_ids(body).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_no_key_set_or_an_implausible_one_is_refused_without_being_quoted() {
        let long = format!(r#"{{"keys":[{{"kid":"{}"}}]}}"#, "x".repeat(KEY_ID_BYTES_MAX + 1));
        let many = format!(r#"{{"keys":[{}{{}}]}}"#, r#"{"kid":"a"},"#.repeat(KEYS_MAX + 1));
        for body in ["<html>s3cret</html>", "{}", &long, &many] {
            let error = key_ids(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("failed to read the key set: the answer"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_date_of_an_answer_is_read_as_http_writes_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert_eq!(date(&headers).unwrap().as_second(), 784_111_777);
        headers.insert(header::DATE, "yesterday".parse().unwrap());
        assert_eq!(date(&headers), None);
    }
}
