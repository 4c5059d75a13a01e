//! A seed, some shoots and the three services, in this process and under one clock.

pub(crate) mod operator;
mod secrets;
mod service;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use kube::{Client, Config, config::Kubeconfig};
use perennial_core::keys;
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use perennial_rpc::identity::Role;
use perennial_testing::{
    access_secret::AccessSecret,
    api_server::{Calls, FakeApiServer},
    clock::ShiftedClock,
    kubeconfig::{self, Credential},
};
use serde_json::json;

use self::service::{SERVICES, Services, Site};

/// Longest wait for anything a test waits for.
pub(crate) const MOMENT: Duration = Duration::from_secs(30);
/// The two Secrets of contract F.
pub(crate) const OWN: &str = "shoot-access-token-issuer";
pub(crate) const BOOTSTRAP: &str = "shoot-bootstrap-token-issuer";
/// The lifetime that the own Secret asks for: 30 days.
const OWN_LIFETIME: &str = "720h";

/// What is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub shoots: usize,
    /// `--renewal-basis`
    pub basis: Duration,
    /// `--audit`
    pub audit: bool,
    /// `--survive-shoot-outage`
    pub survive: Option<Duration>,
    /// What shoots answer when the token-issuer proves its new token.
    pub proofs_hold: bool,
    /// The token-issuer's own Secret in each shoot namespace, and the account it is for.
    pub own: (&'static str, &'static str),
    /// The clock of each shoot minus everybody else's.
    pub shoot_skew: SignedDuration,
    /// The clock of the token-issuer minus everybody else's.
    pub issuer_skew: SignedDuration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            shoots: 1,
            basis: Duration::from_secs(24 * 60 * 60),
            audit: false,
            survive: None,
            proofs_hold: true,
            shoot_skew: SignedDuration::ZERO,
            issuer_skew: SignedDuration::ZERO,
            own: (OWN, "perennial-token-issuer"),
        }
    }
}

/// Everything. Shoots count from 1, as in their namespaces `shoot--lab--1`, …
pub(crate) struct House {
    pub(crate) clock: ShiftedClock,
    pub(crate) seed: FakeApiServer,
    shoots: Vec<FakeApiServer>,
    services: Services,
}

impl House {
    /// One shoot, defaults, settled.
    pub(crate) async fn new() -> Self {
        Self::settled(Setup::default()).await
    }

    /// Started, and the token-issuer has proved a token of its own in every shoot.
    pub(crate) async fn settled(setup: Setup) -> Self {
        let house = Self::start(setup).await;
        for shoot in 1..=setup.shoots {
            house.wait(shoot, setup.own.0, "the token-issuer's own token", is_stamped).await;
        }
        house
    }

    /// Started, and every service is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        let clock = ShiftedClock::new(Arc::new(SystemClock));
        let seed = FakeApiServer::start(Arc::new(clock.clone())).await;
        seed.add_namespace(service::NAMESPACE);
        let mut shoots = Vec::new();
        for number in 1..=setup.shoots {
            let skewed = clock.skewed(setup.shoot_skew);
            let shoot = FakeApiServer::start(Arc::new(skewed)).await;
            shoot.require_credentials();
            shoot.allow_in_reviews(setup.proofs_hold);
            register(&seed, number, &shoot, setup.own);
            shoots.push(shoot);
        }
        let site = Site {
            clock: Arc::new(clock.clone()),
            issuer_clock: Arc::new(clock.skewed(setup.issuer_skew)),
            seed: seed_client(&seed).await,
            basis: setup.basis,
            own_secret: setup.own.0,
            audit: setup.audit,
            survive: setup.survive,
        };
        let house = Self { clock, seed, shoots, services: Services::start(site).await };
        house.ready().await;
        house
    }

    pub(crate) fn shoot(&self, number: usize) -> &FakeApiServer {
        &self.shoots[number - 1]
    }

    /// Waits until `look` says that it is so.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Look<T>) -> T {
        until(what, MOMENT, async || Ok(look().await)).await.unwrap()
    }

    /// Waits until every service that runs is ready.
    pub(crate) async fn ready(&self) {
        self.until("readiness of the services", async || match self.services.unready() {
            missing if missing.is_empty() => Look::Done(()),
            missing => Look::Waiting(missing.join("; ")),
        })
        .await;
    }

    /// Stops one service in order, and starts it anew under the same address.
    pub(crate) async fn restart(&mut self, role: Role) {
        self.stop(role).await;
        self.services.run(role).await;
        self.ready().await;
    }

    /// Starts the scheduler anew without `--audit`.
    pub(crate) async fn end_audit(&mut self) {
        self.services.set_audit(false);
        self.restart(Role::Scheduler).await;
    }

    /// Starts a service that was stopped, and does not wait for it.
    pub(crate) async fn launch(&mut self, role: Role) {
        self.services.run(role).await;
    }

    /// What keeps which service from being ready.
    pub(crate) fn unready(&self) -> Vec<String> {
        self.services.unready()
    }

    /// Starts a service that was stopped.
    pub(crate) async fn run(&mut self, role: Role) {
        self.services.run(role).await;
        self.ready().await;
    }

    pub(crate) async fn stop(&mut self, role: Role) {
        self.services.stop(role).await;
    }

    /// Starts all services again after all were stopped.
    pub(crate) async fn run_all(&mut self) {
        for role in SERVICES {
            self.services.run(role).await;
        }
        self.ready().await;
    }

    /// Lets so much time pass, and each shoot be looked at behind it.
    pub(crate) async fn pass_and_look(&self, time: Duration) {
        let looks = |shoot: &FakeApiServer| shoot.calls().of("get", "/openid/v1/jwks");
        let before: Vec<_> = self.shoots.iter().map(looks).collect();
        self.clock.advance(time);
        self.until("a look at each shoot", async || {
            let now: Vec<_> = self.shoots.iter().map(looks).collect();
            match now.iter().zip(&before).all(|(now, before)| now > before) {
                true => Look::Done(()),
                false => Look::Waiting(format!("{now:?} looks")),
            }
        })
        .await;
    }

    /// What seed and shoots have been asked so far.
    pub(crate) fn counts(&self) -> Counts {
        let shoots = self.shoots.iter().map(FakeApiServer::calls).collect();
        Counts { seed: self.seed.calls(), shoots }
    }

    pub(crate) fn spent_since(&self, before: &Counts) -> Counts {
        let now = self.counts();
        let shoots = now.shoots.iter().zip(&before.shoots);
        Counts {
            seed: now.seed.since(&before.seed),
            shoots: shoots.map(|(now, before)| now.since(before)).collect(),
        }
    }

    /// The services, in the order in which they start.
    pub(crate) const SERVICES: [Role; 3] = SERVICES;
}

/// What the API servers were asked.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) seed: Calls,
    shoots: Vec<Calls>,
}

impl Counts {
    pub(crate) fn shoot(&self, number: usize) -> &Calls {
        &self.shoots[number - 1]
    }

    /// TokenRequests, TokenReviews, writes of ServiceAccounts, writes and single reads of Secrets.
    pub(crate) fn dear(&self) -> [u64; 5] {
        let shoots = |count: fn(&Calls) -> u64| self.shoots.iter().map(count).sum();
        [
            shoots(Calls::token_requests),
            shoots(Calls::token_reviews),
            shoots(|calls| calls.writes("serviceaccounts")),
            self.seed.writes("secrets"),
            self.seed.of("get", "secrets"),
        ]
    }
}

/// The namespace of a shoot.
pub(crate) fn namespace(number: usize) -> String {
    format!("shoot--lab--{number}")
}

/// A client of a fake.
pub(crate) async fn client(fake: &FakeApiServer, credential: Credential<'_>) -> Client {
    let document = kubeconfig::document(&fake.url(), &fake.ca_pem(), credential);
    let kubeconfig = Kubeconfig::from_yaml(&document).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// The client of the seed as a service makes it.
async fn seed_client(seed: &FakeApiServer) -> Client {
    let file = tempfile::NamedTempFile::new().unwrap();
    let document = kubeconfig::document(&seed.url(), &seed.ca_pem(), Credential::None);
    std::fs::write(&file, document).unwrap();
    perennial_kube::seed::connect(Some(file.path())).await.unwrap()
}

/// What whoever makes a shoot does on the seed (contract F).
fn register(seed: &FakeApiServer, number: usize, shoot: &FakeApiServer, own: (&str, &str)) {
    seed.add_namespace(&namespace(number));
    let certificate = shoot.client_certificate();
    seed.create(bootstrap_secret(number, shoot, Credential::Certificate(&certificate)));
    let document = kubeconfig::document(&shoot.url(), &shoot.ca_pem(), Credential::None);
    let own = AccessSecret::new(&namespace(number), own.0, own.1)
        .annotated(keys::TOKEN_LIFETIME, OWN_LIFETIME)
        .with_kubeconfig(&document);
    seed.create(own.json());
}

/// A bootstrap Secret with this credential.
pub(crate) fn bootstrap_secret(
    number: usize,
    shoot: &FakeApiServer,
    credential: Credential<'_>,
) -> serde_json::Value {
    let document = kubeconfig::document(&shoot.url(), &shoot.ca_pem(), credential);
    json!({"kind": "Secret", "metadata": {"namespace": namespace(number), "name": BOOTSTRAP},
        "stringData": {"kubeconfig": document}})
}

pub(crate) use self::secrets::{annotation, is_stamped, token};
