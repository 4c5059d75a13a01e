//! What the maker of a shoot does on the seed: a namespace and the two Secrets of CONTRACT F.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use perennial_core::keys;

use crate::access_secret;
use crate::cluster::Cluster;
use crate::kubeconfig::{Credential, Endpoint};

/// The token-issuer's own access Secret.
pub const ACCESS_SECRET: &str = "shoot-access-token-issuer";

/// The credential it begins with.
pub const BOOTSTRAP_SECRET: &str = "shoot-bootstrap-token-issuer";

/// The user of the bootstrap credential, bound in `deploy/shoot`.
pub const BOOTSTRAP_USER: &str = "perennial:bootstrap";

/// Life of the bootstrap credential: enough for a start on a busy machine, and no more.
pub const BOOTSTRAP_LIFE: Duration = Duration::from_secs(5 * 60);

/// The namespace of shoot `number`, which counts from 1.
#[must_use]
pub fn namespace(number: usize) -> String {
    format!("shoot--lab--{number}")
}

/// Makes the shoot known on the seed, reached at `endpoint`, which may lead through a proxy.
///
/// # Errors
/// The seed refuses, or the shoot is known already.
pub async fn register(
    number: usize,
    endpoint: &Endpoint,
    shoot: &Cluster,
    seed: &Client,
) -> Result<()> {
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
    for secret in [bootstrap(&namespace, endpoint, shoot)?, access_secret(&namespace, endpoint)] {
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .with_context(|| format!("failed to make {:?} in {namespace}", secret.metadata.name))?;
    }
    Ok(())
}

fn access_secret(namespace: &str, endpoint: &Endpoint) -> Secret {
    let kubeconfig = endpoint.kubeconfig(namespace, &Credential::None);
    // 30 days, so that the system survives four weeks without Perennial.
    let lifetime = (keys::TOKEN_LIFETIME, "720h");
    let secret = access_secret::build(ACCESS_SECRET, "perennial-token-issuer", &[lifetime]);
    Secret { string_data: kubeconfig_data(kubeconfig), ..secret }
}

/// A new bootstrap credential: valid for [`BOOTSTRAP_LIFE`] from now.
///
/// # Errors
/// No key could be made.
pub fn bootstrap_secret(namespace: &str, shoot: &Cluster) -> Result<Secret> {
    bootstrap(namespace, shoot.endpoint(), shoot)
}

fn bootstrap(namespace: &str, endpoint: &Endpoint, shoot: &Cluster) -> Result<Secret> {
    let pair = shoot.client_certificate(BOOTSTRAP_USER, BOOTSTRAP_LIFE)?;
    let kubeconfig = endpoint.kubeconfig(namespace, &Credential::Certificate(&pair));
    Ok(kubeconfig_secret(BOOTSTRAP_SECRET, kubeconfig))
}

fn kubeconfig_secret(name: &str, kubeconfig: String) -> Secret {
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        string_data: kubeconfig_data(kubeconfig),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

fn kubeconfig_data(document: String) -> Option<BTreeMap<String, String>> {
    Some(BTreeMap::from([(keys::DATA_KUBECONFIG.to_owned(), document)]))
}

/// Whether the token-issuer has a token of its own in this shoot: the renew timestamp, once written.
///
/// # Errors
/// The seed does not answer.
pub async fn renew_timestamp(number: usize, seed: &Client) -> Result<Option<String>> {
    let secrets: Api<Secret> = Api::namespaced(seed.clone(), &namespace(number));
    let secret = secrets.get_opt(ACCESS_SECRET).await?;
    Ok(secret.and_then(|secret| secret.metadata.annotations?.remove(keys::RENEW_TIMESTAMP)))
}
