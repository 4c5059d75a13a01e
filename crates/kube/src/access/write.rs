//! The write: token, timestamp and note in one patch, only on the Secret that the decision saw
//! (contract B8).
//!
//! ```text
//! token mode ──► patch if it is the very version seen ──► written
//!                     │ no longer that version
//! kubeconfig ──► read ◄──────────────────────┐
//!                 ├─ another decision's Secret ──► changed, nothing written
//!                 └─ only unrelated edits ──► patch if the content is the one read ──► written
//! ```
//!
//! A failed test comes back as 422 without saying that a test failed. So nobody reads the message:
//! a refused patch whose Secret is still at the version it was made for was refused for another
//! reason, and that is the error.

use k8s_openapi::api::core::v1::Secret;
use kube::api::PatchParams;
use perennial_core::name::SecretRef;

use super::{
    AccessSecrets, FIELD_MANAGER, ResourceVersion, operations,
    order::{Order, Outcome, Put, WriteError},
    reduce::{reduce, resource_version},
    repair::is_still,
};
use crate::{
    call::bounded,
    error::Error,
    json_patch::{self, Operation},
};

/// Looks at a Secret that others keep changing. Between look and patch lie milliseconds; whoever
/// hits that gap five times in a row writes the parts that matter without pause.
pub(super) const ROUNDS_MAX: usize = 5;

/// A patch that was refused, perhaps by one of its tests, and the version it was made for.
struct Refusal {
    made_for: ResourceVersion,
    error: Error,
}

pub(super) enum Patched {
    Done(Box<Secret>),
    Refused(Error),
}

impl AccessSecrets {
    /// Carries out an order: never twice, never on another Secret than the one decided on, and
    /// without losing anybody's update. One PATCH in the common case; in kubeconfig mode one GET
    /// before it.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write(&self, order: &Order) -> Result<Outcome, WriteError> {
        let mut refusal = None;
        if let Put::Token { token, ca_pem } = &order.put {
            let operations = operations::for_version_seen(order, token, ca_pem.as_deref());
            match self.patch(order.secret(), operations).await? {
                Patched::Done(object) => return Ok(self.written(&object)),
                Patched::Refused(error) => {
                    let made_for = order.seen.resource_version.clone();
                    refusal = Some(Refusal { made_for, error });
                }
            }
        }
        for _ in 0..ROUNDS_MAX {
            let found = self.read(order.secret()).await.map_err(|error| match refusal {
                // What was refused may have been the repetition of a patch that was carried out.
                Some(_) => WriteError::Unknown(error),
                None => WriteError::Api(error),
            })?;
            let Some(found) = found else { return Ok(Outcome::Changed(None)) };
            if let Some(outcome) = self.no_longer_to_do(order, &found) {
                return Ok(outcome);
            }
            let made_for = resource_version(&found);
            if let Some(refusal) = refusal.take_if(|refusal| refusal.made_for == made_for) {
                return Err(WriteError::Api(refusal.error));
            }
            let operations = operations::for_content(order, &found).map_err(|problem| {
                WriteError::Kubeconfig { secret: order.secret().clone(), problem }
            })?;
            match self.patch(order.secret(), operations).await? {
                Patched::Done(object) => return Ok(self.written(&object)),
                Patched::Refused(error) => refusal = Some(Refusal { made_for, error }),
            }
        }
        Err(WriteError::Contended { secret: order.secret().clone(), rounds: ROUNDS_MAX })
    }

    /// What ends an order without another patch: the token stands there already (the answer of a
    /// patch was lost, and kube repeated it), or it is not the Secret that was decided on.
    fn no_longer_to_do(&self, order: &Order, found: &Secret) -> Option<Outcome> {
        let Some(seen) = reduce(found, &self.interpretation) else {
            return Some(Outcome::Changed(None));
        };
        if seen.record.issued.as_ref().is_some_and(|note| note.sha256 == order.note.sha256) {
            return Some(Outcome::Written(seen));
        }
        (!is_still(&seen, &order.seen)).then_some(Outcome::Changed(Some(seen)))
    }

    pub(super) async fn patch(
        &self,
        secret: &SecretRef,
        operations: Vec<Operation>,
    ) -> Result<Patched, WriteError> {
        let operation = format!("write Secret {secret}");
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = json_patch::patch(&operations);
        let api = self.in_namespace_of(secret);
        match bounded(&operation, api.patch(secret.name.as_str(), &params, &patch)).await {
            Ok(object) => Ok(Patched::Done(Box::new(object))),
            // 404: gone; the look that follows will say so.
            Err(error) if matches!(error.code(), Some(404 | 409 | 422)) => {
                Ok(Patched::Refused(error))
            }
            Err(error) if matches!(error.code(), Some(400..=499)) => Err(WriteError::Api(error)),
            // A 5xx too: it may come from a proxy that lost the answer.
            Err(error) => Err(WriteError::Unknown(error)),
        }
    }

    pub(super) fn written(&self, object: &Secret) -> Outcome {
        match reduce(object, &self.interpretation) {
            Some(seen) => Outcome::Written(seen),
            // Its class was taken away between decision and write.
            None => Outcome::Changed(None),
        }
    }
}
