//! What a token says of itself.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fastrand::Rng;
use perennial_core::token::{Claims, ClaimsError, TOKEN_BYTES_MAX};
use serde_json::{Value, json};

/// A token of the account of this number, with times of its own; its signature is nonsense.
pub(super) fn token(number: u64) -> String {
    let rng = &mut Rng::with_seed(number);
    let account = crate::samples::Account::of(number);
    let (namespace, name) = (account.namespace, account.name);
    let iat = rng.i64(0..4_000_000_000);
    let mut claims = json!({
        "iat": iat, "exp": iat + rng.i64(1..100_000), "nbf": iat, "iss": "https://shoot.example",
        "sub": format!("system:serviceaccount:{namespace}:{name}"), "aud": ["gardener"],
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": "u"}},
    });
    match rng.u8(..8) {
        0 => claims["aud"] = json!("one"),
        1 => claims["iat"] = json!(1.5e9),
        2 => claims["kubernetes.io"] = Value::Null,
        3 => claims["exp"] = json!(-1),
        4 => claims["sub"] = json!("system:node:x"),
        _ => {}
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "kid": "key-1", "typ": "JWT"}));
    format!("{header}.{}.{}", part(claims), URL_SAFE_NO_PAD.encode("signature"))
}

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    let token = token(number);
    let inner = |index: usize| {
        let part = token.split('.').nth(index).unwrap_or_default();
        URL_SAFE_NO_PAD.decode(part).unwrap_or_default()
    };
    vec![token.clone().into_bytes(), inner(1)]
}

/// As a token, and as the claims of one: no engine finds its way through base64.
pub(super) fn run(bytes: &[u8]) {
    holds(bytes);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"key-1"}"#);
    holds(format!("{header}.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes)).as_bytes());
}

fn holds(token: &[u8]) {
    match Claims::read(token) {
        Ok(claims) => {
            assert!(claims.issued_at < claims.expires_at && claims.granted_seconds() >= 1);
            assert_eq!(claims.issued_at.subsec_nanosecond(), 0);
            let account = claims.account.to_string();
            assert_eq!(account.parse().as_ref(), Ok(&claims.account));
            let json = serde_json::to_string(&claims).expect("claims always serialize");
            assert_eq!(serde_json::from_str::<Claims>(&json).ok(), Some(claims));
        }
        Err(ClaimsError::Length) => assert!(token.is_empty() || token.len() > TOKEN_BYTES_MAX),
        Err(ClaimsError::NotJwt | ClaimsError::Subject | ClaimsError::Times) => {}
    }
}
