//! One etcd for all API servers of a lab.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::dir::LabDir;
use crate::http;
use crate::poll::{Look, until};
use crate::ports::Ports;
use crate::process::{Process, Spec};

/// It is there within a second; this is for a machine that is very busy.
const READY_MAX: Duration = Duration::from_secs(60);

/// A running etcd, ended when dropped.
#[derive(Debug)]
pub struct Etcd {
    clients: SocketAddr,
    process: Process,
}

impl Etcd {
    /// Starts etcd and waits until it is healthy.
    ///
    /// # Errors
    /// It ends or is not healthy within a minute; with the end of its log.
    pub async fn start(program: &Path, ports: &mut Ports, dir: &LabDir) -> Result<Self> {
        let (clients, peers) = (ports.take()?, ports.take()?);
        let args = vec![
            format!("--data-dir={}", dir.etcd_data().display()),
            format!("--listen-client-urls=http://{clients}"),
            format!("--advertise-client-urls=http://{clients}"),
            format!("--listen-peer-urls=http://{peers}"),
            format!("--initial-advertise-peer-urls=http://{peers}"),
            format!("--initial-cluster=default=http://{peers}"),
            // Nothing here outlives the lab, so nothing has to survive a power cut.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let spec = Spec { name: "etcd".to_owned(), program: program.to_owned(), args };
        let process = Process::keep_running(spec, dir);
        wait_healthy(clients, &process, dir).await?;
        Ok(Self { clients, process })
    }

    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// For `--etcd-servers`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.clients)
    }
}

async fn wait_healthy(clients: SocketAddr, process: &Process, dir: &LabDir) -> Result<()> {
    let look = async || {
        let exits = process.exits();
        anyhow::ensure!(exits.count == 0, "etcd ended: {}; {}", exits.last, dir.log_tail("etcd"));
        Ok(match http::get("/health", clients).await {
            Ok((200, _)) => Look::Done(()),
            Ok((status, body)) => Look::Waiting(format!("{status} {body}")),
            Err(error) => Look::Waiting(format!("{error:#}; {}", dir.log_tail("etcd"))),
        })
    };
    until("health of etcd", READY_MAX, look).await
}
