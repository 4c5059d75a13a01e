//! A whole lab: started, waited for, ended.

mod start;

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures::future::{join_all, try_join_all};
use perennial_rpc::client::{self, Channel};
use perennial_rpc::identity::TrustDomain;
use perennial_rpc::tls::{Expected, TlsStore};
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::dir::LabDir;
use crate::environment::{self, Environment};
use crate::etcd::Etcd;
use crate::poll::{Look, until};
use crate::ports::Ports;
use crate::progress::say;
use crate::proxied::Proxied;
use crate::proxy::PROXIES_MAX;
use crate::repo;
use crate::service::{READY_MAX, REPLICAS_MAX, SERVICES, Service};
use crate::shoot;

/// How often a service may end while the lab is waited for. At a start everything it needs is there; with
/// the pauses between restarts five ends are about 4 s.
const EXITS_MAX: u32 = 5;

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of shoots, each with an API server of its own; at least 1.
    pub shoots: usize,
    /// Number of shoots behind proxies, all in front of the first real one; at most
    /// [`crate::proxy::PROXIES_MAX`].
    pub proxied_shoots: usize,
    /// More flags for the API servers of shoots.
    pub shoot_flags: Vec<String>,
    /// More flags for the token-issuer.
    pub issuer_args: Vec<String>,
    /// More flags for the secret-writer.
    pub writer_args: Vec<String>,
    /// More flags for the scheduler.
    pub scheduler_args: Vec<String>,
    /// Number of replicas of the token-issuer, 1 to [`crate::service::REPLICAS_MAX`].
    pub issuer_replicas: usize,
    /// The same of the secret-writer.
    pub writer_replicas: usize,
    /// The same of the scheduler.
    pub scheduler_replicas: usize,
    /// Without services there are API servers, `deploy/` applied, and the Secrets of the shoots.
    pub start_services: bool,
    /// Leave the folder behind in any case; without, only after a failure.
    pub keep_dir: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shoots: 1,
            proxied_shoots: 0,
            shoot_flags: Vec::new(),
            issuer_args: Vec::new(),
            writer_args: Vec::new(),
            scheduler_args: Vec::new(),
            issuer_replicas: 1,
            writer_replicas: 1,
            scheduler_replicas: 1,
            start_services: true,
            keep_dir: false,
        }
    }
}

impl Options {
    /// How many of each of [`SERVICES`], in their order.
    fn replicas(&self) -> [usize; 3] {
        [self.issuer_replicas, self.writer_replicas, self.scheduler_replicas]
    }

    /// The flags of the secret-writer.
    fn writer_args(&self) -> Vec<String> {
        self.with_interval_min(&self.writer_args)
    }

    /// The flags of the token-issuer.
    fn issuer_args(&self) -> Vec<String> {
        self.with_interval_min(&self.issuer_args)
    }

    /// Secret-writer and token-issuer guard against a storm (contract B12) by the shortest ordinary
    /// interval between two renewals, 30 % of the basis. A basis of seconds, for a demo or a test,
    /// is known to the scheduler alone, so the lab tells them too, unless the caller did.
    fn with_interval_min(&self, args: &[String]) -> Vec<String> {
        const FLAG: &str = "--renewal-interval-min";
        let mut args = args.to_vec();
        if !args.iter().any(|arg| arg.starts_with(FLAG))
            && let Some(basis) = self.renewal_basis()
        {
            let milliseconds = (basis.as_millis() * 3 / 10).max(1);
            args.push(format!("{FLAG}={milliseconds}ms"));
        }
        args
    }

    /// A basis under which their default, 3 minutes, would be too long.
    fn renewal_basis(&self) -> Option<Duration> {
        const FLAG: &str = "--renewal-basis";
        const DEFAULT_SUFFICES: Duration = Duration::from_secs(600);
        let args = &self.scheduler_args;
        let inline = args.iter().find_map(|arg| arg.strip_prefix(FLAG)?.strip_prefix('='));
        let apart = || {
            let flag = args.iter().position(|arg| arg == FLAG)?;
            args.get(flag + 1).map(String::as_str)
        };
        let basis = perennial_process::args::duration(inline.or_else(apart)?).ok()?;
        (basis < DEFAULT_SUFFICES).then_some(basis)
    }
}

/// A running lab. Every process of it ends when this is dropped, or with the runtime it was started
/// in; [`Lab::stop`] ends them in order.
///
/// Fields are dropped from top to bottom: callers before those they call, the folder last.
#[derive(Debug)]
pub struct Lab {
    services: Vec<Service>,
    proxied: Vec<Proxied>,
    shoots: Vec<Cluster>,
    seed: Cluster,
    etcd: Etcd,
    _ports: Ports,
    dir: LabDir,
    folder: Folder,
}

impl Lab {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// Something does not start or is not ready in time; with the last state. The folder with the
    /// logs stays, and its path is said on stderr.
    pub async fn start(options: Options) -> Result<Self> {
        anyhow::ensure!(options.shoots > 0, "a lab has at least one shoot");
        anyhow::ensure!(
            options.replicas().iter().all(|replicas| (1..=REPLICAS_MAX).contains(replicas)),
            "1 to {REPLICAS_MAX} replicas of each service"
        );
        anyhow::ensure!(options.proxied_shoots <= PROXIES_MAX, "at most {PROXIES_MAX} proxies");
        // First, because it is the likeliest thing to be missing and the cheapest to look for.
        let programs = options.start_services.then(|| repo::folder_with(&SERVICES)).transpose()?;
        let mut folder = Folder::new(options.keep_dir)?;
        let started = start::start(&options, programs.as_deref(), folder.0.path()).await;
        let started = started.inspect_err(|_| folder.keep())?;
        let start::Started { services, shoots, proxied, seed, etcd, ports, dir } = started;
        let mut lab = Self { services, proxied, shoots, seed, etcd, _ports: ports, dir, folder };
        if options.start_services {
            lab.wait_ready().await.inspect_err(|_| lab.folder.keep())?;
        }
        Ok(lab)
    }

    /// The API server with the Secrets.
    #[must_use]
    pub fn seed(&self) -> &Cluster {
        &self.seed
    }

    /// A shoot; the first is 1.
    ///
    /// # Panics
    /// There is no such shoot.
    #[must_use]
    pub fn shoot(&self, number: usize) -> &Cluster {
        &self.shoots[number - 1]
    }

    /// Takes notice of what [`crate::maker`] did to a shoot with an API server of its own.
    ///
    /// # Errors
    /// Its kubeconfig cannot be used.
    ///
    /// # Panics
    /// There is no such shoot.
    pub async fn reload_shoot(&mut self, number: usize) -> Result<()> {
        self.shoots[number - 1].reload().await
    }

    /// All shoots, the first first.
    #[must_use]
    pub fn shoots(&self) -> &[Cluster] {
        &self.shoots
    }

    /// The shoots behind proxies; their numbers go on after those of the real ones.
    #[must_use]
    pub fn proxied(&self) -> &[Proxied] {
        &self.proxied
    }

    /// A service by its name.
    ///
    /// # Panics
    /// There is no such service, or this lab was started without.
    #[must_use]
    pub fn service(&self, name: &str) -> &Service {
        let found = self.services.iter().find(|service| service.name() == name);
        found.expect("a service of SERVICES in a lab that was started with services")
    }

    /// A channel to a service with the certificate of `role`.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn channel(&self, role: &str, service: &str) -> Result<Channel> {
        let of = |file: &str| self.dir().certificates().join(file);
        let (certificate, key) = (of(&format!("{role}.crt")), of(&format!("{role}.key")));
        let tls = TlsStore::from_files(certificate, key, of("ca.crt"))?;
        let domain: TrustDomain = "cluster.local".parse()?;
        let addr = self.service(service).addr().to_string();
        Ok(client::connect(&addr, Expected::AnyOf(domain), &tls)?)
    }

    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    #[must_use]
    pub fn dir(&self) -> &LabDir {
        &self.dir
    }

    /// Leaves the folder behind when the lab ends, for a look at the logs.
    pub fn keep_dir(&mut self) {
        self.folder.keep();
    }

    /// The environment of COMMAND.
    ///
    /// # Errors
    /// A service is down.
    pub fn environment(&self) -> Result<Environment> {
        let shoots = self.shoots.iter().map(Cluster::kubeconfig);
        let kubeconfigs = shoots.chain(self.proxied.iter().map(Proxied::kubeconfig));
        let mut environment = environment::of_clusters(&self.seed, kubeconfigs, &self.dir);
        environment.extend(environment::of_operator(&self.dir));
        environment.extend(environment::of_services(&self.services)?);
        if !self.services.is_empty() {
            let path = environment::path(&repo::folder_with(&SERVICES)?)?;
            environment.insert("PATH".to_owned(), path);
        }
        Ok(environment)
    }

    /// Waits until every service is ready and the token-issuer has a token of its own in each shoot.
    ///
    /// # Errors
    /// Not within two minutes; with the last state and the end of the services' logs.
    pub async fn wait_ready(&self) -> Result<()> {
        let ends = |service: &Service| service.process().exits().count;
        let before: Vec<u32> = self.services.iter().map(ends).collect();
        let look = async || {
            self.give_up_on_a_hopeless_service(&before)?;
            let missing = self.unready().await?;
            Ok(if missing.is_empty() { Look::Done(()) } else { Look::Waiting(missing.join("; ")) })
        };
        let outcome = until("readiness of the lab", READY_MAX, look).await;
        let logs = || {
            let tail = |service: &Service| self.dir.log_tail(service.name());
            self.services.iter().map(tail).collect::<Vec<_>>().join("\n")
        };
        outcome.map_err(|error| anyhow!("{error:#}\n{}", logs()))
    }

    /// A wrong flag does not get better by trying: with it a service ends at once, every time.
    fn give_up_on_a_hopeless_service(&self, before: &[u32]) -> Result<()> {
        for (service, before) in self.services.iter().zip(before) {
            let exits = service.process().exits();
            let (name, last, ends) = (service.name(), &exits.last, exits.count - before);
            anyhow::ensure!(ends < EXITS_MAX, "{name} ends as soon as it starts: {last}");
        }
        Ok(())
    }

    async fn unready(&self) -> Result<Vec<String>> {
        let services = join_all(self.services.iter().map(Service::unready)).await;
        let mut missing: Vec<String> = services.into_iter().flatten().collect();
        let seed = self.seed.client();
        let shoots = 1..=self.shoots.len() + self.proxied.len();
        let stamps = shoots.map(|number| shoot::renew_timestamp(number, &seed));
        for (number, stamp) in (1..).zip(try_join_all(stamps).await?) {
            if stamp.is_none() {
                let namespace = shoot::namespace(number);
                missing
                    .push(format!("{namespace}/{} has no renew timestamp", shoot::ACCESS_SECRET));
            }
        }
        Ok(missing)
    }

    /// Ends the services in order, then the API servers at once: nothing of theirs is kept.
    ///
    /// # Errors
    /// A process does not end.
    pub async fn stop(self) -> Result<()> {
        try_join_all(self.services.iter().map(Service::stop)).await?;
        let clusters = self.shoots.iter().chain([&self.seed]);
        try_join_all(clusters.map(|cluster| cluster.process().discard())).await?;
        self.etcd.process().discard().await
    }
}

/// The folder of a lab, removed at the end unless somebody has a reason to look into it.
#[derive(Debug)]
struct Folder(TempDir);

impl Folder {
    fn new(keep: bool) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("perennial-lab-").disable_cleanup(keep).tempdir();
        Ok(Self(folder.context("failed to make a scratch folder")?))
    }

    fn keep(&mut self) {
        self.0.disable_cleanup(true);
        say(format!("logs and certificates are left in {}", self.0.path().display()));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed: its logs are the first thing one wants to see.
        if std::thread::panicking() {
            self.keep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With these flags for both, what both are told.
    fn told_args(scheduler: &[&str], both: &[&str]) -> Vec<String> {
        let owned =
            |args: &[&str]| -> Vec<_> { args.iter().map(|arg| (*arg).to_owned()).collect() };
        let options = Options {
            scheduler_args: owned(scheduler),
            writer_args: owned(both),
            issuer_args: owned(both),
            ..Options::default()
        };
        assert_eq!(options.writer_args(), options.issuer_args());
        options.writer_args()
    }

    #[test]
    fn a_short_renewal_basis_is_told_to_secret_writer_and_token_issuer_too() {
        let told = ["--renewal-interval-min=2400ms"];
        assert_eq!(told_args(&["--renewal-basis=8s"], &[]), told);
        assert_eq!(told_args(&["--renewal-basis", "8s"], &[]), told);
        assert!(told_args(&["--renewal-basis=24h"], &[]).is_empty());
        assert!(told_args(&[], &[]).is_empty());
        let own = ["--renewal-interval-min=1s"];
        assert_eq!(told_args(&["--renewal-basis=8s"], &own), own);
    }
}
