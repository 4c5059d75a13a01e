//! Builders for the unit tests of this crate.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    generation::{Family, Noted},
    inputs::Interpretation,
    issued::{Issued, IssuedFor},
    keys,
    name::SecretRef,
    record::{Record, SecretView},
    token::{Claims, TokenHash},
    window::{Plan, Window},
};

/// A token whose signature is nonsense but whose claims read well.
pub(crate) fn jwt(namespace: &str, name: &str, issued_at: i64, expires_at: i64) -> String {
    signed(
        "key-1",
        &json!({
            "iat": issued_at, "exp": expires_at, "nbf": issued_at, "iss": "https://shoot.example",
            "sub": format!("system:serviceaccount:{namespace}:{name}"), "aud": ["gardener"],
            "kubernetes.io": {"namespace": namespace,
                "serviceaccount": {"name": name, "uid": format!("uid-{name}")}},
        }),
    )
}

/// The same for kube-system/kube-proxy, bound to this Secret.
pub(crate) fn jwt_bound(name: &str, uid: &str, issued_at: i64, expires_at: i64) -> String {
    signed(
        "key-1",
        &json!({
            "iat": issued_at, "exp": expires_at, "iss": "https://shoot.example", "aud": ["gardener"],
            "sub": "system:serviceaccount:kube-system:kube-proxy",
            "kubernetes.io": {"secret": {"name": name, "uid": uid}},
        }),
    )
}

/// The same for kube-system/kube-proxy, by this key and issuer.
pub(crate) fn jwt_of(key: &str, issuer: &str, issued_at: i64, expires_at: i64) -> String {
    signed(
        key,
        &json!({
            "iat": issued_at, "exp": expires_at, "iss": issuer, "aud": ["gardener"],
            "sub": "system:serviceaccount:kube-system:kube-proxy",
        }),
    )
}

fn signed(key: &str, claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "RS256", "kid": key, "typ": "JWT"}));
    format!("{header}.{}.{}", part(claims), URL_SAFE_NO_PAD.encode("signature"))
}

/// An access Secret in the making.
#[derive(Clone, Debug)]
pub(crate) struct SecretBuilder {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub token: Option<String>,
    pub kubeconfig: Option<String>,
    pub bundle: Option<String>,
}

impl SecretBuilder {
    pub(crate) fn new() -> Self {
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            labels: [(keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR), (keys::CLASS, "shoot")]
                .map(text)
                .into(),
            annotations: [
                (keys::ACCOUNT_NAME, "kube-proxy"),
                (keys::ACCOUNT_NAMESPACE, "kube-system"),
            ]
            .map(text)
            .into(),
            token: None,
            kubeconfig: None,
            bundle: None,
        }
    }

    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        self.annotations.remove(key);
        self
    }

    /// Holds a token that we wrote ourselves under the plan given by window, place and basis.
    pub(crate) fn renewed(self, issued_at: i64, lifetime: i64, basis: i64, place: f64) -> Self {
        let token = jwt("kube-system", "kube-proxy", issued_at, issued_at + lifetime);
        let claims = Claims::read(token.as_bytes()).unwrap();
        let plan = Plan::draw(&claims, basis, Window::ORDINARY, place);
        self.noted(token, &claims, plan, claims.issued_at)
    }

    /// Holds this token, written by us at `written_at`, under the default plan.
    pub(crate) fn holding(self, token: String, written_at: i64) -> Self {
        let claims = Claims::read(token.as_bytes()).unwrap();
        let plan = Plan::draw(&claims, 86_400, Window::ORDINARY, 0.5);
        self.noted(token, &claims, plan, at(written_at))
    }

    fn noted(self, token: String, claims: &Claims, plan: Plan, written_at: Timestamp) -> Self {
        let record = self.record();
        let family = Family::new(&claims.account.namespace, &record.secret);
        let note = Issued::note(IssuedFor {
            token: TokenHash::of(token.as_bytes()),
            claims,
            inputs: record.inputs.as_ref().unwrap(),
            plan,
            reason: crate::reason::Reason::NothingHeld,
            written_at,
            streak: 0,
            spent: 0,
            left: Vec::new(),
            generation: Noted::of(&family, claims, None),
        });
        let mut this = self
            .annotated(keys::ISSUED, &note.to_line())
            .annotated(keys::RENEW_TIMESTAMP, &plan.latest.to_string());
        this.token = Some(token);
        this
    }

    pub(crate) fn record(&self) -> Record {
        let secret = SecretRef::parse("shoot--lab--1", "shoot-access-kube-proxy").unwrap();
        let view = SecretView {
            secret: &secret,
            uid: "uid-1",
            labels: &BTreeMap::new(),
            annotations: &self.annotations,
            token: self.token.as_deref().map(str::as_bytes),
            kubeconfig: self.kubeconfig.as_deref().map(str::as_bytes),
            bundle: self.bundle.as_deref().map(str::as_bytes),
            immutable: false,
            terminating: false,
        };
        Record::reduce(&view, &Interpretation::default())
    }
}

/// A table that `tests/cluster/spelling` wrote, one JSON object a line. `PERENNIAL_SPELLING` may name
/// a folder with longer ones.
pub(crate) fn table<T: serde::de::DeserializeOwned>(name: &str, kept: &str) -> Vec<T> {
    let longer = std::env::var_os("PERENNIAL_SPELLING").map(|folder| {
        let path = std::path::Path::new(&folder).join(format!("{name}.jsonl"));
        std::fs::read_to_string(path).unwrap()
    });
    let lines = longer.as_deref().unwrap_or(kept).lines();
    let rows: Vec<T> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 50, "{} rows of {name}", rows.len());
    rows
}

/// Seconds since the epoch.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}
