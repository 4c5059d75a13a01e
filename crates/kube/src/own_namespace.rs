//! What the scheduler keeps on the seed, in the namespace of the services and nowhere else.
//!
//! That is the stop switch, the pauses of shoots and the campaigns, a ConfigMap by name each, followed as
//! [`Change`]s, and a Lease for each replica. No Secret is read here, and a Role that names those ConfigMaps alone is enough, for
//! making them too: they are made by server-side apply, where the API server knows the name when it
//! asks whether we may create. One watch for both would take a list of all ConfigMaps.

mod campaigns;
mod keys;
mod leases;
mod pauses;
mod stop;
mod watch;

use kube::{Api, Client};
use perennial_core::name::Namespace;
use serde_json::json;

pub use self::{pauses::Made, watch::Change};

/// Our name in `metadata.managedFields`.
const FIELD_MANAGER: &str = "perennial-scheduler";

/// Labels of whatever is kept.
fn labels() -> serde_json::Value {
    json!({"app.kubernetes.io/name": "scheduler", "app.kubernetes.io/part-of": "perennial"})
}

/// The namespace of the services on the seed. Clones share the connection.
#[derive(Clone)]
pub struct OwnNamespace {
    client: Client,
    namespace: Namespace,
}

impl std::fmt::Debug for OwnNamespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnNamespace").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl OwnNamespace {
    /// This namespace of the seed. Nothing is called yet.
    #[must_use]
    pub const fn new(client: Client, namespace: Namespace) -> Self {
        Self { client, namespace }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), self.namespace.as_str())
    }
}
