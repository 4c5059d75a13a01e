//! A shoot without an API server of its own: a namespace on the seed whose kubeconfig leads through
//! a proxy to the first shoot.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apiserver::client_leaf;
use crate::cluster::Cluster;
use crate::dir::{LabDir, write_private};
use crate::kubeconfig::{Credential, Endpoint};
use crate::ports::Ports;
use crate::proxy::{Mode, Proxy, address, allow_many_descriptors};

/// A name in the certificates of all API servers; the addresses of proxies are not among theirs.
const SERVER_NAME: &str = "localhost";

/// A proxied shoot, gone when dropped.
#[derive(Debug)]
pub struct Proxied {
    number: usize,
    endpoint: Endpoint,
    kubeconfig: PathBuf,
    proxy: Proxy,
}

impl Proxied {
    /// Its number, which goes on after those of the real shoots.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Address and CA.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Kubeconfig of an admin, through the proxy.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Has its proxy pass on, delay, swallow or cut; back when it does.
    ///
    /// # Errors
    /// The folder of the lab is gone.
    pub async fn set(&self, mode: Mode) -> Result<()> {
        self.proxy.set(mode).await
    }
}

/// The name of a proxied shoot, of its proxy and of its kubeconfig.
#[must_use]
pub fn name(number: usize) -> String {
    format!("shoot-{number}")
}

/// Starts `count` proxies in front of a shoot; the first has the number `first`.
///
/// # Errors
/// An address is taken, or no key could be made.
pub fn start(
    count: usize,
    first: usize,
    shoot: &Cluster,
    ports: &mut Ports,
    dir: &LabDir,
) -> Result<Vec<Proxied>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    allow_many_descriptors()?;
    let target = shoot.url().strip_prefix("https://").context("an API server has https")?;
    let target = target.parse().context("an API server has an IP address and a port")?;
    let port = ports.take()?.port();
    let admin = shoot.clients.issue(client_leaf("perennial-lab", Some("system:masters")))?;
    let start = |index| {
        let name = name(first + index);
        let proxy = Proxy::start(name.clone(), address(index, port), target, dir)?;
        let tls_server_name = Some(SERVER_NAME.to_owned());
        let endpoint = Endpoint { url: proxy.url(), tls_server_name, ..shoot.endpoint().clone() };
        let kubeconfig = dir.kubeconfig(&name);
        let text = endpoint.kubeconfig(&name, &Credential::Certificate(&admin));
        write_private(&kubeconfig, &text)?;
        Ok(Proxied { number: first + index, endpoint, kubeconfig, proxy })
    };
    (0..count).map(start).collect()
}
