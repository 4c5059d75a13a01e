//! The generic kubeconfigs of the seed (contract, section E): watched, read and written.
//!
//! Of a Secret only who it is and a hash of its one key are kept ([`Generic`]). A write is one JSON
//! Patch that changes that key and nothing else, and succeeds only where uid, label and key are as
//! they were read a moment before. An access Secret is never one of these, whatever its labels say:
//! what stands in it is a credential of somebody.

mod watch;
mod write;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use perennial_core::{
    keys,
    name::SecretRef,
    record::{Obstacle, OtherWriter},
};
use sha2::{Digest as _, Sha256};

pub use self::{watch::Change, write::Outcome};
use crate::access::{
    ResourceVersion,
    other_writer::other_writer_of,
    reduce::{data, resource_version, secret_ref},
};

/// The generic kubeconfigs of a seed. Clones share the connection.
#[derive(Clone)]
pub struct GenericKubeconfigs {
    client: Client,
}

impl std::fmt::Debug for GenericKubeconfigs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GenericKubeconfigs").finish_non_exhaustive()
    }
}

impl GenericKubeconfigs {
    /// Those of this seed. Nothing is called yet.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    fn in_namespace_of(&self, secret: &SecretRef) -> Api<Secret> {
        Api::namespaced(self.client.clone(), secret.namespace.as_str())
    }
}

/// A Secret for a generic kubeconfig, as it was seen at one resourceVersion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generic {
    /// Which Secret.
    pub secret: SecretRef,
    /// `metadata.uid`
    pub uid: String,
    /// Which version of it.
    pub resource_version: ResourceVersion,
    /// What stands in its data key; `None` where that is not there.
    pub held: Option<Content>,
    /// What keeps it from being written.
    pub obstacle: Option<Obstacle>,
    /// Who else was the last to write the key.
    pub other_writer: Option<OtherWriter>,
}

impl Generic {
    /// Reduces a Secret; `None` where it is none of these.
    fn of(object: &Secret) -> Option<Self> {
        let label = |key: &str| object.metadata.labels.as_ref()?.get(key).map(String::as_str);
        let is_generic = label(keys::GENERIC) == Some(keys::GENERIC_KUBECONFIG);
        let is_access = label(keys::PURPOSE) == Some(keys::PURPOSE_TOKEN_REQUESTOR);
        if !is_generic || is_access {
            return None;
        }
        let terminating = object.metadata.deletion_timestamp.is_some();
        Some(Self {
            secret: secret_ref(object)?,
            uid: object.metadata.uid.clone().unwrap_or_default(),
            resource_version: resource_version(object),
            held: data(object, keys::DATA_GENERIC).map(Content::of),
            obstacle: match (terminating, object.immutable.unwrap_or(false)) {
                (true, _) => Some(Obstacle::Terminating),
                (false, true) => Some(Obstacle::Immutable),
                (false, false) => None,
            },
            other_writer: other_writer_of(object, keys::DATA_GENERIC),
        })
    }
}

/// SHA-256 of what stands in the data key: somebody may have put a credential there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content([u8; 32]);

impl Content {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}
