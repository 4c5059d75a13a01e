//! What the maker of a shoot does on the seed: a namespace and the two Secrets of CONTRACT F.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::cluster::Cluster;
use crate::kubeconfig::Credential;

/// The token-issuer's own access Secret.
pub const ACCESS_SECRET: &str = "shoot-access-token-issuer";

/// The credential it begins with.
pub const BOOTSTRAP_SECRET: &str = "shoot-bootstrap-token-issuer";

/// Written by Perennial with a token; on [`ACCESS_SECRET`] it means that the token works.
pub const RENEW_TIMESTAMP: &str = "serviceaccount.resources.gardener.cloud/token-renew-timestamp";

/// The user of the bootstrap credential, bound in `deploy/shoot`.
pub const BOOTSTRAP_USER: &str = "perennial:bootstrap";

/// Life of the bootstrap credential: enough for a start on a busy machine, and no more.
pub const BOOTSTRAP_LIFE: Duration = Duration::from_secs(5 * 60);

const KEY_PREFIX: &str = "serviceaccount.resources.gardener.cloud";

/// The namespace of shoot `number`, which counts from 1.
#[must_use]
pub fn namespace(number: usize) -> String {
    format!("shoot--lab--{number}")
}

/// Makes the shoot known on the seed.
///
/// # Errors
/// The seed refuses, or the shoot is known already.
pub async fn register(number: usize, shoot: &Cluster, seed: &Client) -> Result<()> {
    let namespace = namespace(number);
    let object = Namespace {
        metadata: ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    let namespaces: Api<Namespace> = Api::all(seed.clone());
    namespaces
        .create(&PostParams::default(), &object)
        .await
        .with_context(|| format!("failed to make the namespace {namespace}"))?;
    let secrets: Api<Secret> = Api::namespaced(seed.clone(), &namespace);
    // The access Secret comes last: with it the shoot is known, and all that it needs is there.
    for secret in [bootstrap_secret(&namespace, shoot)?, access_secret(&namespace, shoot)] {
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .with_context(|| format!("failed to make {:?} in {namespace}", secret.metadata.name))?;
    }
    Ok(())
}

fn access_secret(namespace: &str, shoot: &Cluster) -> Secret {
    let kubeconfig = shoot.endpoint().kubeconfig(namespace, &Credential::None);
    let mut secret = kubeconfig_secret(ACCESS_SECRET, kubeconfig);
    secret.metadata.labels = Some(texts([
        ("resources.gardener.cloud/purpose".to_owned(), "token-requestor"),
        ("resources.gardener.cloud/class".to_owned(), "shoot"),
    ]));
    secret.metadata.annotations = Some(texts([
        (format!("{KEY_PREFIX}/name"), "perennial-token-issuer"),
        (format!("{KEY_PREFIX}/namespace"), "kube-system"),
        // 30 days, so that the system survives four weeks without Perennial.
        (format!("{KEY_PREFIX}/token-expiration-duration"), "720h"),
    ]));
    secret
}

/// A new bootstrap credential: valid for [`BOOTSTRAP_LIFE`] from now.
///
/// # Errors
/// No key could be made.
pub fn bootstrap_secret(namespace: &str, shoot: &Cluster) -> Result<Secret> {
    let pair = shoot.client_certificate(BOOTSTRAP_USER, BOOTSTRAP_LIFE)?;
    let kubeconfig = shoot.endpoint().kubeconfig(namespace, &Credential::Certificate(&pair));
    Ok(kubeconfig_secret(BOOTSTRAP_SECRET, kubeconfig))
}

fn kubeconfig_secret(name: &str, kubeconfig: String) -> Secret {
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        string_data: Some(BTreeMap::from([("kubeconfig".to_owned(), kubeconfig)])),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

fn texts<const N: usize>(pairs: [(String, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key, value.to_owned())).collect()
}

/// Whether the token-issuer has a token of its own in this shoot: the renew timestamp, once written.
///
/// # Errors
/// The seed does not answer.
pub async fn renew_timestamp(number: usize, seed: &Client) -> Result<Option<String>> {
    let secrets: Api<Secret> = Api::namespaced(seed.clone(), &namespace(number));
    let secret = secrets.get_opt(ACCESS_SECRET).await?;
    Ok(secret.and_then(|secret| secret.metadata.annotations?.remove(RENEW_TIMESTAMP)))
}
