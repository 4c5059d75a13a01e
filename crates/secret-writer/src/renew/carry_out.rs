//! A permitted order, carried out to its end.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use perennial_core::{
    failure::{Failure, chain},
    issued::{Issued as Note, IssuedFor},
    name::SecretRef,
    storm::Memory,
    token::{Claims, TokenHash},
    window::Plan,
};
use perennial_kube::access::{Order as WriteOrder, Outcome, Put, Seen};
use perennial_process::crash;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::{Means, Order, RenewError, Step, binding, check, permit::Permit};
use crate::issuer::{Binding, Given, ISSUE_DEADLINE, Issuance};

/// Longest time for a token: the deadline of the call and three seconds to connect before it.
pub(super) const ISSUE_LIMIT: Duration = Duration::from_secs(ISSUE_DEADLINE.as_secs() + 3);
/// Longest time for the write: two calls of at most 10 s in the common cases. With that the whole
/// stays under the 60 s that the gRPC server gives a handler.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(20);
const _: () = assert!(ISSUE_LIMIT.as_secs() + WRITE_LIMIT.as_secs() < 60);

/// A token that exists.
struct Issued {
    issuance: Issuance,
    /// What was asked for.
    binding: Option<Binding>,
    at: Timestamp,
}

pub(super) async fn carry_out(
    means: &Means,
    order: &Order,
    permit: Permit,
) -> Result<Box<Seen>, RenewError> {
    let begin = means.clock.now();
    let Memory { streak, spent, .. } = permit.memory;
    let outcome = issue_and_write(means, order, permit).await;
    means.metrics.took(means.clock.now().duration_since(begin).as_secs_f64());
    let SecretRef { namespace, name } = &order.secret;
    let (reason, request_id) = (order.reason.as_str(), order.request_id.as_str());
    match &outcome {
        Ok(seen) => {
            means.metrics.renewal(order.reason, "written");
            let renew_at = seen.record.issued.as_ref().map(|note| note.renew_at);
            info!(
                %namespace, %name, shoot = %namespace, reason, request_id, streak, spent,
                renew_at = renew_at.map(tracing::field::display), "renewed"
            );
        }
        Err(error) => {
            means.metrics.renewal(order.reason, error.kind().as_str());
            // The caller gets the same words and decides what they mean.
            debug!(%namespace, %name, shoot = %namespace, reason, request_id, "{}", chain(error));
        }
    }
    outcome
}

async fn issue_and_write(
    means: &Means,
    order: &Order,
    permit: Permit,
) -> Result<Box<Seen>, RenewError> {
    crash::point("secret-writer.permitted");
    let binding = binding::wanted(order, &permit.seen.record, &permit.inputs);
    means.doubt.settle(means.writer.as_ref(), &order.secret).await?;
    let issuance = issue(means, &permit, binding).await?;
    crash::point("secret-writer.issued");
    let at = means.clock.now();
    let memory = Memory { at, ..permit.memory };
    let issued = Issued { issuance, binding, at };
    let written = check_and_write(means, order, &permit, issued).await;
    if let Err(error) = &written {
        means.store.remember(&order.secret, &permit.seen.record.uid, memory.spoilt());
        not_seen_written(means, order, error);
    }
    written
}

/// A token exists, and no answer says that it stands in the Secret.
fn not_seen_written(means: &Means, order: &Order, error: &RenewError) {
    let what = if error.leaves_write_unknown() {
        means.metrics.write_unknown(error.kind());
        "a token was issued, and whether it was written is unknown; the watch will show it"
    } else {
        means.metrics.issued_in_vain(error.kind());
        "a token was issued in vain"
    };
    let SecretRef { namespace, name } = &order.secret;
    let (reason, request_id) = (order.reason.as_str(), order.request_id.as_str());
    warn!(
        %namespace, %name, shoot = %namespace, reason, request_id,
        "{what}: {}", chain(error)
    );
}

async fn issue(
    means: &Means,
    permit: &Permit,
    binding: Option<Binding>,
) -> Result<Issuance, RenewError> {
    let secret = &permit.seen.record.secret;
    let issued = timeout(ISSUE_LIMIT, means.issuer.issue(secret, &permit.inputs, binding)).await;
    let issued = issued.map_err(|_| RenewError::TimedOut {
        secret: secret.clone(),
        step: Step::Issue,
        limit: ISSUE_LIMIT,
    })?;
    issued.map_err(|cause| RenewError::Issue { secret: secret.clone(), cause })
}

async fn check_and_write(
    means: &Means,
    order: &Order,
    permit: &Permit,
    issued: Issued,
) -> Result<Box<Seen>, RenewError> {
    let secret = &order.secret;
    let checked = check::check(&issued.issuance, secret, &permit.inputs, issued.binding)
        .map_err(|problem| RenewError::Unfit { secret: secret.clone(), problem })?;
    let still = means.store.get(secret);
    if still.is_none_or(|seen| seen.record.digest != order.digest) {
        return Err(RenewError::Changed { secret: secret.clone() });
    }
    let order = write_order(order, permit, issued, checked);
    let written = timeout(WRITE_LIMIT, means.writer.write(&order)).await;
    let written = written.map_err(|_| RenewError::TimedOut {
        secret: secret.clone(),
        step: Step::Write,
        limit: WRITE_LIMIT,
    });
    crash::point("secret-writer.written");
    let outcome = written.and_then(|outcome| outcome.map_err(RenewError::Write));
    means.doubt.heard(outcome.as_ref().map(drop));
    match outcome? {
        Outcome::Written(seen) => {
            means.store.written(seen.clone());
            Ok(Box::new(seen))
        }
        Outcome::Changed(now) => {
            if let Some(now) = now {
                means.store.learn(now);
            }
            Err(RenewError::Changed { secret: secret.clone() })
        }
    }
}

fn write_order(
    order: &Order,
    permit: &Permit,
    issued: Issued,
    (claims, sha256): (Claims, TokenHash),
) -> WriteOrder {
    let Issued { issuance: Issuance { given, ca_pem }, at, .. } = issued;
    let plan = Plan::draw(&claims, order.basis_seconds, order.window, order.place);
    let note = Note::note(IssuedFor {
        token: sha256,
        claims: &claims,
        inputs: &permit.inputs,
        plan,
        reason: order.reason,
        written_at: at,
        streak: permit.memory.streak,
        spent: permit.memory.spent,
        left: permit.seen.record.left.clone(),
        generation: binding::noted(order, &permit.seen.record, &permit.inputs, &claims, at),
    });
    let inputs = &permit.inputs;
    let put = match given {
        Given::Token(token) => Put::of(inputs.mode, token, inputs.inject_ca.then_some(ca_pem)),
        Given::Delivered { .. } => Put::Nothing,
    };
    WriteOrder { seen: Arc::clone(&permit.seen), put, latest: plan.latest, note }
}
