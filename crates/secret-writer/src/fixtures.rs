//! Builders and fakes for the unit tests of this crate.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use jiff::Timestamp;
use perennial_core::{
    ca::CaHash,
    clock::Clock,
    generation::{Family, Number},
    inputs::{Inputs, Interpretation},
    issued::{Issued, IssuedFor},
    keys,
    name::SecretRef,
    reason::Reason,
    record::{Record, SecretView},
    token::{Claims, Token},
    window::{Plan, Window},
};
use perennial_kube::access::{
    CaOrder, Layout, NoteOrder, Order as WriteOrder, Outcome, ResourceVersion, Seen, WriteError,
};
use perennial_rpc::status::Remote;
use perennial_testing::clock::ManualClock;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    issuer::{Binding, Given, Issuance, Issue, Older, Wanted},
    renew::Write,
    store::Store,
};

pub(crate) const LIFETIME: i64 = 36_000;

/// Seconds since the epoch.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// An empty store, whose clock stands still.
pub(crate) fn store() -> Store {
    Store::new(Arc::new(ManualClock::at(at(1_000))))
}

pub(crate) fn version(number: u64) -> ResourceVersion {
    ResourceVersion::new(number.to_string())
}

pub(crate) fn secret_ref(name: &str) -> SecretRef {
    SecretRef::parse("shoot--lab--1", name).unwrap()
}

/// A token of the account kube-system/NAME for the audience gardener.
pub(crate) fn jwt(name: &str, issued_at: i64) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({
        "iat": issued_at, "exp": issued_at + LIFETIME, "iss": "https://shoot.example",
        "aud": ["gardener"], "sub": format!("system:serviceaccount:kube-system:{name}"),
    }));
    format!("{}.{claims}.c2ln", part(json!({"alg": "RS256"})))
}

/// The same, bound to this Secret of the shoot.
pub(crate) fn jwt_bound(name: &str, issued_at: i64, secret: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({
        "iat": issued_at, "exp": issued_at + LIFETIME, "iss": "https://shoot.example",
        "aud": ["gardener"], "sub": format!("system:serviceaccount:kube-system:{name}"),
        "kubernetes.io": {"secret": {"name": secret, "uid": format!("uid of {secret}")}},
    }));
    format!("{}.{claims}.c2ln", part(json!({"alg": "RS256"})))
}

/// An access Secret in the making.
#[derive(Clone, Debug)]
pub(crate) struct SecretBuilder {
    name: String,
    uid: String,
    annotations: BTreeMap<String, String>,
    token: Option<String>,
    immutable: bool,
}

impl SecretBuilder {
    pub(crate) fn new(name: &str) -> Self {
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let annotations = [
            (keys::ACCOUNT_NAME, name),
            (keys::ACCOUNT_NAMESPACE, "kube-system"),
            (keys::AUDIENCES, "gardener"),
        ];
        Self {
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            annotations: annotations.map(text).into(),
            token: None,
            immutable: false,
        }
    }

    pub(crate) fn uid(mut self, uid: &str) -> Self {
        self.uid = uid.to_owned();
        self
    }

    pub(crate) fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    pub(crate) fn annotated(mut self, key: &str, value: impl Into<String>) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        self.annotations.remove(key);
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// As an order of ours leaves it.
    pub(crate) fn written(self, order: &WriteOrder) -> Self {
        let mut this = self;
        this.token = order.token().map(|token| token.expose().to_owned());
        this.annotated(keys::RENEW_TIMESTAMP, order.latest.to_string())
            .annotated(keys::ISSUED, order.note.to_line())
    }

    pub(crate) fn seen(&self, resource_version: u64) -> Seen {
        let secret = secret_ref(&self.name);
        let view = SecretView {
            secret: &secret,
            uid: &self.uid,
            labels: &BTreeMap::new(),
            annotations: &self.annotations,
            token: self.token.as_deref().map(str::as_bytes),
            kubeconfig: None,
            bundle: None,
            immutable: self.immutable,
            terminating: false,
        };
        Seen {
            record: Record::reduce(&view, &Interpretation::default()),
            resource_version: version(resource_version),
            layout: Layout { data: self.token.is_some(), bundle: false },
            in_vain: false,
        }
    }
}

/// A token-issuer that answers what it was told to, and waits where it was told to.
#[derive(Debug)]
pub(crate) struct FakeIssuer {
    clock: ManualClock,
    answers: Mutex<VecDeque<Result<String, Remote>>>,
    pub(crate) asked: AtomicI64,
    /// What was wanted of each sync.
    pub(crate) synced: Mutex<Vec<Wanted>>,
    /// What each token was to be bound to.
    pub(crate) bindings: Mutex<Vec<Option<Binding>>>,
    /// The newest generation in the shoot.
    pub(crate) newest: AtomicU32,
    /// The newest generations that were to go, and those to be kept.
    pub(crate) kept: Mutex<Vec<(Number, Number)>>,
    pub(crate) may_answer: Semaphore,
}

impl FakeIssuer {
    /// Gives the token that was asked for, at once.
    pub(crate) fn new(clock: &ManualClock) -> Self {
        Self {
            clock: clock.clone(),
            answers: Mutex::default(),
            asked: AtomicI64::default(),
            synced: Mutex::default(),
            bindings: Mutex::default(),
            newest: AtomicU32::default(),
            kept: Mutex::default(),
            may_answer: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }

    pub(crate) fn will_answer(&self, answer: Result<String, Remote>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Made for the Secret of that name: bound to the newest generation, and to one that is made
    /// where none is as new.
    fn token(&self, secret: &SecretRef, inputs: &Inputs, binding: Option<Binding>) -> String {
        let (now, account) = (self.clock.now().as_second(), inputs.account.name.as_str());
        let Some(binding) = binding else { return jwt(account, now) };
        let least = binding.generation.max(1);
        let number = self.newest.fetch_max(least, Ordering::Relaxed).max(least);
        let family = Family::new(&inputs.account.namespace, secret);
        jwt_bound(account, now, family.name(number).as_str())
    }

    pub(crate) fn asked(&self) -> i64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Issue for FakeIssuer {
    fn issue<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        binding: Option<Binding>,
    ) -> BoxFuture<'a, Result<Issuance, Remote>> {
        Box::pin(async move {
            self.bindings.lock().unwrap().push(binding);
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.may_answer.acquire().await.unwrap().forget();
            let told = self.answers.lock().unwrap().pop_front();
            let answer = told.unwrap_or_else(|| Ok(self.token(secret, inputs, binding)));
            answer.map(|token| {
                let token = Token::new(token);
                let given = match (&inputs.target, Claims::read(token.expose().as_bytes())) {
                    (Some(_), Ok(claims)) => Given::Delivered { claims, sha256: token.hash() },
                    _ => Given::Token(token),
                };
                Issuance { given, ca_pem: Vec::new() }
            })
        })
    }

    fn revoke<'a>(
        &'a self,
        _: &'a SecretRef,
        _: &'a Inputs,
        Older { up_to, keep, .. }: Older,
    ) -> BoxFuture<'a, Result<bool, Remote>> {
        Box::pin(async move {
            self.kept.lock().unwrap().push((up_to, keep));
            match self.answers.lock().unwrap().pop_front() {
                Some(Err(error)) => Err(error),
                Some(Ok(old_token)) => Ok(!old_token.is_empty()),
                None => Ok(true),
            }
        })
    }

    fn sync<'a>(
        &'a self,
        _: &'a SecretRef,
        _: &'a Inputs,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>> {
        Box::pin(async move {
            self.synced.lock().unwrap().push(wanted.clone());
            match self.answers.lock().unwrap().pop_front() {
                Some(Err(error)) => Err(error),
                _ => Ok(CA.to_vec()),
            }
        })
    }
}

/// The CA of the shoot.
pub(crate) const CA: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// What a fake writer does with an order.
pub(crate) type Answer = Box<dyn Fn(&WriteOrder) -> Result<Outcome, WriteError> + Send>;

/// A seed that takes every order, unless it was told otherwise.
pub(crate) struct FakeWriter {
    answers: Mutex<VecDeque<Answer>>,
    pub(crate) orders: Mutex<Vec<WriteOrder>>,
    pub(crate) cas: Mutex<Vec<Option<Vec<u8>>>>,
    pub(crate) notes: Mutex<Vec<Issued>>,
    pub(crate) may_answer: Semaphore,
    pub(crate) looks: AtomicU32,
    /// What the next look says.
    pub(crate) look_fails: Mutex<Option<perennial_kube::Error>>,
}

impl Default for FakeWriter {
    fn default() -> Self {
        Self {
            answers: Mutex::default(),
            orders: Mutex::default(),
            cas: Mutex::default(),
            notes: Mutex::default(),
            may_answer: Semaphore::new(Semaphore::MAX_PERMITS),
            looks: AtomicU32::default(),
            look_fails: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for FakeWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeWriter")
    }
}

impl FakeWriter {
    pub(crate) fn will_answer(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Answers so from now on, until told again.
    pub(crate) fn answers_with(&self, answer: Answer) {
        *self.answers.lock().unwrap() = VecDeque::from([answer]);
    }

    pub(crate) fn orders(&self) -> usize {
        self.orders.lock().unwrap().len()
    }
}

impl Write for FakeWriter {
    fn write<'a>(&'a self, order: &'a WriteOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(async move {
            self.orders.lock().unwrap().push(order.clone());
            self.may_answer.acquire().await.unwrap().forget();
            let told = self.answers.lock().unwrap().pop_front();
            match told {
                Some(answer) => answer(order),
                None => Ok(Outcome::Written(take(order))),
            }
        })
    }

    fn look<'a>(&'a self, _: &'a SecretRef) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async {
            self.looks.fetch_add(1, Ordering::Relaxed);
            let told = self.look_fails.lock().unwrap().take();
            told.map_or(Ok(()), |error| Err(WriteError::Api(error)))
        })
    }

    fn write_ca<'a>(&'a self, order: &'a CaOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(async move {
            self.cas.lock().unwrap().push(order.ca_pem.clone());
            let mut seen = Seen::clone(&order.seen);
            seen.record.ca = order.ca_pem.as_deref().map(CaHash::of);
            Ok(Outcome::Written(seen))
        })
    }

    fn write_note<'a>(
        &'a self,
        order: &'a NoteOrder,
    ) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(async move {
            self.notes.lock().unwrap().push(order.note.clone());
            let mut seen = Seen::clone(&order.seen);
            seen.record.left.clone_from(&order.note.left);
            seen.record.issued = Some(order.note.clone());
            Ok(Outcome::Written(seen))
        })
    }
}

/// A Secret whose token was delivered into the target that it names.
pub(crate) fn delivered(secret: &SecretBuilder, token: &Token) -> SecretBuilder {
    let claims = Claims::read(token.expose().as_bytes()).unwrap();
    let plan = Plan::draw(&claims, 86_400, Window::ORDINARY, 0.5);
    let note = Issued::note(IssuedFor {
        token: token.hash(),
        claims: &claims,
        inputs: secret.seen(1).record.inputs.as_ref().unwrap(),
        plan,
        reason: Reason::NothingHeld,
        written_at: claims.issued_at,
        streak: 0,
        spent: 0,
        left: Vec::new(),
        generation: None,
    });
    secret
        .clone()
        .annotated(keys::RENEW_TIMESTAMP, plan.latest.to_string())
        .annotated(keys::ISSUED, note.to_line())
}

/// The Secret with this order carried out.
pub(crate) fn take(order: &WriteOrder) -> Seen {
    let record = &order.seen.record;
    let before: u64 = order.seen.resource_version.as_str().parse().unwrap();
    let named = SecretBuilder::new(record.secret.name.as_str()).uid(&record.uid);
    let named = match record.inputs.as_ref().is_ok_and(|inputs| inputs.revocable) {
        true => named.annotated(keys::REVOCABLE, "true"),
        false => named,
    };
    let target = record.inputs.as_ref().ok().and_then(|inputs| inputs.target.clone());
    let named = target.into_iter().fold(named, |named, target| {
        named
            .annotated(keys::TARGET_NAMESPACE, target.namespace.as_str())
            .annotated(keys::TARGET_NAME, target.name.as_str())
    });
    named.written(order).seen(before + 1)
}
