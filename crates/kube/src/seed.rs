//! The connection to the seed.

use std::path::{Path, PathBuf};

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{buffer::BufferLayer, retry::RetryLayer, util::MapResponseLayer};

use self::patience::Patience;
use crate::{error::Error, retry_after};

mod patience;

/// Calls that wait for their turn to be sent, as many as kube itself lets wait.
const CALLS_WAITING_MAX: usize = 1024;

/// Connects to the seed: with the kubeconfig at `path` where one is given, else with the
/// ServiceAccount of the Pod. Nothing is called yet. A `tokenFile` is read again by kube before its
/// content gets old.
///
/// # Errors
/// When the kubeconfig cannot be read or used, or when there is none and this is no Pod.
pub async fn connect(path: Option<&Path>) -> Result<Client, Error> {
    // KUBECONFIG="" means none, as for kubectl.
    let mut config = match path.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => from_file(path).await?,
        None => Config::incluster().map_err(|error| {
            unusable(&format!(
                "{error}; give --seed-kubeconfig or KUBECONFIG when this runs outside a Pod"
            ))
        })?,
    };
    config.default_retry = false; // kube's own would sleep through every limit of ours
    let builder = ClientBuilder::try_from(config).map_err(|error| unusable(&error.to_string()))?;
    let client = builder
        .with_layer(&BufferLayer::new(CALLS_WAITING_MAX)) // to be shared by retries
        .with_layer(&RetryLayer::new(Patience::new()))
        .with_layer(&MapResponseLayer::new(retry_after::keep));
    Ok(client.build())
}

async fn from_file(path: &Path) -> Result<Config, Error> {
    let about = |error: &dyn std::error::Error| {
        unusable(&format!(
            "kubeconfig {}: {}; correct --seed-kubeconfig or KUBECONFIG",
            path.display(),
            perennial_core::failure::chain(error)
        ))
    };
    let kubeconfig = Kubeconfig::read_from(PathBuf::from(path)).map_err(|error| about(&error))?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| about(&error))
}

fn unusable(problem: &str) -> Error {
    Error::Unusable { operation: "connect to the seed".to_owned(), problem: problem.to_owned() }
}
