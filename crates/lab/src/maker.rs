//! Whoever made a shoot, at work on one that runs: its signing key, its serving CA, its address.
//!
//! Each change has two halves. The shoot changes, and whoever made it tells those who must know:
//! the kubeconfigs of the admin, and the two Secrets on the seed that the maker owns (contract,
//! section F). Perennial is told nothing else. The second half can be left out in part, as a maker
//! who was interrupted would ([`Tell`]).
//!
//! All of it acts on files of the lab, on processes by their name, and on the seed, so it works
//! from a process of its own. What a running [`crate::Lab`] holds of the shoot is read anew by
//! [`crate::Lab::reload_shoot`].

mod address;
mod authority;
mod key;
mod kubeconfigs;
mod pem;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use kube::Client;

pub use self::address::move_to_new_address;
pub use self::authority::rotate_ca;
pub use self::key::rotate_key;
use crate::apiserver::process_name;
use crate::dir::LabDir;
use crate::kubeconfig::Endpoint;
use crate::poll::Look;
use crate::process::control;
use crate::proxied;
use crate::proxy;

/// Which Secrets of the shoot say so when it has changed. The kubeconfigs of its admin always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Tell {
    /// shoot-access-token-issuer and shoot-bootstrap-token-issuer, where they are there
    #[default]
    All,
    /// The bootstrap Secret alone: the other one keeps what it says
    Bootstrap,
    /// None of them
    None,
}

/// A shoot with an API server of its own.
struct Real {
    number: usize,
    name: String,
    process: String,
}

impl Real {
    /// # Errors
    /// There is no such shoot, it is stopped, or it is one behind a proxy.
    fn find(number: usize, dir: &LabDir) -> Result<Self> {
        let name = proxied::name(number);
        ensure!(
            !proxy::control::exists(&name, dir),
            "shoot {number} is behind a proxy and shares the API server of shoot 1; act on shoot 1"
        );
        let process = process_name(&name);
        ensure!(dir.log(&process).exists(), "this lab has no shoot {number}");
        let running = control::pid(&process, dir)?.is_some();
        ensure!(running, "shoot {number} is stopped; start it first");
        Ok(Self { number, name, process })
    }

    /// The shoots that lead to its API server: itself, and before the first one all proxied ones.
    fn shared_by(&self, dir: &LabDir) -> Result<Vec<usize>> {
        let proxied = if self.number == 1 { proxy::control::all(dir)? } else { Vec::new() };
        let number = |name: &String| name.strip_prefix("shoot-")?.parse().ok();
        let mut all: Vec<usize> = proxied.iter().filter_map(number).collect();
        all.insert(0, self.number);
        Ok(all)
    }
}

/// Where the API server of this kubeconfig is, and a client with the credential in it.
pub(crate) async fn admin_access(kubeconfig: &Path) -> Result<(Endpoint, Client)> {
    let document = kubeconfigs::read(kubeconfig)?;
    let client = document.client().await?;
    Ok((document.endpoint, client))
}

/// The admin of the seed.
async fn seed(dir: &LabDir) -> Result<Client> {
    let document = kubeconfigs::read(&dir.kubeconfig("seed"))?;
    document.client().await.context("failed to reach the seed")
}

/// Whether an API server answers and all of it has begun.
async fn ready(client: &Client) -> Look<()> {
    let request = match ::http::Request::get("/readyz").body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return Look::Waiting(error.to_string()),
    };
    match client.request_text(request).await {
        Ok(_) => Look::Done(()),
        Err(error) => Look::Waiting(perennial_core::failure::chain(&error)),
    }
}
