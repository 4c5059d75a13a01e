//! What whoever makes a shoot control plane does: one access Secret for each component.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use perennial_core::keys;

use super::ledger::Key;

use crate::shoot;

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
    let of = |number: usize| {
        COMPONENTS.map(|name| (shoot::namespace(number), format!("shoot-access-{name}")))
    };
    SHOOTS.into_iter().flat_map(of).collect()
}

/// Makes the access Secrets of a shoot, all without a token.
pub(super) async fn create(number: usize, seed: &Client) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(seed.clone(), &shoot::namespace(number));
    for component in COMPONENTS {
        secrets
            .create(&PostParams::default(), &access_secret(component))
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

fn access_secret(component: &str) -> Secret {
    let texts = |pairs: [(&str, &str); 2]| -> BTreeMap<String, String> {
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    };
    Secret {
        metadata: ObjectMeta {
            name: Some(format!("shoot-access-{component}")),
            labels: Some(texts([
                (keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR),
                (keys::CLASS, keys::CLASS_SHOOT),
            ])),
            annotations: Some(texts([
                (keys::ACCOUNT_NAME, component),
                (keys::ACCOUNT_NAMESPACE, "kube-system"),
            ])),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}
