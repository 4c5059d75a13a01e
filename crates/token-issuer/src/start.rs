//! Wiring: from flags, or from parts that a test brings, to running tasks.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use perennial_core::clock::Clock;
use perennial_kube::{
    seed,
    shoot_secrets::{self, Names},
};
use perennial_process::{
    admin::{self, Admin},
    clock::SystemClock,
    listen,
    outage::Outage,
    ready::Readiness,
    start::StartError,
    supervise::{Supervisor, Tasks},
};
use perennial_proto::{FILE_DESCRIPTOR_SET, issuer::v1::token_issuer_server::TokenIssuerServer};
use perennial_rpc::{
    identity::{Role, Trust},
    server::Server,
    tls::TlsStore,
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::{
    accounts::{self, AccountWatch},
    args::{self, Args, Settings},
    directory::Directory,
    follow::Follower,
    generations::{self, GenerationWatch},
    issue::{Issuer, Limits},
    learn::{Ignored, Learner},
    metrics::{self, Metrics},
    policy::Policy,
    probe::{Prober, Probes},
    service::Service,
    shoot::{ApiServers, Connect},
    shoot_namespaces::ShootNamespaces,
    storm,
    targets::{Targets, follow::Follower as TargetFollower},
};

/// Longest message that is read, in bytes: 50,000 ServiceAccounts of one shoot to observe.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What to do when the seed refuses.
const RIGHTS: &str = "apply deploy/seed/token-issuer-rbac.yaml (ClusterRole perennial-token-issuer: get, list, watch \
     on the two secrets by resourceNames, which must be those of --shoot-secret and --bootstrap-secret), \
     or correct the credential in --seed-kubeconfig";

/// What the token-issuer works with. A test brings its own.
#[derive(Debug)]
pub struct Parts {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where a shoot is asked for whose Secrets do not hold; [`shoot_secrets::watch`] has the other end.
    pub rereads: shoot_secrets::Rereads,
    /// How clients of shoots are made.
    pub connect: Arc<dyn Connect>,
    /// Where the gRPC server listens.
    pub listener: TcpListener,
    /// Our certificate, and whom we trust.
    pub tls: Arc<TlsStore>,
    /// Who has a role.
    pub trust: Trust,
}

/// Runs the token-issuer until it is asked to stop.
///
/// # Errors
/// When it cannot start, or ends before it was asked to.
pub async fn run(args: Args) -> Result<(), StartError> {
    let Args { listen_addr, seed_kubeconfig, settings, tls, admin, log: _, drain } = args;
    let listener = listen::bind("--listen-addr", listen_addr).await?;
    let admin_listener = listen::bind("--admin-addr", admin.admin_addr).await?;
    let (rereads, queue) = shoot_secrets::rereads();
    let parts = Parts {
        clock: Arc::new(SystemClock),
        rereads,
        connect: Arc::new(ApiServers),
        listener,
        tls: tls.open(Role::TokenIssuer, SystemClock.now()).map_err(StartError::configuration)?,
        trust: tls.trust(),
    };
    let seed =
        seed::connect(seed_kubeconfig.as_deref()).await.map_err(StartError::configuration)?;
    let names = names(&settings);
    let supervisor = Supervisor::new(drain.drain_grace);
    let (readiness, mut registry) = (Readiness::new(), Registry::default());
    let changes = shoot_secrets::watch(seed, &names, queue);
    start(settings, parts, changes, &supervisor.tasks(), &readiness, &mut registry);
    let admin = Admin { readiness, registry: Arc::new(registry) };
    let shutdown = supervisor.shutdown();
    supervisor.tasks().spawn("admin server", async move {
        Ok(admin::serve(admin_listener, admin, shutdown).await?)
    });
    supervisor.run().await.map_err(StartError::unexpected)
}

/// The names of the two Secrets.
#[must_use]
pub fn names(settings: &Settings) -> Names {
    Names { own: settings.shoot_secret.clone(), bootstrap: settings.bootstrap_secret.clone() }
}

/// Starts the tasks; `changes` come from [`shoot_secrets::watch`]. All gates of readiness are
/// there when this returns. Must be called inside a tokio runtime.
pub fn start(
    settings: Settings,
    parts: Parts,
    changes: impl futures::Stream<Item = shoot_secrets::Change> + Send + 'static,
    tasks: &Tasks,
    readiness: &Readiness,
    registry: &mut Registry,
) {
    let names = names(&settings);
    let Settings {
        shoot_secret,
        bootstrap_secret: _, // in `names`
        own_account,
        shoot_namespace,
        probe_interval,
        key_withdrawn_after,
        probes_in_flight_max,
        issues_in_flight_max,
        issues_in_flight_per_shoot_max,
        renewal_interval_min,
        policy: rules,
    } = settings;
    let Parts { clock, rereads, connect, listener, tls, trust } = parts;

    let metrics = Metrics::register(registry);
    let directory = Arc::new(Directory::new(names, connect, key_withdrawn_after));
    let probes = Arc::new(Probes::new(probe_interval, Arc::clone(&clock)));
    let shoot_namespaces = ShootNamespaces::new(shoot_namespace);
    let ignored = Ignored::new(shoot_namespaces.clone(), metrics.ignored.clone());
    let own_account = own_account.unwrap_or_else(|| args::account_of(&shoot_secret));
    let policy = Policy { own_secret: shoot_secret, own_account, shoot_namespaces, rules };
    let limits = Limits {
        in_flight_max: issues_in_flight_max,
        storm: storm::Limits {
            interval_min: renewal_interval_min,
            in_flight_per_shoot_max: issues_in_flight_per_shoot_max,
        },
    };
    let issuer = Arc::new(Issuer::new(
        Arc::clone(&directory),
        policy,
        Arc::clone(&probes),
        Arc::clone(&clock),
        limits,
    ));
    metrics::register_state(registry, Arc::clone(&issuer));
    tls.register_metrics(metrics::PREFIX, registry);

    let learner = Learner {
        directory: Arc::clone(&directory),
        probes: Arc::clone(&probes),
        ignored,
        outage: Outage::new(
            readiness.gate("first lists of the Secrets with access to shoots"),
            RIGHTS,
            Arc::clone(&clock),
        ),
    };
    let prober = Prober {
        probes,
        directory,
        in_flight_max: probes_in_flight_max,
        gate: readiness.gate("first look at each shoot"),
        metrics: metrics.clone(),
        rereads,
    };
    let account_metrics = accounts::Metrics::register(registry);
    let watches = account_metrics.watches.clone();
    let accounts = Arc::clone(&issuer.accounts);
    let what = Arc::new(AccountWatch::new(accounts, Arc::clone(&issuer.probes), account_metrics));
    let follower = Follower { what, directory: Arc::clone(&issuer.directory), watches };
    let generation_metrics = generations::Metrics::register(registry);
    let watches = generation_metrics.watches.clone();
    let (known, probes) = (Arc::clone(&issuer.generations), Arc::clone(&issuer.probes));
    let what = Arc::new(GenerationWatch::new(known, probes, generation_metrics));
    let generation_follower = Follower { what, directory: Arc::clone(&issuer.directory), watches };
    let targets = Arc::new(Targets::default());
    let target_follower = TargetFollower {
        targets: Arc::clone(&targets),
        directory: Arc::clone(&issuer.directory),
        clock: Arc::clone(&clock),
    };
    let service = Service::new(issuer, targets, metrics, tasks.shutdown());
    let server = Server {
        tls: Arc::clone(&tls),
        trust,
        routes: Routes::new(
            TokenIssuerServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX),
        ),
        ready: readiness.subscribe(),
        service: perennial_proto::issuer::v1::token_issuer_server::SERVICE_NAME,
        descriptors: FILE_DESCRIPTOR_SET,
    };

    let shutdown = tasks.shutdown();
    tasks.spawn("seed watch", learner.run(changes, shutdown.clone()));
    let until = shutdown.clone();
    tasks.spawn("probes", async move {
        prober.run(until).await;
        Ok(())
    });
    let until = shutdown.clone();
    tasks.spawn("target watches", async move {
        target_follower.run(until).await;
        Ok(())
    });
    let until = shutdown.clone();
    tasks.spawn("account watches", async move {
        follower.run(until).await;
        Ok(())
    });
    let until = shutdown.clone();
    tasks.spawn("generation watches", async move {
        generation_follower.run(until).await;
        Ok(())
    });
    let until = shutdown.clone();
    tasks.spawn("certificates", async move {
        tls.reload_loop(clock, until.requested_owned()).await;
        Ok(())
    });
    tasks.spawn("gRPC server", async move {
        Ok(server.serve(listener, shutdown.requested_owned()).await?)
    });
}
