//! The services themselves, started by their libraries.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use clap::Parser as _;
use perennial_core::{
    budget::{Budget, LIFETIME_DEFAULT_SECONDS as LIFETIME},
    clock::Clock,
    decision::Policy,
    inputs::Interpretation,
};
use perennial_kube::{
    access::AccessSecrets, events::Events, generic::GenericKubeconfigs,
    own_namespace::OwnNamespace, shoot_secrets,
};
use perennial_process::{ready::Readiness, supervise::Supervisor};
use perennial_rpc::{
    client::Replicas,
    identity::{Role, Trust},
    tls::TlsStore,
};
use perennial_testing::certificates::Authority;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};

/// In the order in which they start.
pub(super) const SERVICES: [Role; 3] = [Role::TokenIssuer, Role::SecretWriter, Role::Scheduler];

/// Namespace of the services on the seed.
pub(super) const NAMESPACE: &str = "perennial-system";
/// How long a service may take to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What the services find.
pub(super) struct Site {
    pub clock: Arc<dyn Clock>,
    /// That of the token-issuer.
    pub issuer_clock: Arc<dyn Clock>,
    pub seed: kube::Client,
    pub basis: Duration,
    /// `--shoot-secret`, `--own-secret`
    pub own_secret: &'static str,
    pub audit: bool,
    /// `--survive-shoot-outage`
    pub survive: Option<Duration>,
}

/// The services, by the names of their ServiceAccounts.
pub(super) struct Services {
    site: Site,
    pub authority: Authority,
    certificates: BTreeMap<&'static str, TempDir>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    running: BTreeMap<&'static str, Running>,
}

struct Running {
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    supervisor: JoinSet<anyhow::Result<()>>,
}

impl Services {
    pub(super) async fn start(site: Site) -> Self {
        let authority = Authority::new();
        let roles = SERVICES.into_iter().chain([Role::Operator]);
        let names = roles.map(|role| role.service_account());
        let certificates = names.map(|name| (name, authority.folder(name))).collect();
        let (addresses, running) = (BTreeMap::new(), BTreeMap::new());
        let mut services = Self { site, authority, certificates, addresses, running };
        let mut listeners = Vec::new();
        for role in SERVICES {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            services.addresses.insert(role.service_account(), listener.local_addr().unwrap());
            listeners.push((role, listener));
        }
        for (role, listener) in listeners {
            services.run_on(role, listener).await;
        }
        services
    }

    /// Starts a service that does not run, under the address it had.
    pub(super) async fn run(&mut self, role: Role) {
        let listener = TcpListener::bind(self.address(role)).await.unwrap();
        self.run_on(role, listener).await;
    }

    /// Of the scheduler from its next start on.
    pub(super) fn set_audit(&mut self, audit: bool) {
        self.site.audit = audit;
    }

    pub(super) async fn stop(&mut self, role: Role) {
        let running = self.running.remove(role.service_account()).expect("it runs");
        let Running { readiness: _, stop, mut supervisor } = running;
        stop.send(()).expect("its supervisor listens");
        supervisor.join_next().await.unwrap().unwrap().unwrap();
    }

    pub(super) fn address(&self, role: Role) -> SocketAddr {
        self.addresses[role.service_account()]
    }

    pub(super) fn tls(&self, role: Role) -> Arc<TlsStore> {
        TlsStore::open(self.certificates[role.service_account()].path()).unwrap()
    }

    /// What keeps which service from being ready.
    pub(super) fn unready(&self) -> Vec<String> {
        let of = |(name, running): (&&str, &Running)| {
            let missing = running.readiness.report();
            (!missing.is_empty()).then(|| format!("{name}: {missing:?}"))
        };
        self.running.iter().filter_map(of).collect()
    }

    async fn run_on(&mut self, role: Role, listener: TcpListener) {
        let supervisor = Supervisor::new(GRACE);
        let readiness = match role {
            Role::TokenIssuer => self.token_issuer(listener, &supervisor),
            Role::SecretWriter => self.secret_writer(listener, admin().await, &supervisor),
            Role::Scheduler => self.scheduler(listener, admin().await, &supervisor),
            Role::Operator => panic!("the operator is no service"),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let mut ended = JoinSet::new();
        ended.spawn(supervisor.run_until(async { drop(stopped.await) }));
        let running = Running { readiness, stop, supervisor: ended };
        self.running.insert(role.service_account(), running);
    }

    fn token_issuer(&self, listener: TcpListener, supervisor: &Supervisor) -> Readiness {
        use perennial_token_issuer::{args::Args, shoot::ApiServers, start};
        let flag = format!("--shoot-secret={}", self.site.own_secret);
        let settings = Args::try_parse_from(["token-issuer", &flag]).unwrap().settings;
        let (rereads, queue) = shoot_secrets::rereads();
        let parts = start::Parts {
            clock: Arc::clone(&self.site.issuer_clock),
            rereads,
            connect: Arc::new(ApiServers),
            listener,
            tls: self.tls(Role::TokenIssuer),
            trust: trust(),
        };
        let names = start::names(&settings);
        let changes = shoot_secrets::watch(self.site.seed.clone(), &names, queue);
        let (readiness, mut registry) = (Readiness::new(), Registry::default());
        let tasks = supervisor.tasks();
        start::start(settings, parts, changes, &tasks, &readiness, &mut registry);
        readiness
    }

    fn secret_writer(
        &self,
        listener: TcpListener,
        admin_listener: TcpListener,
        supervisor: &Supervisor,
    ) -> Readiness {
        use perennial_secret_writer::{
            args::Args,
            generic::{Source, TokenIssuers},
            issuer::TokenIssuer,
            service::{self, Parts},
        };
        let tls = self.tls(Role::SecretWriter);
        let address = self.address(Role::TokenIssuer).to_string();
        let flag = format!("--token-issuer-addr={address}");
        let args = Args::try_parse_from(["secret-writer", &flag]).unwrap();
        let issuer = Replicas::new([address], trust().id(Role::TokenIssuer), &tls).unwrap();
        let generic = Source {
            secrets: GenericKubeconfigs::new(self.site.seed.clone()),
            shoots: Arc::new(TokenIssuers::new(issuer.clone())),
            token_file: args.token_file.clone(),
        };
        let parts = Parts {
            generic,
            events: Arc::new(Events::new(self.site.seed.clone(), "secret-writer-test")),
            access: AccessSecrets::new(self.site.seed.clone(), Interpretation::default()),
            issuer: Arc::new(TokenIssuer::start(issuer, &supervisor.tasks())),
            clock: Arc::clone(&self.site.clock),
            settings: args.settings(),
            tls,
            trust: trust(),
            listener,
            admin_listener,
        };
        service::start(parts, &supervisor.tasks())
    }

    fn scheduler(
        &self,
        grpc: TcpListener,
        admin: TcpListener,
        supervisor: &Supervisor,
    ) -> Readiness {
        use perennial_fleet::Settings;
        use perennial_scheduler::{Config, Listeners, start, stop::Switch};
        let basis_seconds = i64::try_from(self.site.basis.as_secs()).unwrap();
        let budget = Budget { shoot: self.site.survive, ..Budget::default() };
        let own = OwnNamespace::new(self.site.seed.clone(), NAMESPACE.parse().unwrap());
        let own = Arc::new(own);
        let config = Config {
            settings: Settings {
                policy: Policy { basis_seconds: budget.basis(basis_seconds, LIFETIME).unwrap() },
                in_flight_max: 64,
                in_flight_per_shoot_max: 8,
                audit: self.site.audit,
                own_secret: self.site.own_secret.parse().unwrap(),
                rate_max: 1_000.try_into().unwrap(),
                rate_per_shoot_max: 500.try_into().unwrap(),
                budget,
            },
            secret_writers: vec![self.address(Role::SecretWriter).to_string()],
            token_issuers: vec![self.address(Role::TokenIssuer).to_string()],
            trust: trust(),
            replica_name: "scheduler-0".parse().unwrap(),
            finish_within: GRACE / 2,
            switch: Arc::clone(&own) as Arc<dyn Switch>,
            leases: own,
        };
        let tls = self.tls(Role::Scheduler);
        let clock = Arc::clone(&self.site.clock);
        start(config, Listeners { grpc, admin }, tls, clock, &supervisor.tasks()).unwrap()
    }
}

async fn admin() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub(super) fn trust() -> Trust {
    Trust { trust_domain: "cluster.local".parse().unwrap(), namespace: NAMESPACE.parse().unwrap() }
}
