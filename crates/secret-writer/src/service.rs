//! The parts put together.

use std::{io, sync::Arc};

use perennial_core::clock::Clock;
use perennial_kube::{access::AccessSecrets, events::Events, generic::GenericKubeconfigs};
use perennial_process::{
    admin::{self, Admin},
    clock::SystemClock,
    listen::bind,
    outage::Outage,
    ready::Readiness,
    start::StartError,
    supervise::{Supervisor, Tasks},
};
use perennial_proto::{FILE_DESCRIPTOR_SET, writer::v1::secret_writer_server::SecretWriterServer};
use perennial_rpc::{
    client::Replicas,
    identity::{Role, Trust},
    server::Server,
    tls::TlsStore,
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tracing::warn;

use crate::{
    args::Args,
    events::{self, Publish, Reporter},
    follow::follow,
    generic::{self, TokenIssuers},
    grpc,
    issuer::{Issue, TokenIssuer},
    metrics::{self, Metrics},
    renew::{self, Doubt, Means, Renewals, Settings},
    store::Store,
};

/// What to do when the seed refuses.
const RIGHTS: &str = "apply deploy/seed/secret-writer-rbac.yaml (ClusterRole perennial-secret-writer: get, list, watch, \
     patch on secrets), or correct the credential in --seed-kubeconfig";

/// Runs the secret-writer until it is asked to stop.
///
/// # Errors
/// [`StartError`], whose kind is the exit code.
pub async fn run(args: Args) -> Result<(), StartError> {
    let settings = args.settings();
    let Args {
        listen_addr,
        token_issuer_addr,
        seed_kubeconfig,
        interpretation,
        token_file,
        instance_name,
        renewal_interval_min: _, // in the settings
        renewals_in_flight_max: _,
        audit: _,
        tls: tls_args,
        admin,
        drain,
        log: _, // set up by now
    } = args;
    let trust = tls_args.trust();
    let tls =
        tls_args.open(Role::SecretWriter, SystemClock.now()).map_err(StartError::configuration)?;
    let issuer = Replicas::new(token_issuer_addr, trust.id(Role::TokenIssuer), &tls)
        .map_err(StartError::usage)?;
    let client = perennial_kube::seed::connect(seed_kubeconfig.as_deref())
        .await
        .map_err(StartError::configuration)?;
    let supervisor = Supervisor::new(drain.drain_grace);
    let tasks = supervisor.tasks();
    let generic = generic::Source {
        secrets: GenericKubeconfigs::new(client.clone()),
        shoots: Arc::new(TokenIssuers::new(issuer.clone())),
        token_file,
    };
    let parts = Parts {
        generic,
        events: Arc::new(Events::new(client.clone(), &instance_name)),
        access: AccessSecrets::new(client, interpretation.into()),
        issuer: Arc::new(TokenIssuer::start(issuer, &tasks)),
        clock: Arc::new(SystemClock),
        settings,
        tls,
        trust,
        listener: bind("--listen-addr", listen_addr).await?,
        admin_listener: bind("--admin-addr", admin.admin_addr).await?,
    };
    start(parts, &tasks);
    supervisor.run().await.map_err(StartError::unexpected)
}

/// What a secret-writer is made of.
#[derive(Debug)]
pub struct Parts {
    /// The access Secrets of the seed.
    pub access: AccessSecrets,
    /// What generic kubeconfigs are made from.
    pub generic: generic::Source,
    /// Where Events about them go.
    pub events: Arc<dyn Publish>,
    /// Where tokens come from.
    pub issuer: Arc<dyn Issue>,
    /// Our own time.
    pub clock: Arc<dyn Clock>,
    /// Limits of renewals.
    pub settings: Settings,
    /// Certificates.
    pub tls: Arc<TlsStore>,
    /// Who has a role.
    pub trust: Trust,
    /// Where gRPC is served.
    pub listener: TcpListener,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    pub admin_listener: TcpListener,
}

/// Starts all tasks of a secret-writer; they end with the supervisor of `tasks`. Returns its
/// readiness.
pub fn start(parts: Parts, tasks: &Tasks) -> Readiness {
    let Parts { access, generic, events: publish, issuer, clock, settings, tls, trust, .. } = parts;
    let audit = settings.audit;
    let (listener, admin_listener) = (parts.listener, parts.admin_listener);
    let readiness = Readiness::new();
    let gate = readiness.gate("snapshot of access Secrets");
    let outage = Outage::new(gate, RIGHTS, Arc::clone(&clock));
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    tls.register_metrics(metrics::PREFIX, &mut registry);
    let keeper =
        generic::Keeper::new(generic, Arc::clone(&publish), Arc::clone(&clock), &mut registry);
    let store = Store::new(Arc::clone(&clock));
    let (reporter, refused) = Reporter::new(metrics.clone());
    let desk = events::Means {
        store: store.clone(),
        refused,
        publish,
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
    };
    let means = Means {
        store: store.clone(),
        issuer,
        writer: Arc::new(access.clone()),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        reporter,
        doubt: Doubt::default(),
        settings,
    };
    let (renewals, jobs) = Renewals::new(means);
    let service = grpc::Service {
        store: store.clone(),
        renewals,
        metrics: metrics.clone(),
        shutdown: tasks.shutdown(),
    };
    let server = Server {
        tls: Arc::clone(&tls),
        trust,
        routes: Routes::new(SecretWriterServer::new(service)),
        ready: readiness.subscribe(),
        service: perennial_proto::writer::v1::secret_writer_server::SERVICE_NAME,
        descriptors: FILE_DESCRIPTOR_SET,
    };
    let admin = Admin { readiness: readiness.clone(), registry: Arc::new(registry) };
    let shutdown = tasks.shutdown();
    tasks.spawn("admin", served(admin::serve(admin_listener, admin, shutdown.clone())));
    let renewed = tls.reload_loop(clock, shutdown.clone().requested_owned());
    tasks.spawn("certificates", until_shutdown(renewed));
    tasks.spawn("watch", follow(access.watch(), store, outage, metrics, shutdown.clone()));
    if audit {
        warn!("audit mode (--audit): no Secret is written, generic kubeconfigs neither");
    } else {
        tasks.spawn("generic kubeconfigs", keeper.run(shutdown.clone()));
    }
    tasks.spawn("events", events::run(desk, shutdown.clone()));
    tasks.spawn("renewals", until_shutdown(renew::run(jobs, shutdown.clone())));
    tasks.spawn(
        "gRPC",
        async move { Ok(server.serve(listener, shutdown.requested_owned()).await?) },
    );
    readiness
}

/// A task that cannot fail.
async fn until_shutdown(task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    Ok(())
}

async fn served(server: impl Future<Output = io::Result<()>>) -> anyhow::Result<()> {
    Ok(server.await?)
}
