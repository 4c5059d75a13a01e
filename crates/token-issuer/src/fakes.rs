//! A shoot in memory, and builders for the unit tests of this crate.

pub(crate) mod generations;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{
    future::BoxFuture,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use perennial_core::{
    inputs::LabelsHash,
    kubeconfig::{Connection, Inline},
    name::{AccountRef, SecretName},
    shoot::{AccountState, ShootId, ShootStatus},
    signing::WITHDRAWN_AFTER,
    token::Token,
};
use perennial_kube::{
    Error,
    shoot_secrets::{Names, Which},
};
use perennial_testing::clock::ManualClock;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    directory::Directory,
    issue::Limits,
    policy::{Policy, PolicyArgs},
    shoot::{
        AccountChange, Connect, KeySet, SeenAccount, Shoot,
        generations::{GenerationChange, SeenGeneration},
        targets::Unwritable,
    },
    shoot_namespaces::ShootNamespaces,
    storm,
};

/// Address of the shoot.
pub(crate) const HERE: &str = "https://here:6443";
/// Where it moves to.
pub(crate) const ELSEWHERE: &str = "https://elsewhere:6443";
/// A second at which tests begin.
pub(crate) const NOON: i64 = 1_795_435_200;

/// A shoot, and who may do what there. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    /// Addresses that answer.
    pub up: BTreeSet<&'static str>,
    /// Whether calls hang instead of being answered.
    pub hangs: bool,
    /// Credentials that are known.
    pub known: BTreeSet<String>,
    /// Credentials that are refused with 403.
    pub forbidden: BTreeSet<String>,
    pub namespaces: BTreeSet<String>,
    pub accounts: BTreeSet<String>,
    /// Issues tokens of this account whatever is asked for.
    pub issues_for: Option<&'static str>,
    /// Grants these audiences whatever is asked for.
    pub grants: Option<Vec<String>>,
    /// So many of the next proofs of a new token say no.
    pub proofs_denied: usize,
    /// Whether tokens that it issues are known to it.
    pub takes_new_tokens: bool,
    /// Its clock minus ours, in seconds.
    pub clock_offset: i64,
    pub key_ids: Vec<String>,
    /// What is found when an account is looked at.
    pub found: BTreeMap<String, SeenAccount>,
    /// Uids in tokens, by account.
    pub uids: BTreeMap<String, String>,
    /// Open watches of accounts; what is sent into one is what it tells.
    pub account_watches: Vec<mpsc::UnboundedSender<AccountChange>>,
    /// Generations, by namespace and name.
    pub generations: BTreeMap<String, SeenGeneration>,
    /// Makes a generation of this kind before the next one that is asked for.
    pub comes_first: Option<SeenGeneration>,
    /// Names of generations whose tokens are bound to another one instead.
    pub binds_to: Option<String>,
    /// Open watches of generations; what is sent into one is what it tells.
    pub generation_watches: Vec<mpsc::UnboundedSender<GenerationChange>>,
    /// Tokens in targets.
    pub targets: BTreeMap<String, String>,
    /// Says so of every target.
    pub unwritable: Option<Unwritable>,
    /// What was called, as `CREDENTIAL: call`.
    pub calls: Vec<String>,
    /// How many clients were made.
    pub clients: usize,
    pub clock: ManualClock,
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_second(NOON).unwrap())
}

pub(crate) fn shoot(number: usize) -> ShootId {
    format!("shoot--lab--{number}").parse().unwrap()
}

pub(crate) fn names() -> Names {
    Names {
        own: "shoot-access-token-issuer".parse().unwrap(),
        bootstrap: "shoot-bootstrap-token-issuer".parse().unwrap(),
    }
}

/// Defaults, but no more than two at once.
pub(crate) fn limits() -> Limits {
    let storm =
        storm::Limits { interval_min: Duration::from_secs(180), in_flight_per_shoot_max: 64 };
    Limits { in_flight_max: 2, storm }
}

/// Defaults.
pub(crate) fn policy() -> Policy {
    Policy {
        own_secret: names().own,
        own_account: "kube-system/perennial-token-issuer".parse().unwrap(),
        shoot_namespaces: ShootNamespaces::new(vec!["shoot--*".parse().unwrap()]),
        rules: PolicyArgs::default(),
    }
}

/// An account as it should be, without labels.
pub(crate) fn account_seen(account: &str, uid: &str) -> SeenAccount {
    let labels = LabelsHash::of(&BTreeMap::new());
    let state = AccountState::Present { uid: uid.into(), automount_off: true, labels };
    SeenAccount { account: account.parse().unwrap(), uid: uid.into(), state }
}

impl World {
    /// One address, the credentials `own` and `bootstrap`, and kube-system/kube-proxy.
    pub(crate) fn new() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self(Arc::new(Mutex::new(State {
            up: [HERE].into(),
            hangs: false,
            known: texts(&["own", "bootstrap"]),
            forbidden: BTreeSet::new(),
            namespaces: texts(&["kube-system"]),
            accounts: texts(&["kube-system/kube-proxy", "kube-system/perennial-token-issuer"]),
            issues_for: None,
            grants: None,
            proofs_denied: 0,
            takes_new_tokens: true,
            clock_offset: 0,
            key_ids: vec!["key-1".to_owned()],
            found: BTreeMap::new(),
            uids: BTreeMap::new(),
            account_watches: Vec::new(),
            generations: BTreeMap::new(),
            comes_first: None,
            binds_to: None,
            generation_watches: Vec::new(),
            targets: BTreeMap::new(),
            unwritable: None,
            calls: Vec::new(),
            clients: 0,
            clock: clock(),
        })))
    }

    pub(crate) fn set(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What was called since the last look.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.set().calls)
    }

    /// A directory that knows shoot 1 with both credentials, its first lists in.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        let directory = self.empty_directory();
        directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own")));
        directory.upsert(&shoot(1), Which::Bootstrap, &Ok(certificate_at(HERE, "bootstrap")));
        directory.complete();
        directory
    }

    pub(crate) fn empty_directory(&self) -> Arc<Directory> {
        Arc::new(Directory::new(names(), Arc::new(self.clone()), WITHDRAWN_AFTER))
    }
}

pub(crate) fn token_at(server: &str, token: &str) -> Connection {
    connection(server, Inline::Token(Token::new(token.to_owned())))
}

pub(crate) fn certificate_at(server: &str, certificate: &str) -> Connection {
    let certificate_pem = certificate.as_bytes().to_vec();
    connection(server, Inline::Certificate { certificate_pem, key_pem: b"key".to_vec().into() })
}

pub(crate) fn connection(server: &str, credential: Inline) -> Connection {
    Connection {
        server: server.to_owned(),
        ca_pem: format!("CA of {server}").into_bytes(),
        tls_server_name: None,
        credential,
    }
}

pub(crate) fn status(directory: &Directory, shoot: &ShootId) -> ShootStatus {
    let mut listed = directory.list().into_iter().map(|listed| listed.status);
    listed.find(|status| status.shoot == *shoot).expect("the shoot is known")
}

impl Connect for World {
    fn connect(&self, connection: &Connection) -> Result<Arc<dyn Shoot>, Error> {
        self.set().clients += 1;
        let credential = match &connection.credential {
            Inline::None => "nobody".to_owned(),
            Inline::Token(token) if token.expose().starts_with("ey") => "new".to_owned(),
            Inline::Token(token) => token.expose().to_owned(),
            Inline::Certificate { certificate_pem, .. } => {
                String::from_utf8(certificate_pem.clone()).unwrap()
            }
        };
        let (world, server) = (self.clone(), connection.server.clone());
        Ok(Arc::new(FakeShoot { world, server, credential }))
    }
}

#[derive(Debug)]
struct FakeShoot {
    world: World,
    server: String,
    credential: String,
}

pub(crate) fn refused(code: u16, about: Option<&str>) -> Error {
    Error::Refused {
        operation: "call".to_owned(),
        code,
        reason: String::new(),
        message: format!("status {code}"),
        about: about.map(str::to_owned),
        retry_after: None,
    }
}

impl FakeShoot {
    async fn call<T>(
        &self,
        call: &str,
        answer: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.world.set().calls.push(format!("{}: {call}", self.credential));
        if self.world.set().hangs {
            let limit = Duration::from_secs(10);
            tokio::time::sleep(limit).await;
            return Err(Error::TimedOut { operation: call.to_owned(), limit });
        }
        let mut state = self.world.set();
        if !state.up.contains(self.server.as_str()) {
            let cause = format!("{} does not answer", self.server);
            return Err(Error::Unreachable { operation: call.to_owned(), cause });
        }
        let is_new = self.credential == "new" && state.takes_new_tokens;
        if !state.known.contains(&self.credential) && !is_new {
            return Err(refused(401, None));
        }
        if state.forbidden.contains(&self.credential) {
            return Err(refused(403, None));
        }
        answer(&mut state)
    }
}

impl Shoot for FakeShoot {
    fn request_token<'a>(
        &'a self,
        account: &'a AccountRef,
        lifetime_seconds: i64,
        audiences: &'a [String],
        bound: Option<&'a SecretName>,
    ) -> BoxFuture<'a, Result<Token, Error>> {
        let call = match bound {
            Some(bound) => format!("request token bound to {}", generations::short(bound)),
            None => "request token".to_owned(),
        };
        let answer = move |state: &mut State| {
            if !state.namespaces.contains(account.namespace.as_str()) {
                return Err(refused(404, Some("namespaces")));
            }
            if !state.accounts.contains(&account.to_string()) {
                return Err(refused(404, Some("serviceaccounts")));
            }
            let bound = match bound {
                Some(bound) => Some(generations::bound(state, account, bound)?),
                None => None,
            };
            let account = state.issues_for.map_or(account.to_string(), str::to_owned);
            let audiences = state.grants.clone().unwrap_or_else(|| audiences.to_vec());
            let uid = state.uids.get(&account).map(String::as_str);
            Ok(jwt(&account, uid, lifetime_seconds, &audiences, bound))
        };
        Box::pin(async move { self.call(&call, answer).await })
    }

    fn apply_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        let call = format!("apply {account} with {} labels", labels.len());
        Box::pin(async move {
            self.call(&call, |state| Ok(state.accounts.insert(account.to_string()))).await
        })
    }

    fn watch_accounts(&self) -> BoxStream<'static, AccountChange> {
        let (tell, told) = mpsc::unbounded_channel();
        let mut state = self.world.set();
        state.calls.push(format!("{}: watch accounts", self.credential));
        state.account_watches.push(tell);
        Box::pin(stream::unfold(told, |mut told| async { Some((told.recv().await?, told)) }))
    }

    fn look_at_account<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> BoxFuture<'a, Result<Option<SeenAccount>, Error>> {
        let call = format!("look at {account}");
        Box::pin(async move {
            self.call(&call, |state| Ok(state.found.get(&account.to_string()).cloned())).await
        })
    }

    fn prove(&self) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(self.call("prove", |state| {
            let allowed = state.proofs_denied == 0;
            state.proofs_denied = state.proofs_denied.saturating_sub(1);
            Ok(allowed)
        }))
    }

    fn probe(&self) -> BoxFuture<'_, Result<KeySet, Error>> {
        use perennial_core::clock::Clock as _;
        Box::pin(self.call("probe", |state| {
            let date = Timestamp::from_second(state.clock.now().as_second() + state.clock_offset);
            Ok(KeySet { key_ids: state.key_ids.clone(), date: date.ok() })
        }))
    }
}

/// A token of this account.
pub(crate) fn token_of(account: &str, lifetime_seconds: i64) -> Token {
    jwt(account, None, lifetime_seconds, &[], None)
}

/// A token whose signature is nonsense but whose claims read well.
fn jwt(
    account: &str,
    uid: Option<&str>,
    lifetime_seconds: i64,
    audiences: &[String],
    bound: Option<serde_json::Value>,
) -> Token {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let subject = account.replace('/', ":");
    let header = part(json!({"alg": "RS256", "kid": "key-1", "typ": "JWT"}));
    let claims = part(json!({
        "iat": NOON, "exp": NOON + lifetime_seconds, "iss": "https://shoot.example",
        "sub": format!("system:serviceaccount:{subject}"), "aud": audiences,
        "kubernetes.io": {
            "serviceaccount": uid.map(|uid| json!({"name": "x", "uid": uid})), "secret": bound,
        },
    }));
    Token::new(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode("signature")))
}
