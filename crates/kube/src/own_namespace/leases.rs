//! A Lease for each replica of the scheduler.
//!
//! A replica writes its own and reads all. Nobody compares times in them: that one was written again,
//! its version says.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use perennial_core::{
    failure::{Failure as _, Kind},
    membership::LIVE,
    name::ReplicaName,
};
use serde_json::json;

use super::{OwnNamespace, labels};
use crate::{call::bounded, error::Error};

/// What the name of each of them begins with.
const PREFIX: &str = "perennial-scheduler-";
/// The labels of [`labels`].
const SELECTOR: &str = "app.kubernetes.io/name=scheduler,app.kubernetes.io/part-of=perennial";
/// Most that are read: a hundred times what anybody needs.
const REPLICAS_MAX: u32 = 500;

impl OwnNamespace {
    /// Renews the Lease of a replica, and makes it where there is none.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn renew_lease(&self, replica: &ReplicaName, now: Timestamp) -> Result<(), Error> {
        let name = format!("{PREFIX}{replica}");
        let spec = json!({
            "holderIdentity": replica.as_str(),
            "leaseDurationSeconds": LIVE.as_secs(),
            "renewTime": format!("{now:.6}"),
        });
        let leases: Api<Lease> = self.api();
        let operation = format!("renew Lease {}/{name}", self.namespace);
        let patch = Patch::Merge(json!({"spec": spec}));
        let renewed =
            bounded(&operation, leases.patch(&name, &PatchParams::default(), &patch)).await;
        match renewed {
            Err(error) if error.kind() == Kind::NotFound => {
                let lease = json!({"metadata": {"name": name, "labels": labels()}, "spec": spec});
                let lease = serde_json::from_value(lease).expect("that is a Lease");
                let operation = format!("make Lease {}/{name}", self.namespace);
                let params = PostParams::default();
                bounded(&operation, leases.create(&params, &lease)).await.map(drop)
            }
            renewed => renewed.map(drop),
        }
    }

    /// The Leases of all replicas, each with its version.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn leases(&self) -> Result<Vec<(ReplicaName, String)>, Error> {
        let leases: Api<Lease> = self.api();
        let params = ListParams::default().labels(SELECTOR).limit(REPLICAS_MAX);
        let operation = format!("list Leases of {}", self.namespace);
        let list = bounded(&operation, leases.list(&params)).await?;
        let replica = |lease: &Lease| {
            let name = lease.name_any();
            let replica = name.strip_prefix(PREFIX)?.parse().ok()?;
            Some((replica, lease.resource_version().unwrap_or_default()))
        };
        Ok(list.items.iter().filter_map(replica).collect())
    }

    /// Deletes the Lease of a replica that is not there any more. It is no error where there is none.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn delete_lease(&self, replica: &ReplicaName) -> Result<(), Error> {
        let name = format!("{PREFIX}{replica}");
        let leases: Api<Lease> = self.api();
        let operation = format!("delete Lease {}/{name}", self.namespace);
        match bounded(&operation, leases.delete(&name, &DeleteParams::default())).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}
