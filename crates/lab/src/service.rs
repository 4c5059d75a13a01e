//! The three services, each as a process of its own with an identity of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::cluster::Cluster;
use crate::dir::{LabDir, write_private};
use crate::http;
use crate::kubeconfig::Credential;
use crate::poll::{Look, until};
use crate::ports::Ports;
use crate::process::{Process, Spec, control};

/// Their names: of the binary, the ServiceAccount, the certificate, the log.
pub const SERVICES: [&str; 3] = ["token-issuer", "secret-writer", "scheduler"];

/// Most replicas of a service. The first has the name of the service, the others are `scheduler-2` and so on; all
/// have one identity.
pub const REPLICAS_MAX: usize = 9;

/// The name of a replica of a service; the first is 1.
#[must_use]
pub fn replica(service: &str, number: usize) -> String {
    match number {
        1 => service.to_owned(),
        _ => format!("{service}-{number}"),
    }
}

/// Namespace of their ServiceAccounts.
pub const NAMESPACE: &str = "perennial-system";

/// The audience the lab asks for at its shoots.
pub const AUDIENCE: &str = "gardener";

/// Longest wait for readiness: of the whole lab at its start, of one service after a restart.
pub const READY_MAX: Duration = Duration::from_secs(120);

/// Life of a service's token for the seed: asked once, so that counts stay clean.
const SEED_TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Where a service listens. Chosen once and kept over restarts.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub grpc: SocketAddr,
    pub admin: SocketAddr,
}

impl Addresses {
    /// # Errors
    /// No port is free.
    pub fn take(ports: &mut Ports) -> Result<Self> {
        Ok(Self { grpc: ports.take()?, admin: ports.take()? })
    }
}

/// A service that is kept running, ended when dropped.
#[derive(Debug)]
pub struct Service {
    name: String,
    addresses: Addresses,
    process: Process,
    dir: LabDir,
}

impl Service {
    /// Starts the program as a service of that name; does not wait until it is ready.
    #[must_use]
    pub fn launch(
        (name, program): (&str, &str),
        args: Vec<String>,
        addresses: Addresses,
        place: Place<'_>,
    ) -> Self {
        let program = place.programs.join(program);
        let spec = Spec { name: name.to_owned(), program, args };
        let process = Process::keep_running(spec, place.dir);
        Self { name: name.to_owned(), addresses, process, dir: place.dir.clone() }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Address of its gRPC server.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addresses.grpc
    }

    /// URL of its `/metrics`.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.addresses.admin)
    }

    /// The text of its `/metrics`.
    ///
    /// # Errors
    /// It does not answer with 200.
    pub async fn metrics(&self) -> Result<String> {
        let (status, body) = http::get("/metrics", self.addresses.admin).await?;
        anyhow::ensure!(status == 200, "{}: /metrics answers {status} {body}", self.name);
        Ok(body)
    }

    /// The current process id; none while it is down.
    ///
    /// # Errors
    /// The pid file is damaged.
    pub fn pid(&self) -> Result<Option<i32>> {
        self.process.pid()
    }

    /// How often it ended, and how.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it in order and waits until its successor is ready.
    ///
    /// # Errors
    /// It does not become ready; with the last state.
    pub async fn restart(&self) -> Result<()> {
        self.process.restart().await?;
        self.wait_ready().await
    }

    /// Kills it with SIGKILL; the lab starts it again. Returns the pid it had.
    ///
    /// # Errors
    /// It is down.
    pub fn kill(&self) -> Result<i32> {
        self.process.kill()
    }

    /// Kills it with SIGKILL and waits until its successor is ready.
    ///
    /// # Errors
    /// It is down, or no successor becomes ready; with the last state.
    pub async fn kill_and_wait(&self) -> Result<()> {
        let old = self.kill()?;
        control::wait_for_successor(old, &self.name, READY_MAX, &self.dir).await?;
        self.wait_ready().await
    }

    /// Ends it in order and keeps it down.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(&self) -> Result<()> {
        self.process.stop().await
    }

    /// Starts it again and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready; with the last state.
    pub async fn start(&self) -> Result<()> {
        self.process.start().await?;
        self.wait_ready().await
    }

    /// Waits until `/readyz` is 200. After [`Self::kill`] wait for another [`Self::pid`] first.
    ///
    /// # Errors
    /// Not within two minutes; with the last state and the end of its log.
    pub async fn wait_ready(&self) -> Result<()> {
        let look = async || Ok(self.unready().await.map_or(Look::Done(()), Look::Waiting));
        let outcome = until(&format!("readiness of {}", self.name), READY_MAX, look).await;
        outcome.map_err(|error| anyhow!("{error:#}\n{}", self.dir.log_tail(&self.name)))
    }

    /// Why it is not ready; none if it is.
    pub async fn unready(&self) -> Option<String> {
        let answer = match http::get("/readyz", self.addresses.admin).await {
            Ok((200, _)) => return None,
            Ok((status, body)) => format!("/readyz answers {status} {}", body.trim()),
            Err(error) => format!("{error:#}"),
        };
        let exits = self.process.exits();
        Some(match exits.count {
            0 => format!("{}: {answer}", self.name),
            count => format!("{}: {answer}; ended {count} times, last {}", self.name, exits.last),
        })
    }
}

/// Where services are started.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Folder of the three programs.
    pub programs: &'a Path,
    pub dir: &'a LabDir,
}

/// The flags that all three share.
#[must_use]
pub fn common_args(name: &str, addresses: Addresses, dir: &LabDir) -> Vec<String> {
    vec![
        format!("--listen-addr={}", addresses.grpc),
        format!("--admin-addr={}", addresses.admin),
        format!("--tls-dir={}", dir.tls(name).display()),
        "--log-format=text".to_owned(),
    ]
}

/// Writes the kubeconfig of the seed for a service, with a token of its own ServiceAccount, and
/// returns the flag that names it.
///
/// # Errors
/// The seed has no such ServiceAccount: `deploy/seed` is not applied.
pub async fn seed_access(name: &str, seed: &Cluster, dir: &LabDir) -> Result<String> {
    let token = seed.token(NAMESPACE, name, SEED_TOKEN_LIFE).await?;
    let token_file = dir.token(name);
    write_private(&token_file, &token)?;
    let kubeconfig = dir.kubeconfig(name);
    let text = seed.endpoint().kubeconfig(name, &Credential::TokenFile(&token_file));
    write_private(&kubeconfig, &text)?;
    Ok(format!("--seed-kubeconfig={}", kubeconfig.display()))
}
