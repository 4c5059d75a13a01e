//! A repair: what stands beside the token, the ServiceAccount and former targets, brought to what
//! the Secret asks for. No token is issued, so nothing is lost where it fails.

use std::{sync::Arc, time::Duration};

use perennial_core::{
    decision::bound_to,
    digest::Digest,
    failure::{Failure as _, chain},
    generation::{Ends, Number},
    inputs::Inputs,
    issued::Issued,
    name::SecretRef,
    reason::Reason,
};
use perennial_kube::access::{CaOrder, NoteOrder, Outcome, Seen, WriteError};
use perennial_process::crash;
use perennial_proto::writer::v1::SyncSecretRequest;
use perennial_rpc::convert::{ConvertError, ends_from_proto, parsed};
use tokio::time::timeout;
use tracing::{debug, info};

use super::{
    Means, RenewError, Step,
    carry_out::{ISSUE_LIMIT, WRITE_LIMIT},
    order::{refuse, request_id},
};
use crate::issuer::{Older, REVOKE_DEADLINE, Wanted};

/// An order to repair one Secret as the scheduler saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Which Secret.
    pub secret: SecretRef,
    /// Digest of the record that was decided on.
    pub digest: Digest,
    /// Why; one that needs no token.
    pub reason: Reason,
    /// With [`Reason::GenerationLeft`], the newest generation that goes; `None` for all that are older
    /// than the token's.
    pub up_to: Option<Number>,
    /// With [`Reason::GenerationLeft`], whether nobody waits for the proof that an old token is refused.
    pub unproved: bool,
    /// With [`Reason::GraceShortened`], when older generations go.
    pub ends: Ends,
    /// Id of this attempt, for logs.
    pub request_id: String,
}

/// A Secret after a repair.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The Secret.
    pub seen: Box<Seen>,
    /// A token of a generation that is no more was tried, and the shoot refused it.
    pub old_token_refused: bool,
}

/// A revocation writes nothing on the seed, and takes as long as a token at most.
const _: () = assert!(REVOKE_DEADLINE.as_secs() + 3 <= ISSUE_LIMIT.as_secs());

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
            up_to: request.up_to,
            unproved: request.unproved,
            ends: ends_from_proto("ends", request.ends)?,
            request_id: request_id(request.request_id)?,
        })
    }
}

pub(super) async fn carry_out(
    means: &Means,
    order: &Repair,
    seen: Arc<Seen>,
    inputs: Inputs,
) -> Result<Repaired, RenewError> {
    let outcome = match order.reason {
        Reason::GenerationLeft => revoke(means, order, seen, &inputs).await,
        Reason::GraceShortened => shorten(means, order, seen).await.map(Repaired::from),
        _ => sync_and_write(means, order, seen, &inputs).await.map(Repaired::from),
    };
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

/// Has older generations deleted in the shoot. What the Secret holds and says stays as it is.
async fn revoke(
    means: &Means,
    order: &Repair,
    seen: Arc<Seen>,
    inputs: &Inputs,
) -> Result<Repaired, RenewError> {
    let secret = || order.secret.clone();
    let keep = bound_to(&seen.record).filter(|_| inputs.revocable);
    let keep = keep.ok_or_else(|| RenewError::NotBound { secret: secret() })?;
    let up_to = order.up_to.map_or(keep - 1, |up_to| up_to.min(keep - 1));
    if up_to == 0 {
        return Ok(Box::new(Seen::clone(&seen)).into()); // none is older, or to go
    }
    let what = Older { up_to, keep, unproved: order.unproved };
    let revoked = means.issuer.revoke(&order.secret, inputs, what);
    let revoked = timeout(ISSUE_LIMIT, revoked).await;
    let late = |_| RenewError::TimedOut { secret: secret(), step: Step::Sync, limit: ISSUE_LIMIT };
    let refused = revoked.map_err(late)?;
    let old_token_refused =
        refused.map_err(|cause| RenewError::Sync { secret: secret(), cause })?;
    crash::point("secret-writer.revoked");
    Ok(Repaired { seen: Box::new(Seen::clone(&seen)), old_token_refused })
}

/// Notes that older generations go sooner than was noted, and that alone.
async fn shorten(means: &Means, order: &Repair, seen: Arc<Seen>) -> Result<Box<Seen>, RenewError> {
    let secret = || order.secret.clone();
    let unbound = || RenewError::NotBound { secret: secret() };
    let note = seen.record.issued.clone().ok_or_else(unbound)?;
    let noted =
        note.generation.clone().ok_or_else(unbound)?.with(means.clock.now(), order.ends.clone());
    let note = Issued { generation: Some(Box::new(noted)), ..note };
    if seen.record.issued.as_ref() == Some(&note) {
        return Ok(Box::new(Seen::clone(&seen)));
    }
    let note = NoteOrder { seen, note };
    let written = timeout(WRITE_LIMIT, means.writer.write_note(&note)).await;
    let late = |_| RenewError::TimedOut { secret: secret(), step: Step::Write, limit: WRITE_LIMIT };
    learned(means, order, written.map_err(late)?.map_err(RenewError::Write)?)
}

fn learned(means: &Means, order: &Repair, outcome: Outcome) -> Result<Box<Seen>, RenewError> {
    match outcome {
        Outcome::Written(seen) => {
            means.store.learn(seen.clone());
            Ok(Box::new(seen))
        }
        Outcome::Changed(now) => {
            now.into_iter().for_each(|now| means.store.learn(now));
            Err(RenewError::Changed { secret: order.secret.clone() })
        }
    }
}

impl From<Box<Seen>> for Repaired {
    fn from(seen: Box<Seen>) -> Self {
        Self { seen, old_token_refused: false }
    }
}

async fn sync_and_write(
    means: &Means,
    order: &Repair,
    seen: Arc<Seen>,
    inputs: &Inputs,
) -> Result<Box<Seen>, RenewError> {
    let secret = || order.secret.clone();
    let late = |step, limit: Duration| RenewError::TimedOut { secret: secret(), step, limit };
    let wanted = wanted(order.reason, &seen, inputs);
    let synced = means.issuer.sync(&order.secret, inputs, &wanted);
    let synced = timeout(ISSUE_LIMIT, synced).await.map_err(|_| late(Step::Sync, ISSUE_LIMIT))?;
    let ca_pem = synced.map_err(|cause| RenewError::Sync { secret: secret(), cause })?;
    crash::point("secret-writer.synced");
    let ca_pem = inputs.inject_ca.then_some(ca_pem);
    let written = timeout(WRITE_LIMIT, write(means, &wanted, &seen, inputs, ca_pem)).await;
    let written = written.map_err(|_| late(Step::Write, WRITE_LIMIT))?;
    learned(means, order, written.map_err(RenewError::Write)?)
}

fn wanted(reason: Reason, seen: &Seen, inputs: &Inputs) -> Wanted {
    let about_ca = matches!(reason, Reason::CaChanged | Reason::CaUnwanted);
    Wanted {
        apply_account: reason == Reason::AccountDrifted,
        refresh_target: about_ca && inputs.target.is_some(),
        left: match reason {
            Reason::TargetLeft => seen.record.left.clone(),
            _ => Vec::new(),
        },
    }
}

/// What is written on the seed for it; nothing, where the Secret itself is as it should be.
async fn write(
    means: &Means,
    wanted: &Wanted,
    seen: &Arc<Seen>,
    inputs: &Inputs,
    ca_pem: Option<Vec<u8>>,
) -> Result<Outcome, WriteError> {
    if wanted.apply_account || wanted.refresh_target {
        return Ok(Outcome::Written(Seen::clone(seen)));
    }
    let seen = Arc::clone(seen);
    if wanted.left.is_empty() {
        return means.writer.write_ca(&CaOrder { seen, mode: inputs.mode, ca_pem }).await;
    }
    let Some(note) = seen.record.issued.clone() else {
        return Ok(Outcome::Changed(Some(Seen::clone(&seen)))); // another token: decided anew
    };
    means.writer.write_note(&NoteOrder { seen, note: Issued { left: Vec::new(), ..note } }).await
}

#[cfg(test)]
mod tests;
