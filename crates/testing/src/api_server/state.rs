//! Everything the fake knows, under one lock, and how it answers a whole request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use perennial_core::clock::Clock;
use tokio::sync::watch;

use super::{
    calls::Calls,
    fault::Faults,
    refusal::Refusal,
    resource::Resource,
    store::{Key, Store},
    tokens::{Account, Bound, Issued, Tokens},
};

#[derive(Debug)]
pub(super) struct State {
    pub store: Store,
    pub tokens: Tokens,
    pub faults: Faults,
    pub calls: Calls,
    pub authenticates: bool,
    pub takes_certificates: bool,
    pub reviews_allow: bool,
    pub audiences: Vec<String>, // the first ones of the API server itself
    pub granted_seconds_max: Option<i64>,
    pub bound_taken_for: SignedDuration, // after what a token is bound to was deleted
    pub watch_generation: u64,           // watches of an older one end
    pub watches_stalled: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            store: Store::default(),
            tokens: Tokens::default(),
            faults: Faults::default(),
            calls: Calls::default(),
            authenticates: false,
            takes_certificates: true,
            reviews_allow: true,
            audiences: vec!["kubernetes".to_owned(), "gardener".to_owned()],
            granted_seconds_max: None,
            bound_taken_for: SignedDuration::ZERO,
            watch_generation: 0,
            watches_stalled: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Shared {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
}

/// What the connection of a request brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub has_certificate: bool,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Arc::default(), changed: watch::Sender::new(()) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks at the state or changes it; whoever follows it looks again.
    pub(super) fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        let outcome = action(&mut self.lock());
        self.changed.send_replace(());
        outcome
    }

    /// Only looks.
    pub(super) fn look<T>(&self, action: impl FnOnce(&State) -> T) -> T {
        action(&self.lock())
    }

    pub(super) fn follow(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        peer: Peer,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let known = match bearer {
            Some(token) => self.tokens.is_accepted(token) || self.account_of(token, now).is_some(),
            None => peer.has_certificate && self.takes_certificates,
        };
        if known || !self.authenticates { Ok(()) } else { Err(Refusal::unauthorized()) }
    }

    /// Whose token this is: it lives, and so do its ServiceAccount with the same uid and what it is
    /// bound to.
    pub(super) fn account_of(&self, token: &str, now: Timestamp) -> Option<&Account> {
        let Issued { account, bound, .. } = self.tokens.living(token, now)?;
        if bound.as_ref().is_some_and(|bound| !self.is_taken(bound, &account.namespace, now)) {
            return None;
        }
        (self.account(&account.namespace, &account.name).as_ref() == Some(account))
            .then_some(account)
    }

    fn is_taken(&self, bound: &Bound, namespace: &str, now: Timestamp) -> bool {
        let secrets = Resource::named("secrets");
        let held = self.store.get(&Key::new(secrets, namespace, &bound.name));
        let lives = held.is_some_and(|held| {
            held["metadata"]["uid"] == *bound.uid && held["metadata"]["deletionTimestamp"].is_null()
        });
        let deleted_at = self.store.deleted_at(&bound.uid);
        let remembers = |at: Timestamp| now.duration_since(at) < self.bound_taken_for;
        lives || deleted_at.is_some_and(remembers)
    }

    pub(super) fn account(&self, namespace: &str, name: &str) -> Option<Account> {
        let accounts = Resource::named("serviceaccounts");
        let object = self.store.get(&Key::new(accounts, namespace, name))?;
        let uid = object["metadata"]["uid"].as_str()?.to_owned();
        Some(Account { namespace: namespace.to_owned(), name: name.to_owned(), uid })
    }
}
