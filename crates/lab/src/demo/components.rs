//! What whoever makes a shoot control plane does: one access Secret for each component.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};

use super::ledger::Key;
use crate::{access_secret, shoot};

/// The usual ones of a Gardener control plane.
pub(super) const COMPONENTS: [&str; 5] = [
    "kube-controller-manager",
    "kube-scheduler",
    "cluster-autoscaler",
    "machine-controller-manager",
    "gardener-resource-manager",
];

/// The numbers of the shoots.
pub(super) const SHOOTS: [usize; 2] = [1, 2];

/// The Secrets of the components.
pub(super) fn access_secrets() -> Vec<Key> {
    let of = |number: usize| COMPONENTS.map(|name| (shoot::namespace(number), secret_name(name)));
    SHOOTS.into_iter().flat_map(of).collect()
}

fn secret_name(component: &str) -> String {
    format!("shoot-access-{component}")
}

/// Makes the access Secrets of a shoot, all without a token.
pub(super) async fn create(number: usize, seed: &Client) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(seed.clone(), &shoot::namespace(number));
    for component in COMPONENTS {
        let secret = access_secret::build(&secret_name(component), component, &[]);
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .with_context(|| format!("failed to make the access Secret of {component}"))?;
    }
    Ok(())
}

/// Removes the bootstrap credential, as its maker does once the own one is proved.
pub(super) async fn remove_bootstrap(number: usize, seed: &Client) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(seed.clone(), &shoot::namespace(number));
    secrets
        .delete(shoot::BOOTSTRAP_SECRET, &DeleteParams::default())
        .await
        .context("failed to remove a bootstrap Secret")?;
    Ok(())
}
