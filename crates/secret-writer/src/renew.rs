//! One renewal: permitted, issued, checked, written.
//!
//! ```text
//! RenewToken ─► permit ─► issue ─► check ─► still as decided? ─► write ─► record
//!                 │         │        │            │               │
//!                 └ refused └ error  └──── issued in vain ────────┘ or, unanswered, unknown
//! ```
//!
//! A renewal belongs to no caller. Once permitted it runs to its end in a task of ours ([`run`]),
//! because a caller that goes away between token and write would leave a token issued in vain.
//! From the moment a token exists it is remembered, written or not, so that whatever goes wrong
//! after that cannot become a storm (B12).

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use perennial_core::{clock::Clock, failure::Failure, name::SecretRef};
use perennial_kube::access::{
    AccessSecrets, CaOrder, NoteOrder, Order as WriteOrder, Outcome, Seen, WriteError,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument as _, debug};

use crate::{events::Reporter, issuer::Issue, metrics::Metrics, store::Store};

mod binding;
mod carry_out;
mod check;
mod doubt;
mod error;
mod order;
mod permit;
mod queue;
mod repair;
mod under_way;

pub use check::Unfit;
pub use doubt::Doubt;
pub use error::{RenewError, Step};
pub use order::Order;
pub use queue::{Job, run};
pub use repair::{Repair, Repaired};

use under_way::{Guard, UnderWay};

/// Who writes Secrets.
pub trait Write: Send + Sync + Debug {
    /// Carries out an order.
    fn write<'a>(&'a self, order: &'a WriteOrder) -> BoxFuture<'a, Result<Outcome, WriteError>>;

    /// Reads a Secret, to see whether the seed answers.
    fn look<'a>(&'a self, secret: &'a SecretRef) -> BoxFuture<'a, Result<(), WriteError>>;

    /// Puts the CA beside the token, or takes it away.
    fn write_ca<'a>(&'a self, order: &'a CaOrder) -> BoxFuture<'a, Result<Outcome, WriteError>>;

    /// Puts another note beside the same token.
    fn write_note<'a>(&'a self, order: &'a NoteOrder)
    -> BoxFuture<'a, Result<Outcome, WriteError>>;
}

impl Write for AccessSecrets {
    fn write<'a>(&'a self, order: &'a WriteOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(Self::write(self, order))
    }

    fn look<'a>(&'a self, secret: &'a SecretRef) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async { self.get(secret).await.map(drop).map_err(WriteError::Api) })
    }

    fn write_ca<'a>(&'a self, order: &'a CaOrder) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(Self::write_ca(self, order))
    }

    fn write_note<'a>(
        &'a self,
        order: &'a NoteOrder,
    ) -> BoxFuture<'a, Result<Outcome, WriteError>> {
        Box::pin(Self::write_note(self, order))
    }
}

/// Limits of renewals.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `--renewal-interval-min`
    pub interval_min: Duration,
    /// `--renewals-in-flight-max`
    pub in_flight_max: usize,
    /// `--audit`
    pub audit: bool,
}

/// What renewals work with.
#[derive(Clone, Debug)]
pub struct Means {
    /// The records.
    pub store: Store,
    /// Where tokens come from.
    pub issuer: Arc<dyn Issue>,
    /// Where they go.
    pub writer: Arc<dyn Write>,
    /// Our own time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    /// Who tells people of what only they can end.
    pub reporter: Reporter,
    /// Whether the seed took the last write.
    pub doubt: Doubt,
    /// Limits.
    pub settings: Settings,
}

/// Renews tokens on order. Clones share everything.
#[derive(Clone, Debug)]
pub struct Renewals {
    means: Means,
    under_way: UnderWay,
    jobs: mpsc::Sender<Job>,
}

impl Renewals {
    /// Renewals, and the jobs that [`run`] must work off.
    #[must_use]
    pub fn new(means: Means) -> (Self, mpsc::Receiver<Job>) {
        let in_flight_max = means.settings.in_flight_max;
        let (jobs, to_do) = mpsc::channel(in_flight_max);
        let under_way = UnderWay::new(in_flight_max, means.metrics.in_flight.clone());
        (Self { means, under_way, jobs }, to_do)
    }

    /// Carries out an order and returns the Secret as it was written.
    ///
    /// # Errors
    /// [`RenewError`].
    pub async fn renew(&self, order: Order) -> Result<Box<Seen>, RenewError> {
        let reason = order.reason;
        // Taken before the record is looked at: of two equal orders one sees the other, or sees
        // the record that the other wrote.
        let permitted = self.begin(&order.secret).and_then(|guard| {
            let permit = permit::permit(&self.means, &order)?;
            Ok((guard, permit))
        });
        let (guard, permit) = permitted.inspect_err(|error| {
            self.means.metrics.renewal(reason, error.kind().as_str());
            debug!(
                namespace = %order.secret.namespace, name = %order.secret.name,
                request_id = order.request_id, "refused to renew: {error}"
            );
        })?;
        let means = self.means.clone();
        let job = async move {
            let seen = Arc::clone(&permit.seen);
            let outcome = carry_out::carry_out(&means, &order, permit).await;
            if let Err(error) = &outcome {
                means.reporter.failed(&seen, error);
            }
            outcome
        };
        self.run(guard, job).await
    }

    /// Carries out a repair and returns the Secret as it is then.
    ///
    /// # Errors
    /// [`RenewError`].
    pub async fn repair(&self, order: Repair) -> Result<Repaired, RenewError> {
        let guard = self.begin(&order.secret)?;
        let (seen, inputs) = permit::decided_on(&self.means, &order.secret, &order.digest)?;
        let means = self.means.clone();
        let job = async move {
            let outcome = repair::carry_out(&means, &order, Arc::clone(&seen), inputs).await;
            if let Err(error) = &outcome {
                means.reporter.failed(&seen, error);
            }
            outcome
        };
        self.run(guard, job).await
    }

    /// # Errors
    /// Nothing is written in audit mode, or something is under way already.
    fn begin(&self, secret: &SecretRef) -> Result<Guard, RenewError> {
        match self.means.settings.audit {
            true => Err(RenewError::Audit { secret: secret.clone() }),
            false => self.under_way.begin(secret),
        }
    }

    /// Runs to its end, whatever becomes of the caller.
    async fn run<T: Send + 'static>(
        &self,
        guard: Guard,
        work: impl Future<Output = Result<T, RenewError>> + Send + 'static,
    ) -> Result<T, RenewError> {
        let (answer, answered) = oneshot::channel();
        let job = async move {
            let outcome = work.await;
            drop(guard); // before the answer, so that the next order is not refused for this one
            let _ = answer.send(outcome); // the caller may be gone
        };
        self.jobs.try_send(Box::pin(job.in_current_span())).map_err(|_| RenewError::Draining)?;
        answered.await.unwrap_or(Err(RenewError::Lost))
    }
}

#[cfg(test)]
mod tests;
