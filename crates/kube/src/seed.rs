//! The connection to the seed.

use std::path::Path;

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, NamedCluster},
};
use perennial_core::failure;
use tower::{buffer::BufferLayer, retry::RetryLayer, util::MapResponseLayer};

pub use self::error::SeedError;
use self::patience::Patience;
use crate::retry_after;

mod error;
mod patience;

/// Calls that wait for their turn to be sent, as many as kube itself lets wait.
const CALLS_WAITING_MAX: usize = 1024;

/// Connects to the seed: with the kubeconfig at `path` where one is given, else with the
/// ServiceAccount of the Pod. Nothing is called yet. A `tokenFile` is read again by kube before its
/// content gets old.
///
/// # Errors
/// When the kubeconfig cannot be read or used, or when there is none and this is no Pod.
pub async fn connect(path: Option<&Path>) -> Result<Client, SeedError> {
    // KUBECONFIG="" means none, as for kubectl.
    let path = path.filter(|path| !path.as_os_str().is_empty());
    let mut config = match path {
        Some(path) => from_file(path).await?,
        None => Config::incluster().map_err(|error| SeedError::NoPod(failure::chain(&error)))?,
    };
    config.default_retry = false; // kube's own would sleep through every limit of ours
    let builder = ClientBuilder::try_from(config).map_err(|error| match path {
        Some(path) => SeedError::using(path, &error),
        None => SeedError::NoPod(failure::chain(&error)),
    })?;
    let client = builder
        .with_layer(&BufferLayer::new(CALLS_WAITING_MAX)) // to be shared by retries
        .with_layer(&RetryLayer::new(Patience::new()))
        .with_layer(&MapResponseLayer::new(retry_after::keep));
    Ok(client.build())
}

async fn from_file(path: &Path) -> Result<Config, SeedError> {
    let kubeconfig =
        Kubeconfig::read_from(path).map_err(|error| SeedError::reading(path, &error))?;
    let says_proxy = |named: &NamedCluster| {
        named.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.is_some())
    };
    let says_proxy = kubeconfig.clusters.iter().any(says_proxy);
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| SeedError::using(path, &error))?;
    if !says_proxy {
        config.proxy_url = None; // of the environment: no API server of ours is behind one
    }
    Ok(config)
}
