//! A seed with one access Secret, and its shoot.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use jiff::Timestamp;
use perennial_core::{
    inputs::{Inputs, Interpretation},
    keys,
    name::SecretRef,
    record::{Record, SecretView},
    token::Token,
};
use perennial_kube::access::{
    CaOrder, Layout, NoteOrder, Order as WriteOrder, Outcome, ResourceVersion, Seen, WriteError,
};
use perennial_rpc::status::Remote;
use perennial_secret_writer::{
    issuer::{Binding, Given, Issuance, Issue, Older, Wanted},
    renew::Write,
};
use serde_json::json;

const LIFETIME_SECONDS: i64 = 12 * 60 * 60;

pub(super) fn begin() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A token for an audience that the Secret does not ask for.
pub(super) fn stranger_token() -> String {
    jwt(0, "other", "of a stranger")
}

fn jwt(seconds: i64, audience: &str, id: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let issued_at = begin().as_second() + seconds;
    let claims = json!({
        "iat": issued_at, "exp": issued_at + LIFETIME_SECONDS, "iss": "https://shoot.example",
        "aud": [audience], "sub": "system:serviceaccount:kube-system:kube-proxy", "jti": id,
    });
    format!("{}.{}.c2ln", part(json!({"alg": "RS256", "kid": "key-1"})), part(claims))
}

/// Issues whatever it is asked for, by its own clock, which is right.
#[derive(Debug, Default)]
pub(super) struct Shoot(Mutex<Issued>);

#[derive(Debug, Default)]
pub(super) struct Issued {
    pub now: i64,
    pub issued: Vec<i64>,
}

impl Shoot {
    pub(super) fn lock(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issue for Shoot {
    fn issue<'a>(
        &'a self,
        _: &'a SecretRef,
        inputs: &'a Inputs,
        _: Option<Binding>,
    ) -> BoxFuture<'a, Result<Issuance, Remote>> {
        let mut held = self.lock();
        let now = held.now;
        held.issued.push(now);
        let token = Token::new(jwt(now, &inputs.audiences[0], &held.issued.len().to_string()));
        Box::pin(std::future::ready(Ok(Issuance {
            given: Given::Token(token),
            ca_pem: Vec::new(),
        })))
    }

    fn revoke<'a>(
        &'a self,
        _: &'a SecretRef,
        _: &'a Inputs,
        _: Older,
    ) -> BoxFuture<'a, Result<bool, Remote>> {
        Box::pin(async { unreachable!("no Secret here is revocable") })
    }

    fn sync<'a>(
        &'a self,
        _: &'a SecretRef,
        _: &'a Inputs,
        _: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>> {
        Box::pin(async { unreachable!("no Secret here wants a CA or a label") })
    }
}

/// One access Secret, without a token at first.
#[derive(Debug)]
pub(super) struct Seed(Mutex<Object>);

#[derive(Debug)]
pub(super) struct Object {
    pub annotations: BTreeMap<String, String>,
    pub token: Option<String>,
    /// The last one that we wrote.
    pub ours: Option<String>,
    pub version: u64,
}

impl Default for Seed {
    fn default() -> Self {
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let annotations = [
            (keys::ACCOUNT_NAME, "kube-proxy"),
            (keys::ACCOUNT_NAMESPACE, "kube-system"),
            (keys::AUDIENCES, "gardener"),
        ];
        let annotations = annotations.map(text).into();
        Self(Mutex::new(Object { annotations, token: None, ours: None, version: 1 }))
    }
}

impl Seed {
    pub(super) fn lock(&self) -> MutexGuard<'_, Object> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seen(&self) -> Seen {
        self.lock().seen()
    }
}

impl Object {
    pub(super) fn seen(&self) -> Seen {
        let secret = SecretRef::parse("shoot--lab--1", "shoot-access-kube-proxy").unwrap();
        let view = SecretView {
            secret: &secret,
            uid: "uid-1",
            labels: &BTreeMap::new(),
            annotations: &self.annotations,
            token: self.token.as_deref().map(str::as_bytes),
            kubeconfig: None,
            bundle: None,
            immutable: false,
            terminating: false,
        };
        Seen {
            record: Record::reduce(&view, &Interpretation::default()),
            resource_version: ResourceVersion::new(self.version.to_string()),
            layout: Layout { data: self.token.is_some(), bundle: false },
            in_vain: false,
        }
    }
}

impl Write for Seed {
    fn write<'a>(&'a self, order: &'a WriteOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        let mut object = self.lock();
        let outcome = if object.seen().record.digest == order.seen.record.digest {
            let token = order.token().unwrap().expose().to_owned();
            (object.token, object.ours) = (Some(token.clone()), Some(token));
            let latest = order.latest.to_string();
            object.annotations.insert(keys::RENEW_TIMESTAMP.to_owned(), latest);
            object.annotations.insert(keys::ISSUED.to_owned(), order.note.to_line());
            object.version += 1;
            Outcome::Written(object.seen())
        } else {
            Outcome::Changed(Some(object.seen()))
        };
        Box::pin(std::future::ready(Ok(outcome)))
    }

    fn look<'a>(&'a self, _: &'a SecretRef) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async { unreachable!("this seed takes every write") })
    }

    fn write_ca<'a>(&'a self, _: &'a CaOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(async { unreachable!("no Secret here wants a CA") })
    }

    fn write_note<'a>(&'a self, _: &'a NoteOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(async { unreachable!("no Secret here has a target") })
    }
}
