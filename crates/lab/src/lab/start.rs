//! The order of a start: etcd, all API servers at once, `deploy/`, the shoots, the services.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use futures::future::try_join_all;
use futures::stream::{self, TryStreamExt};

use super::Options;
use crate::apiserver::{self, Ground, Plan};
use crate::binaries::Binaries;
use crate::certificates;
use crate::cluster::Cluster;
use crate::dir::{LabDir, write_private};
use crate::etcd::Etcd;
use crate::fence;
use crate::manifests;
use crate::ports::Ports;
use crate::progress::say;
use crate::proxied::{self, Proxied};
use crate::repo;
use crate::service::{
    self, AUDIENCE, Addresses, Place, SERVICES, Service, common_args, seed_access,
};
use crate::shoot;

/// Proxied shoots that are made known at once.
const REGISTRATIONS_MAX: usize = 16;

/// What a start leaves behind.
pub(super) struct Started {
    pub(super) services: Vec<Service>,
    pub(super) shoots: Vec<Cluster>,
    pub(super) proxied: Vec<Proxied>,
    pub(super) seed: Cluster,
    pub(super) etcd: Etcd,
    pub(super) ports: Ports,
    pub(super) dir: LabDir,
}

/// With `programs`, the folder of the services, they are started too.
pub(super) async fn start(
    options: &Options,
    programs: Option<&Path>,
    folder: &Path,
) -> Result<Started> {
    let binaries = Binaries::find_or_build().await?;
    let dir = LabDir::create(folder)?;
    let mut ports = Ports::new()?;
    certificates::write_first(&dir)?;
    let proxied = match options.proxied_shoots {
        0 => String::new(),
        count => format!(", {count} more through proxies"),
    };
    say(format!("starting API servers: seed and {} shoots{proxied}", options.shoots));
    let etcd = Etcd::start(&binaries.etcd, &mut ports, &dir).await?;
    let ground = Ground { program: &binaries.kube_apiserver, etcd: &etcd, dir: &dir };
    let plans = plans(options, &mut ports)?;
    let mut clusters =
        try_join_all(plans.into_iter().map(|plan| apiserver::start(plan, ground))).await?;
    let seed = clusters.remove(0);
    let first = clusters.len() + 1;
    let proxied = proxied::start(options.proxied_shoots, first, &clusters[0], &mut ports, &dir)?;
    furnish(options, &seed, &clusters).await?;
    register_proxied(&proxied, &clusters[0], &seed).await?;
    let services = match programs {
        Some(programs) => {
            let place = Place { programs, dir: &dir };
            launch(options, place, &seed, &mut ports).await?
        }
        None => Vec::new(),
    };
    // Last, because it takes effect while the services start.
    fence::wait_effective(&seed.client()).await?;
    Ok(Started { services, shoots: clusters, proxied, seed, etcd, ports, dir })
}

/// The seed first.
fn plans(options: &Options, ports: &mut Ports) -> Result<Vec<Plan>> {
    let mut plans = vec![Plan {
        name: "seed".to_owned(),
        port: ports.take()?.port(),
        audiences: "kubernetes",
        extra_flags: Vec::new(),
    }];
    for number in 1..=options.shoots {
        plans.push(Plan {
            name: format!("shoot-{number}"),
            port: ports.take()?.port(),
            audiences: "kubernetes,gardener",
            extra_flags: options.shoot_flags.clone(),
        });
    }
    Ok(plans)
}

/// Applies `deploy/`, then makes the shoots known on the seed.
async fn furnish(options: &Options, seed: &Cluster, shoots: &[Cluster]) -> Result<()> {
    let deploy = repo::root()?.join("deploy");
    manifests::apply_folder(&deploy.join("seed"), &seed.client()).await?;
    fence::fit(options, &seed.client()).await?;
    try_join_all((1..).zip(shoots).map(|(number, cluster)| {
        let grants = deploy.join("shoot");
        async move {
            manifests::apply_folder(&grants, &cluster.client()).await?;
            shoot::register(number, cluster.endpoint(), cluster, &seed.client()).await
        }
    }))
    .await?;
    Ok(())
}

async fn register_proxied(proxied: &[Proxied], shoot: &Cluster, seed: &Cluster) -> Result<()> {
    let all = stream::iter(proxied.iter().map(Ok));
    let register = |proxied: &Proxied| {
        let (number, endpoint) = (proxied.number(), proxied.endpoint().clone());
        async move { shoot::register(number, &endpoint, shoot, &seed.client()).await }
    };
    all.try_for_each_concurrent(REGISTRATIONS_MAX, register).await
}

async fn launch(
    options: &Options,
    place: Place<'_>,
    seed: &Cluster,
    ports: &mut Ports,
) -> Result<Vec<Service>> {
    say(format!("starting the services of {}", place.programs.display()));
    let dir = place.dir;
    let mut replicas = Vec::new();
    for (service, count) in SERVICES.into_iter().zip(options.replicas()) {
        for number in 1..=count {
            let (name, addresses) = (service::replica(service, number), Addresses::take(ports)?);
            write_private(&dir.admin_file(&name), &addresses.admin.to_string())?;
            replicas.push((service, name, addresses));
        }
    }
    let addr_flags = |called: &str| -> Vec<String> {
        let those = replicas.iter().filter(|(service, ..)| *service == called);
        those.map(|(.., addresses)| format!("--{called}-addr={}", addresses.grpc)).collect()
    };
    let [issuers, writers] = [addr_flags("token-issuer"), addr_flags("secret-writer")];
    let audience = vec![format!("--audience={AUDIENCE}")];
    let mut flags = BTreeMap::from([
        ("token-issuer", options.issuer_args()),
        ("secret-writer", [issuers.clone(), audience, options.writer_args()].concat()),
        ("scheduler", [writers, issuers, options.scheduler_args.clone()].concat()),
    ]);
    for service in SERVICES {
        let access = seed_access(service, seed, dir).await?;
        flags.entry(service).or_default().insert(0, access);
    }
    let launch = |(service, name, addresses): (&'static str, String, Addresses)| {
        let mut args = [common_args(service, addresses, dir), flags[service].clone()].concat();
        // They are Pods of one Deployment, on one machine: its name would be the same for all.
        let shares = service == "scheduler" && options.scheduler_replicas > 1;
        args.extend(shares.then(|| format!("--replica-name={name}")));
        Service::launch((&name, service), args, addresses, place)
    };
    Ok(replicas.into_iter().map(launch).collect())
}
