//! Tokens: made on request, read back as credentials.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// `iss` of every token.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// What is signed, and what still counts.
#[derive(Debug)]
pub(super) struct Tokens {
    pub key_id: String,
    former_keys: Vec<String>, // still published, and what they signed still counts
    issued: Vec<Issued>,
    accepted: BTreeSet<String>, // bearer tokens of people, without end
}

#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub token: String,
    pub account: Account,
    pub audiences: Vec<String>,
    pub expires_at: Timestamp,
    pub bound: Option<Bound>,
    key_id: String,
    refused: bool,
}

/// A Secret beside the account that a token dies with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            key_id: key_id(),
            former_keys: Vec::new(),
            issued: Vec::new(),
            accepted: BTreeSet::new(),
        }
    }
}

impl Tokens {
    pub(super) fn issue(
        &mut self,
        account: &Account,
        audiences: &[String],
        bound: Option<Bound>,
        now: Timestamp,
        lifetime_seconds: i64,
    ) -> String {
        let Account { namespace, name, uid } = account;
        let iat = now.as_second();
        let exp = iat.saturating_add(lifetime_seconds);
        let mut claims = json!({
            "aud": audiences, "exp": exp, "iat": iat, "iss": ISSUER, "jti": Uuid::new_v4().to_string(),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
            "nbf": iat, "sub": format!("system:serviceaccount:{namespace}:{name}"),
        });
        if let Some(Bound { name, uid }) = &bound {
            claims["kubernetes.io"]["secret"] = json!({"name": name, "uid": uid});
        }
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "RS256", "kid": self.key_id}));
        let token = format!("{header}.{}.{}", part(claims), signature());
        self.issued.push(Issued {
            token: token.clone(),
            account: account.clone(),
            audiences: audiences.to_vec(),
            expires_at: Timestamp::from_second(exp).unwrap_or(Timestamp::MAX),
            bound,
            key_id: self.key_id.clone(),
            refused: false,
        });
        token
    }

    /// Signs with another key from now on, and takes no token of the one before.
    pub(super) fn rotate_key(&mut self) {
        self.add_key();
        self.drop_former_keys();
    }

    /// Signs with another key from now on; the one before stays published and accepted.
    pub(super) fn add_key(&mut self) {
        let former = std::mem::replace(&mut self.key_id, key_id());
        self.former_keys.push(former);
    }

    /// Publishes only the key that signs, and takes no token of another one.
    pub(super) fn drop_former_keys(&mut self) {
        self.former_keys.clear();
        let former = self.issued.iter_mut().filter(|issued| issued.key_id != self.key_id);
        former.for_each(|issued| issued.refused = true);
    }

    pub(super) fn refuse_issued(&mut self) {
        self.issued.iter_mut().for_each(|issued| issued.refused = true);
    }

    pub(super) fn accept(&mut self, token: &str) {
        self.accepted.insert(token.to_owned());
    }

    pub(super) fn withdraw(&mut self, token: &str) {
        self.accepted.remove(token);
    }

    pub(super) fn is_accepted(&self, token: &str) -> bool {
        self.accepted.contains(token)
    }

    /// A token of ours that has not expired. Whether its account is still there is not asked.
    pub(super) fn living(&self, token: &str, now: Timestamp) -> Option<&Issued> {
        let issued = self.issued.iter().rev().find(|issued| issued.token == token)?;
        (!issued.refused && now < issued.expires_at).then_some(issued)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.issued.iter().map(|issued| issued.token.as_str())
    }

    pub(super) fn key_set(&self) -> Value {
        let key = |id: &String| {
            json!({"use": "sig", "kty": "RSA", "kid": id, "alg": "RS256", "n": signature(),
                "e": "AQAB"})
        };
        let ids = std::iter::once(&self.key_id).chain(&self.former_keys);
        json!({"keys": ids.map(key).collect::<Vec<_>>()})
    }
}

fn key_id() -> String {
    URL_SAFE_NO_PAD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat())
}

/// As long as one of RSA 2048.
fn signature() -> String {
    let bytes: Vec<u8> = (0..16).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}
