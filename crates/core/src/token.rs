//! A ServiceAccount token and what it says of itself.
//!
//! Claims are read without checking the signature: we are not the audience, and whether a stored
//! token is the one we wrote is answered by its SHA-256 (contract, section C).

use std::fmt;

use arcstr::ArcStr;
use jiff::Timestamp;
use jsonwebtoken::dangerous::insecure_decode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{generation::Bound, hex::Hex, inputs::Audiences, name::AccountRef};

/// Longest token that is looked at, in bytes. Real ones have about 1,000.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A bearer token. `Debug` shows nothing, memory is wiped on drop.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Takes a token as it came from an API server.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The token itself, for the one place that sends or writes it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// SHA-256 of the token.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.expose().as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// SHA-256 of a token in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenHash(Hex<32>);

impl TokenHash {
    /// Hash of the bytes of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Hex::Bytes(Sha256::digest(token).into()))
    }

    /// 64 bits of it, for who only has to tell the tokens of one Secret apart.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.0.short()
    }

    /// A hash as another process sent it. Any text will do: it is only compared.
    #[must_use]
    pub fn received(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a token says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claims {
    /// Issued at, by the shoot's clock, whole seconds.
    pub issued_at: Timestamp,
    /// Expires at, by the shoot's clock, whole seconds.
    pub expires_at: Timestamp,
    /// Who issued it.
    pub issuer: ArcStr,
    /// The account of its subject.
    pub account: AccountRef,
    /// UID of that account, where the token has one.
    pub account_uid: Option<ArcStr>,
    /// Its audiences, in the order of the token.
    pub audiences: Audiences,
    /// Id of the key that signed it.
    pub key_id: Option<ArcStr>,
    /// The Secret in the shoot that it dies with, where it is bound to one.
    pub bound: Option<Box<Bound>>,
}

/// Why a text is no ServiceAccount token. Says nothing of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ClaimsError {
    /// Empty or longer than [`TOKEN_BYTES_MAX`].
    #[error("the token has no plausible length")]
    Length,
    /// Not a JSON Web Token.
    #[error("the token is not a JSON Web Token")]
    NotJwt,
    /// A subject that is no ServiceAccount.
    #[error("the token's subject is not a ServiceAccount")]
    Subject,
    /// `iat` or `exp` missing, out of range or in the wrong order.
    #[error("the token's times are missing or make no sense")]
    Times,
}

impl Claims {
    /// Reads the claims of a token.
    ///
    /// # Errors
    /// When it is not a JSON Web Token of a ServiceAccount with sensible times.
    pub fn read(token: &[u8]) -> Result<Self, ClaimsError> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(ClaimsError::Length);
        }
        let decoded = insecure_decode::<RawClaims>(token).map_err(|_| ClaimsError::NotJwt)?;
        let raw = decoded.claims;
        let account = AccountRef::from_subject(&raw.sub).ok_or(ClaimsError::Subject)?;
        let (issued_at, expires_at) = (seconds(raw.iat)?, seconds(raw.exp)?);
        if expires_at <= issued_at {
            return Err(ClaimsError::Times);
        }
        let (account_uid, bound) = match raw.kubernetes {
            Some(RawKubernetes { serviceaccount, secret }) => {
                (serviceaccount.map(|account| account.uid.into()), secret.map(Box::new))
            }
            None => (None, None),
        };
        Ok(Self {
            issued_at,
            expires_at,
            issuer: raw.iss.into(),
            account,
            account_uid,
            audiences: raw.aud.map_or_else(Vec::new, OneOrMany::into_vec).into(),
            key_id: decoded.header.kid.map(ArcStr::from),
            bound,
        })
    }

    /// What was granted, in whole seconds; at least 1.
    #[must_use]
    pub fn granted_seconds(&self) -> i64 {
        self.expires_at.as_second() - self.issued_at.as_second()
    }
}

fn seconds(date: f64) -> Result<Timestamp, ClaimsError> {
    // NumericDate of RFC 7519 may have a fraction; whole seconds are what the API server writes.
    #[expect(clippy::cast_possible_truncation, reason = "a value out of range saturates and fails")]
    Timestamp::from_second(date.floor() as i64).map_err(|_| ClaimsError::Times)
}

#[derive(Deserialize)]
struct RawClaims {
    iat: f64,
    exp: f64,
    iss: String,
    sub: String,
    aud: Option<OneOrMany>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<RawKubernetes>,
}

#[derive(Deserialize)]
struct RawKubernetes {
    serviceaccount: Option<RawAccount>,
    secret: Option<Bound>,
}

#[derive(Deserialize)]
struct RawAccount {
    uid: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::jwt;

    #[test]
    fn the_claims_of_a_service_account_token_are_read() {
        let token = jwt("kube-system", "kube-proxy", 1_000, 4_600);
        let claims = Claims::read(token.as_bytes()).unwrap();
        assert_eq!(claims.account.to_string(), "kube-system/kube-proxy");
        assert_eq!(claims.granted_seconds(), 3_600);
        assert_eq!(*claims.audiences, ["gardener"]);
        assert_eq!(claims.key_id.as_deref(), Some("key-1"));
        assert_eq!(claims.account_uid.as_deref(), Some("uid-kube-proxy"));
    }

    #[test]
    fn garbage_is_not_a_token() {
        assert_eq!(Claims::read(b""), Err(ClaimsError::Length));
        assert_eq!(Claims::read(b"a.b.c"), Err(ClaimsError::NotJwt));
        assert_eq!(Claims::read(b"\xff\xfe"), Err(ClaimsError::NotJwt));
        let backwards = jwt("kube-system", "kube-proxy", 4_600, 1_000);
        assert_eq!(Claims::read(backwards.as_bytes()), Err(ClaimsError::Times));
    }

    #[test]
    fn a_token_is_not_shown_by_debug() {
        let token = Token::new("eyJhbGciOi".to_owned());
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
