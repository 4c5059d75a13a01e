//! Access Secrets of the seed: watched, read and written.
//!
//! Nothing of a Secret's `data` leaves this module: what comes in is reduced at once to a
//! [`Record`], and what goes out is one JSON Patch that succeeds only on the Secret that the
//! decision saw ([`Order`], contract B8).

pub(crate) mod operations;
mod order;
pub(crate) mod other_writer;
pub(crate) mod reduce;
mod repair;
mod watch;
mod write;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use perennial_core::{inputs::Interpretation, name::SecretRef, record::Record};

pub(crate) use self::watch::WATCH_SECONDS;
pub use self::{
    order::{CaOrder, NoteOrder, Order, Outcome, Put, WriteError},
    watch::Change,
};
use crate::{call::bounded, error::Error};

/// Our name in `metadata.managedFields`.
pub(crate) const FIELD_MANAGER: &str = "perennial-secret-writer";

/// The access Secrets of a seed. Clones share the connection.
#[derive(Clone)]
pub struct AccessSecrets {
    client: Client,
    interpretation: Arc<Interpretation>,
}

impl std::fmt::Debug for AccessSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessSecrets")
            .field("interpretation", &self.interpretation)
            .finish_non_exhaustive()
    }
}

impl AccessSecrets {
    /// Access Secrets, read as `interpretation` says. Nothing is called yet.
    #[must_use]
    pub fn new(client: Client, interpretation: Interpretation) -> Self {
        Self { client, interpretation: Arc::new(interpretation) }
    }

    /// One access Secret as the API server has it now; `None` where it is gone or not ours.
    ///
    /// # Errors
    /// When the API server does not give it.
    pub async fn get(&self, secret: &SecretRef) -> Result<Option<Seen>, Error> {
        let found = self.read(secret).await?;
        Ok(found.and_then(|object| reduce::reduce(&object, &self.interpretation)))
    }

    async fn read(&self, secret: &SecretRef) -> Result<Option<Secret>, Error> {
        let api = self.in_namespace_of(secret);
        bounded(&format!("read Secret {secret}"), api.get_opt(secret.name.as_str())).await
    }

    fn in_namespace_of(&self, secret: &SecretRef) -> Api<Secret> {
        Api::namespaced(self.client.clone(), secret.namespace.as_str())
    }
}

/// An access Secret as it was seen at one resourceVersion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it says.
    pub record: Record,
    /// Which version of it.
    pub resource_version: ResourceVersion,
    /// Which keys of `data` a patch finds.
    pub layout: Layout,
    /// The last token issued for it is not known to stand in it. No Secret says that: whoever
    /// keeps records notes it.
    pub in_vain: bool,
}

/// What a patch without a fresh look must know of `data`: a JSON Patch cannot add below an object
/// that is not there, nor remove what is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// `data` exists.
    pub data: bool,
    /// `data["bundle.crt"]` exists.
    pub bundle: bool,
}

/// `metadata.resourceVersion`. From Kubernetes 1.35 on it is by contract a decimal number that
/// grows over all objects of one kind; every API server on etcd before that did the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceVersion(String);

impl ResourceVersion {
    /// A version as an API server wrote it.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether this is surely from before `other`. Versions that are no numbers never are, so what
    /// comes later counts as newer.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        let number = |version: &Self| version.0.parse::<u128>().ok();
        number(self).zip(number(other)).is_some_and(|(this, other)| this < other)
    }

    /// As the API server wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_versions_compare_as_numbers() {
        let older = |this: &str, other: &str| {
            let version = |text: &str| ResourceVersion::new(text.to_owned());
            version(this).is_older_than(&version(other))
        };
        assert!(older("9", "10"));
        assert!(!older("10", "9"));
        assert!(!older("10", "10"));
        assert!(!older("a", "b") && !older("b", "a"), "no numbers, no order");
    }
}
