//! The CA beside a token, written without another token (contract, B5 and section C).

use k8s_openapi::api::core::v1::Secret;
use perennial_core::ca::CaHash;

use super::{
    AccessSecrets, operations,
    order::{CaOrder, Outcome, WriteError},
    reduce::{reduce, resource_version},
    write::{Patched, ROUNDS_MAX},
};

impl AccessSecrets {
    /// Puts the CA beside the token of the Secret that the decision saw, or takes it away. One GET,
    /// and one PATCH unless it stands there already.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write_ca(&self, order: &CaOrder) -> Result<Outcome, WriteError> {
        let secret = &order.seen.record.secret;
        let mut refusal = None;
        for _ in 0..ROUNDS_MAX {
            let found = self.read(secret).await.map_err(WriteError::Api)?;
            let Some(found) = found else { return Ok(Outcome::Changed(None)) };
            if let Some(outcome) = self.is_done(order, &found) {
                return Ok(outcome);
            }
            let made_for = resource_version(&found);
            // A patch that is refused although nothing changed is refused for another reason.
            if let Some((_, error)) = refusal.take_if(|(version, _)| *version == made_for) {
                return Err(WriteError::Api(error));
            }
            let operations = operations::for_ca(order, &found)
                .map_err(|problem| WriteError::Kubeconfig { secret: secret.clone(), problem })?;
            match self.patch(secret, operations).await? {
                Patched::Done(object) => return Ok(self.written(&object)),
                Patched::Refused(error) => refusal = Some((made_for, error)),
            }
        }
        Err(WriteError::Contended { secret: secret.clone(), rounds: ROUNDS_MAX })
    }

    fn is_done(&self, order: &CaOrder, found: &Secret) -> Option<Outcome> {
        let Some(seen) = reduce(found, &self.interpretation) else {
            return Some(Outcome::Changed(None));
        };
        let record = &seen.record;
        let same = record.digest == order.seen.record.digest
            && record.inputs.is_ok()
            && record.obstacle.is_none();
        if !same {
            return Some(Outcome::Changed(Some(seen)));
        }
        let wanted = order.ca_pem.as_deref().map(CaHash::of);
        (record.ca == wanted).then_some(Outcome::Written(seen))
    }
}
