//! What is written without another token (contract, B5, B7 and section C): the CA beside it, and the
//! note without the targets that were cleaned.

use k8s_openapi::api::core::v1::Secret;
use perennial_core::{ca::CaHash, kubeconfig::KubeconfigError, name::SecretRef};

use super::{
    AccessSecrets, Seen, operations,
    order::{CaOrder, NoteOrder, Outcome, WriteError},
    reduce::{reduce, resource_version},
    write::{Patched, ROUNDS_MAX},
};
use crate::json_patch::Operation;

impl AccessSecrets {
    /// Puts the CA beside the token of the Secret that the decision saw, or takes it away. One GET,
    /// and one PATCH unless it stands there already.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write_ca(&self, order: &CaOrder) -> Result<Outcome, WriteError> {
        let wanted = order.ca_pem.as_deref().map(CaHash::of);
        let is_done = |seen: &Seen| seen.record.ca == wanted && is_still(seen, &order.seen);
        self.amend(&order.seen, is_done, |found| operations::for_ca(order, found)).await
    }

    /// Puts another note on the Secret that the decision saw. One GET, and one PATCH unless it
    /// stands there already.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write_note(&self, order: &NoteOrder) -> Result<Outcome, WriteError> {
        let is_done = |seen: &Seen| seen.record.issued.as_ref() == Some(&order.note);
        self.amend(&order.seen, is_done, |found| Ok(operations::for_note(order, found))).await
    }

    async fn amend(
        &self,
        decided_on: &Seen,
        is_done: impl Fn(&Seen) -> bool,
        operations: impl Fn(&Secret) -> Result<Vec<Operation>, KubeconfigError>,
    ) -> Result<Outcome, WriteError> {
        let secret: &SecretRef = &decided_on.record.secret;
        let mut refusal = None;
        for _ in 0..ROUNDS_MAX {
            let found = self.read(secret).await.map_err(WriteError::Api)?;
            let Some(found) = found else { return Ok(Outcome::Changed(None)) };
            let Some(seen) = reduce(&found, &self.interpretation) else {
                return Ok(Outcome::Changed(None));
            };
            if is_done(&seen) {
                return Ok(Outcome::Written(seen));
            }
            if !is_still(&seen, decided_on) {
                return Ok(Outcome::Changed(Some(seen)));
            }
            let made_for = resource_version(&found);
            // A patch that is refused although nothing changed is refused for another reason.
            if let Some((_, error)) = refusal.take_if(|(version, _)| *version == made_for) {
                return Err(WriteError::Api(error));
            }
            let operations = operations(&found)
                .map_err(|problem| WriteError::Kubeconfig { secret: secret.clone(), problem })?;
            match self.patch(secret, operations).await? {
                Patched::Done(object) => return Ok(self.written(&object)),
                Patched::Refused(error) => refusal = Some((made_for, error)),
            }
        }
        Err(WriteError::Contended { secret: secret.clone(), rounds: ROUNDS_MAX })
    }
}

/// Whether it is the Secret that was decided on, and can be written.
pub(super) fn is_still(seen: &Seen, decided_on: &Seen) -> bool {
    let record = &seen.record;
    record.digest == decided_on.record.digest && record.inputs.is_ok() && record.obstacle.is_none()
}
