//! A fake API server on a loopback port: HTTPS, objects with versions, watches, TokenRequest.
//!
//! A request is parsed into a `target`, counted (`calls`), perhaps spoilt (`fault`), and answered
//! from one `state` under one lock (`answer`, `watch`). A test holds the [`FakeApiServer`] and
//! looks at or changes the same state without a call being counted.

mod answer;
mod calls;
mod fault;
mod managed;
mod patch;
mod refusal;
mod resource;
mod review;
mod secret;
mod selector;
mod serve;
mod state;
mod store;
mod target;
mod token_request;
mod tokens;
mod watch;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::SignedDuration;
use perennial_core::clock::Clock;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch::Sender, task::JoinSet};

pub use self::{
    calls::{Call, Calls},
    fault::{Fault, On},
    tokens::ISSUER,
};
use self::{resource::Resource, state::Shared, store::Key};
use crate::certificates::{Authority, Certificate};

/// A running fake. It ends when this is dropped.
///
/// At first it takes every caller for an admin, has the namespaces `default` and `kube-system`,
/// and knows the audiences `kubernetes` and `gardener`.
#[derive(Debug)]
pub struct FakeApiServer {
    address: SocketAddr,
    authority: Authority,
    shared: Shared,
    reachable: Sender<bool>,
    _serving: JoinSet<()>,
}

impl FakeApiServer {
    /// Starts one on a free port, with `clock` as its clock. Must be called inside a tokio runtime.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn start(clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("it is bound");
        let authority = Authority::new();
        let shared = Shared::new(clock);
        let (reachable, follows) = tokio::sync::watch::channel(true);
        let mut serving = JoinSet::new();
        let acceptor = serve::acceptor(&authority);
        serving.spawn(serve::serve(listener, acceptor, shared.clone(), follows));
        let fake = Self { address, authority, shared, reachable, _serving: serving };
        ["default", "kube-system"].iter().for_each(|namespace| fake.add_namespace(namespace));
        fake
    }

    /// `https://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its authority, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// A client certificate that it takes, until [`FakeApiServer::take_certificates`] says no.
    #[must_use]
    pub fn client_certificate(&self) -> Certificate {
        self.authority.certificate("admin", &[])
    }
}

/// Objects, without a call being counted. Resources are named by their plural: `secrets`.
impl FakeApiServer {
    /// Makes a namespace.
    pub fn add_namespace(&self, name: &str) {
        self.create(json!({"kind": "Namespace", "metadata": {"name": name}}));
    }

    /// Makes an object of a known kind in the namespace that it names.
    ///
    /// # Panics
    /// It is there already, its namespace is missing, or it is nonsense.
    pub fn create(&self, object: Value) -> Value {
        let kind = object["kind"].as_str().and_then(Resource::of_kind);
        let resource = kind.expect("a test makes objects of a kind in RESOURCES");
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let now = self.shared.now();
        let made = self.shared.with(|state| state.store.create(resource, &namespace, object, now));
        made.expect("a test makes objects that can be made")
    }

    /// An object as it stands.
    #[must_use]
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = Key::new(Resource::named(plural), namespace, name);
        self.shared.look(|state| state.store.get(&key).cloned())
    }

    /// All objects of a kind in a namespace, ordered by name.
    #[must_use]
    pub fn list(&self, plural: &str, namespace: &str) -> Vec<Value> {
        let of_namespace = |object: &&Value| object["metadata"]["namespace"] == *namespace;
        self.shared.look(|state| {
            state.store.all(Resource::named(plural)).filter(of_namespace).cloned().collect()
        })
    }

    /// Changes an object as a stranger would, at once.
    ///
    /// # Panics
    /// It is not there, or may not be changed like that.
    pub fn edit(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Value {
        let resource = Resource::named(plural);
        let key = Key::new(resource, namespace, name);
        let edited = self.shared.with(|state| {
            let mut object = state.store.get(&key).expect("a test edits what is there").clone();
            change(&mut object);
            state.store.replace(resource, key, object)
        });
        edited.expect("a test makes edits that are allowed")
    }

    /// Deletes an object, or marks it while finalizers hold it.
    ///
    /// # Panics
    /// It is not there.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let resource = Resource::named(plural);
        let key = Key::new(resource, namespace, name);
        let now = self.shared.now();
        let deleted = self.shared.with(|state| state.store.delete(resource, key, now));
        deleted.expect("a test deletes what is there");
    }

    /// Ends all watches, as an API server does now and then.
    pub fn end_watches(&self) {
        self.shared.with(|state| state.watch_generation += 1);
    }

    /// Whether watches say nothing of what happens, as where a connection died without a word.
    /// Afterwards they say all of it.
    pub fn stall_watches(&self, yes: bool) {
        self.shared.with(|state| state.watches_stalled = yes);
    }

    /// Forgets history: a watch that begins behind an older version gets 410.
    pub fn forget_history(&self) {
        self.shared.with(|state| state.store.forget());
    }
}

/// Credentials and tokens.
impl FakeApiServer {
    /// From now on a caller needs a client certificate of this fake, a token that it issued and
    /// whose account is there, or one of [`FakeApiServer::accept_token`]; else 401.
    pub fn require_credentials(&self) {
        self.shared.with(|state| state.authenticates = true);
    }

    /// Whether client certificates count.
    pub fn take_certificates(&self, yes: bool) {
        self.shared.with(|state| state.takes_certificates = yes);
    }

    /// Takes this bearer token, until [`FakeApiServer::withdraw_token`].
    pub fn accept_token(&self, token: &str) {
        self.shared.with(|state| state.tokens.accept(token));
    }

    /// Takes it no longer.
    pub fn withdraw_token(&self, token: &str) {
        self.shared.with(|state| state.tokens.withdraw(token));
    }

    /// Takes no token any more that was issued up to now.
    pub fn refuse_issued_tokens(&self) {
        self.shared.with(|state| state.tokens.refuse_issued());
    }

    /// Signs with another key, and takes no token of the one before.
    pub fn rotate_key(&self) {
        self.shared.with(|state| state.tokens.rotate_key());
    }

    /// Signs with another key from now on; the one before stays published and accepted.
    pub fn add_key(&self) {
        self.shared.with(|state| state.tokens.add_key());
    }

    /// Publishes only the key that signs, and takes no token of another one.
    pub fn drop_former_keys(&self) {
        self.shared.with(|state| state.tokens.drop_former_keys());
    }

    /// Id of the signing key.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.shared.look(|state| state.tokens.key_id.clone())
    }

    /// Every token it ever issued, for a search in logs.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<String> {
        self.shared.look(|state| state.tokens.all().map(str::to_owned).collect())
    }

    /// The account, `NAMESPACE/NAME`, that a token authenticates as at this moment.
    #[must_use]
    pub fn authenticate(&self, token: &str) -> Option<String> {
        let now = self.shared.now();
        self.shared.look(|state| {
            let account = state.account_of(token, now)?;
            Some(format!("{}/{}", account.namespace, account.name))
        })
    }

    /// Grants no lifetime above this, in seconds.
    pub fn grant_at_most(&self, seconds: i64) {
        self.shared.with(|state| state.granted_seconds_max = Some(seconds));
    }

    /// Goes on taking tokens for so long after the Secret that they are bound to is deleted, as an
    /// API server does that remembers its own answers; not at all at first. By the clock given to
    /// [`FakeApiServer::start`].
    pub fn take_bound_tokens_for(&self, after: Duration) {
        let after = SignedDuration::try_from(after).expect("tests wait for less than that");
        self.shared.with(|state| state.bound_taken_for = after);
    }

    /// What SelfSubjectAccessReviews answer.
    pub fn allow_in_reviews(&self, yes: bool) {
        self.shared.with(|state| state.reviews_allow = yes);
    }
}

/// What is counted and what goes wrong.
impl FakeApiServer {
    /// What it was asked so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.shared.look(|state| state.calls.clone())
    }

    /// Spoils these calls until [`FakeApiServer::heal`].
    pub fn fail(&self, on: On, fault: Fault) {
        self.shared.with(|state| state.faults.add(on, fault, None));
    }

    /// Spoils the next `times` of these calls.
    pub fn fail_times(&self, times: u32, on: On, fault: Fault) {
        self.shared.with(|state| state.faults.add(on, fault, Some(times)));
    }

    /// Spoils nothing any more. Answers that were held go out; calls that hang stay so.
    pub fn heal(&self) {
        self.shared.with(|state| state.faults.heal());
    }

    /// Breaks all connections and takes no new one, until [`FakeApiServer::reconnect`].
    pub fn cut(&self) {
        self.reachable.send_replace(false);
    }

    /// Takes connections again, under the same address.
    pub fn reconnect(&self) {
        self.reachable.send_replace(true);
    }
}
