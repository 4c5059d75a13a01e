//! The connection to the seed.

use std::path::{Path, PathBuf};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::error::Error;

/// Connects to the seed: with the kubeconfig at `path` where one is given, else with the
/// ServiceAccount of the Pod. Nothing is called yet. A `tokenFile` is read again by kube before its
/// content gets old.
///
/// # Errors
/// When the kubeconfig cannot be read or used, or when there is none and this is no Pod.
pub async fn connect(path: Option<&Path>) -> Result<Client, Error> {
    let config = match path {
        Some(path) => from_file(path).await?,
        None => Config::incluster().map_err(|error| {
            unusable(&format!(
                "{error}; give --seed-kubeconfig or KUBECONFIG when this runs outside a Pod"
            ))
        })?,
    };
    Client::try_from(config).map_err(|error| unusable(&error.to_string()))
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
