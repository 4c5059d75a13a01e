//! Brings a ServiceAccount to what an access Secret asks for (contract, B2).
//!
//! Server-side apply, forced, under a name of our own: what we set is ours field by field, what
//! others set stays. One that is missing is made by the same call, so that its labels are ours from
//! the first moment.

use std::collections::BTreeMap;

use http::StatusCode;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Resource as _,
    api::{Patch, PatchParams},
    core::Request,
};
use perennial_core::name::AccountRef;
use serde_json::json;

use super::{FIELD_MANAGER, ShootClient, ownership, send::send};
use crate::error::Error;

impl ShootClient {
    /// Brings a ServiceAccount to these labels and to no token mounted into Pods; labels of others
    /// stay. One that is missing is made: says whether it was.
    ///
    /// One call; three where labels that the reference wrote, and that nobody wants any more, are to
    /// be taken away.
    ///
    /// # Errors
    /// Those of the calls; 404 means that the namespace is missing.
    pub async fn apply_account(
        &self,
        account: &AccountRef,
        labels: &BTreeMap<String, String>,
    ) -> Result<bool, Error> {
        let (made, object) = self.apply_once(account, labels).await?;
        let Some(patch) = ownership::take_over(&object.metadata, labels) else { return Ok(made) };
        let operation = format!("take over the labels of ServiceAccount {account}");
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = serde_json::from_value(patch).expect("operations of ours are a JSON Patch");
        self.patch_account(&operation, account, &params, &Patch::<()>::Json(patch)).await?;
        self.apply_once(account, labels).await?;
        Ok(made)
    }

    async fn apply_once(
        &self,
        account: &AccountRef,
        labels: &BTreeMap<String, String>,
    ) -> Result<(bool, ServiceAccount), Error> {
        let operation = format!("apply ServiceAccount {account}");
        let body = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account.name.as_str(), "labels": labels},
            "automountServiceAccountToken": false,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&body);
        let (status, object) = self.patch_account(&operation, account, &params, &patch).await?;
        Ok((status == StatusCode::CREATED, object))
    }

    /// As `Api::patch`, but with the HTTP status, which alone tells whether an apply made it.
    async fn patch_account<P: serde::Serialize + std::fmt::Debug>(
        &self,
        operation: &str,
        account: &AccountRef,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> Result<(StatusCode, ServiceAccount), Error> {
        let path = ServiceAccount::url_path(&(), Some(account.namespace.as_str()));
        let request = Request::new(path).patch(account.name.as_str(), params, patch);
        let request = request.map_err(kube::Error::BuildRequest);
        let (parts, body) = send(&self.client, operation, request).await?;
        let object = serde_json::from_slice(&body).map_err(|_| Error::Nonsense {
            operation: operation.to_owned(),
            problem: "the answer is no ServiceAccount".to_owned(),
        })?;
        Ok((parts.status, object))
    }
}
