//! scheduler: decides which token is renewed when, and never sees one.
//!
//! The crate `fleet` is pure state: what is known of Secrets and shoots, and which Secret is renewed
//! next. [`engine`] brings it to life with streams, a beat and calls of the secret-writer. [`service`]
//! answers operators. [`board`] is what these two share. [`stop`] follows the switch that stops all
//! of it.

use std::{sync::Arc, time::Duration};

use perennial_core::{budget, clock::Clock, decision::Policy, name::ReplicaName};
use perennial_kube::{own_namespace::OwnNamespace, seed};
use perennial_process::{
    admin::{self, Admin},
    clock::SystemClock,
    listen,
    outage::Outage,
    ready::Readiness,
    start::StartError,
    supervise::{Supervisor, Tasks},
};
use perennial_proto::{FILE_DESCRIPTOR_SET, scheduler::v1::scheduler_server::SchedulerServer};
use perennial_rpc::{
    client::{ClientError, Replicas},
    identity::{Role, Trust},
    server::Server,
    tls::TlsStore,
};
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
};
use tonic::service::Routes;

use self::{
    args::Args,
    board::Board,
    engine::{Engine, Gates, Parts, follow::follow, remote},
    leases::{Keeper, Leases},
    metrics::Metrics,
    replica::Replica,
    service::Service,
    stop::{Handle, Switch, follow as stop_follow},
};
use perennial_fleet::{Settings, request::REQUESTS_MAX};

pub mod args;
pub mod board;
pub mod engine;
pub mod leases;
pub mod metrics;
pub mod replica;
pub mod service;
pub mod stop;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

/// What the scheduler is told from outside, apart from flags for logs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits and policy.
    pub settings: Settings,
    /// Replicas of the secret-writer, host:port.
    pub secret_writers: Vec<String>,
    /// Replicas of the token-issuer, host:port.
    pub token_issuers: Vec<String>,
    /// Who has a role.
    pub trust: Trust,
    /// Name of this replica, `--replica-name`.
    pub replica_name: ReplicaName,
    /// How long renewals under way may take to end after a stop was requested.
    pub finish_within: Duration,
    /// Where the stop switch of the fleet is.
    pub switch: Arc<dyn Switch>,
    /// Where the Leases of the replicas are.
    pub leases: Arc<dyn Leases>,
}

/// Bound listeners.
#[derive(Debug)]
pub struct Listeners {
    /// gRPC for operators.
    pub grpc: TcpListener,
    /// `/healthz`, `/readyz` and `/metrics`.
    pub admin: TcpListener,
}

/// The whole service, until it is asked to stop.
///
/// # Errors
/// When it cannot start, or ends without being asked to.
pub async fn run(args: Args) -> Result<(), StartError> {
    let Args {
        listen_addr,
        secret_writer_addr,
        token_issuer_addr,
        seed_kubeconfig,
        renewal_basis,
        audit,
        in_flight_max,
        in_flight_per_shoot_max,
        rate_max,
        rate_per_shoot_max,
        own_secret,
        survive,
        replica_name,
        tls,
        admin,
        drain,
        log: _, // set up before we are called
    } = args;
    let listeners = Listeners {
        grpc: listen::bind("--listen-addr", listen_addr).await?,
        admin: listen::bind("--admin-addr", admin.admin_addr).await?,
    };
    let trust = tls.trust();
    let tls = tls.open(Role::Scheduler, SystemClock.now()).map_err(StartError::configuration)?;
    let client =
        seed::connect(seed_kubeconfig.as_deref()).await.map_err(StartError::configuration)?;
    let namespace = trust.namespace.to_string().parse().map_err(StartError::usage)?;
    let basis_seconds = i64::try_from(renewal_basis.as_secs()).unwrap_or(i64::MAX);
    let derived = survive.basis(basis_seconds).map_err(StartError::usage)?;
    if survive.budget().is_set() {
        tracing::info!(
            basis_seconds = derived,
            renewals_per_day = budget::renewals_per_day(budget::LIFETIME_DEFAULT_SECONDS, derived),
            "outages of up to {:?} are to be survived: perennial budget says whether they are",
            survive.budget().longest()
        );
    }
    let own_namespace = Arc::new(OwnNamespace::new(client, namespace));
    let config = Config {
        settings: Settings {
            policy: Policy { basis_seconds: derived },
            audit,
            in_flight_max: in_flight_max.get(),
            in_flight_per_shoot_max: in_flight_per_shoot_max.get(),
            own_secret,
            rate_max,
            rate_per_shoot_max,
            budget: survive.budget(),
        },
        secret_writers: secret_writer_addr,
        token_issuers: token_issuer_addr,
        trust,
        replica_name: replica::name(replica_name)?,
        // The rest of the grace is for the answers that follow.
        finish_within: drain.drain_grace.mul_f64(0.8),
        switch: Arc::clone(&own_namespace) as Arc<dyn Switch>,
        leases: own_namespace,
    };
    if audit {
        tracing::warn!(
            "audit mode (--audit): everything is decided and shown, and nothing is renewed"
        );
    }
    let supervisor = Supervisor::new(drain.drain_grace);
    start(config, listeners, tls, Arc::new(SystemClock), &supervisor.tasks())
        .map_err(StartError::usage)?;
    supervisor.run().await.map_err(StartError::unexpected)
}

/// Starts every task of the service. Tests call it with listeners, certificates and a clock of
/// their own; the readiness that comes back is true once both first whole sets are in and the stop
/// switch was read, whatever it says.
///
/// # Errors
/// When an address is not host:port.
pub fn start(
    config: Config,
    listeners: Listeners,
    tls: Arc<TlsStore>,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<Readiness, ClientError> {
    let Config {
        settings,
        secret_writers,
        token_issuers,
        trust,
        replica_name,
        finish_within,
        switch,
        leases,
    } = config;
    let writers = Replicas::new(secret_writers, trust.id(Role::SecretWriter), &tls)?;
    let issuers = Replicas::new(token_issuers, trust.id(Role::TokenIssuer), &tls)?;
    let readiness = Readiness::new();
    let mut registry = Registry::default();
    let (inputs, from_streams) = mpsc::channel(engine::INPUTS_MAX);
    let (requests, from_operators) = mpsc::channel(REQUESTS_MAX);
    let basis = Duration::from_secs(settings.policy.basis_seconds.unsigned_abs());
    let me = replica_name.clone();
    let replica = Arc::new(Replica { name: replica_name.to_string(), since: clock.now() });
    let (renew, calls) = remote::Writer::new(writers.clone(), basis, Arc::clone(&replica));
    let board = Board::new(settings, Arc::clone(&clock));
    board.share();
    let metrics = Metrics::register(&mut registry);
    let looks = Arc::new(Notify::new());
    let engine = Engine::new(Parts {
        board: Arc::clone(&board),
        renew: Arc::new(renew),
        observe: Arc::new(remote::Observers::new(&issuers)),
        inputs: from_streams,
        requests: from_operators,
        gates: Gates::add(&readiness),
        metrics: metrics.clone(),
        looks: Arc::clone(&looks),
    });
    let gate = readiness.gate("stop switch");
    let outage = Outage::new(gate, stop_follow::RIGHTS, Arc::clone(&clock));
    let (handle, switch_looks) = Handle::new(Arc::clone(&switch));

    let shutdown = || tasks.shutdown();
    tasks.spawn("calls of the secret-writer", async move {
        calls.await; // ends with the engine, which has renewals under way until then
        Ok(())
    });
    let stop = shutdown();
    tasks.spawn("engine", async move {
        engine.run(stop, finish_within).await;
        Ok(())
    });
    let following =
        stop_follow::follow(switch, switch_looks, inputs.clone(), outage, metrics, shutdown());
    tasks.spawn("stop switch", async move { Ok(following.await?) });
    let outage = Outage::new(readiness.gate("leases"), leases::RIGHTS, Arc::clone(&clock));
    let keeper =
        Keeper { leases, me, clock: Arc::clone(&clock), inputs: inputs.clone(), looks, outage };
    let keeping = keeper.keep(shutdown());
    tasks.spawn("leases", async move { Ok(keeping.await?) });
    let (records, into, stop) = (remote::Records::new(&writers), inputs.clone(), shutdown());
    tasks.spawn("records", async move {
        follow(records, into, stop).await;
        Ok(())
    });
    for shoots in remote::Shoots::each(&issuers, &clock) {
        let (into, stop) = (inputs.clone(), shutdown());
        tasks.spawn("shoots", async move {
            follow(shoots, into, stop).await;
            Ok(())
        });
    }
    let (until, renewed) = (shutdown().requested_owned(), Arc::clone(&tls));
    tasks.spawn("certificates", async move {
        renewed.reload_loop(clock, until).await;
        Ok(())
    });
    tls.register_metrics(metrics::PREFIX, &mut registry);
    let service = Service::new(board, requests, shutdown(), replica, handle);
    serve(service, listeners, (tls, trust), &readiness, registry, tasks);
    Ok(readiness)
}

fn serve(
    service: Service,
    listeners: Listeners,
    (tls, trust): (Arc<TlsStore>, Trust),
    readiness: &Readiness,
    registry: Registry,
    tasks: &Tasks,
) {
    let stop = || tasks.shutdown().requested_owned();
    let (admin, shutdown) =
        (Admin { readiness: readiness.clone(), registry: Arc::new(registry) }, tasks.shutdown());
    tasks.spawn("admin", async move { Ok(admin::serve(listeners.admin, admin, shutdown).await?) });
    let server = Server {
        tls,
        trust,
        routes: Routes::new(SchedulerServer::new(service)),
        ready: readiness.subscribe(),
        service: perennial_proto::scheduler::v1::scheduler_server::SERVICE_NAME,
        descriptors: FILE_DESCRIPTOR_SET,
    };
    let until = stop();
    tasks.spawn("grpc", async move { Ok(server.serve(listeners.grpc, until).await?) });
}
