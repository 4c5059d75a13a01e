//! A repair: what stands beside the token, and the ServiceAccount, brought to what the Secret asks
//! for. No token is issued, so nothing is lost where it fails.

use std::{sync::Arc, time::Duration};

use perennial_core::{
    digest::Digest,
    failure::{Failure as _, chain},
    inputs::Inputs,
    name::SecretRef,
    reason::Reason,
};
use perennial_kube::access::{CaOrder, Outcome, Seen};
use perennial_proto::writer::v1::SyncSecretRequest;
use perennial_rpc::convert::{ConvertError, parsed};
use tokio::time::timeout;
use tracing::{debug, info};

use super::{
    Means, RenewError, Step,
    carry_out::{ISSUE_LIMIT, WRITE_LIMIT},
    order::{refuse, request_id},
};

/// An order to repair one Secret as the scheduler saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Which Secret.
    pub secret: SecretRef,
    /// Digest of the record that was decided on.
    pub digest: Digest,
    /// Why; one that needs no token.
    pub reason: Reason,
    /// Id of this attempt, for logs.
    pub request_id: String,
}

impl TryFrom<SyncSecretRequest> for Repair {
    type Error = ConvertError;

    fn try_from(request: SyncSecretRequest) -> Result<Self, ConvertError> {
        let reason = Reason::named(&request.reason);
        if reason == Reason::Unknown || reason.needs_token() {
            return Err(refuse("reason", "is none for a repair that this version knows"));
        }
        Ok(Self {
            secret: SecretRef {
                namespace: parsed("namespace", &request.namespace)?,
                name: parsed("name", &request.name)?,
            },
            digest: Digest::received(request.digest),
            reason,
            request_id: request_id(request.request_id)?,
        })
    }
}

pub(super) async fn carry_out(
    means: &Means,
    order: &Repair,
    seen: Arc<Seen>,
    inputs: Inputs,
) -> Result<Box<Seen>, RenewError> {
    let outcome = sync_and_write(means, order, seen, &inputs).await;
    let SecretRef { namespace, name } = &order.secret;
    let (reason, request_id) = (order.reason.as_str(), order.request_id.as_str());
    match &outcome {
        Ok(_) => {
            means.metrics.renewal(order.reason, "written");
            info!(%namespace, %name, shoot = %namespace, reason, request_id, "repaired");
        }
        Err(error) => {
            means.metrics.renewal(order.reason, error.kind().as_str());
            debug!(%namespace, %name, shoot = %namespace, reason, request_id, "{}", chain(error));
        }
    }
    outcome
}

async fn sync_and_write(
    means: &Means,
    order: &Repair,
    seen: Arc<Seen>,
    inputs: &Inputs,
) -> Result<Box<Seen>, RenewError> {
    let secret = || order.secret.clone();
    let late = |step, limit: Duration| RenewError::TimedOut { secret: secret(), step, limit };
    let apply_account = order.reason == Reason::AccountDrifted;
    let synced = means.issuer.sync(&order.secret, inputs, apply_account);
    let synced = timeout(ISSUE_LIMIT, synced).await.map_err(|_| late(Step::Sync, ISSUE_LIMIT))?;
    let ca_pem = synced.map_err(|cause| RenewError::Sync { secret: secret(), cause })?;
    if apply_account {
        return Ok(Box::new(Seen::clone(&seen))); // the Secret itself is as it should be
    }
    let ca_pem = inputs.inject_ca.then_some(ca_pem);
    let order = CaOrder { seen, mode: inputs.mode, ca_pem };
    let written = timeout(WRITE_LIMIT, means.writer.write_ca(&order)).await;
    match written.map_err(|_| late(Step::Write, WRITE_LIMIT))?.map_err(RenewError::Write)? {
        Outcome::Written(seen) => {
            means.store.learn(seen.clone());
            Ok(Box::new(seen))
        }
        Outcome::Changed(now) => {
            now.into_iter().for_each(|now| means.store.learn(now));
            Err(RenewError::Changed { secret: secret() })
        }
    }
}

#[cfg(test)]
mod tests;
