//! From the watch of the stop switch into the engine.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use perennial_core::failure::Failure as _;
use perennial_kube::own_namespace::Change;
use perennial_process::{
    outage::{Outage, Refused},
    supervise::Shutdown,
};
use tokio::sync::mpsc;

use super::{Looks, Switch};
use crate::{engine::Input, metrics::Metrics};

/// What to do when the seed refuses.
pub(crate) const RIGHTS: &str = "apply deploy/seed/scheduler-rbac.yaml (Role perennial-scheduler in the \
     namespace of the services: get, list, watch, create, patch, delete on the configmap \
     perennial-stop), or correct the credential in --seed-kubeconfig";

/// Follows the switch until shutdown is requested. Once it was read, what was said last holds over
/// every failure to read it again.
///
/// # Errors
/// When the seed refuses the first read for too long: nothing was ordered up to then, and a process
/// that waits for ever looks like one that is about to start.
pub async fn follow(
    switch: Arc<dyn Switch>,
    Looks(mut asked): Looks,
    inputs: mpsc::Sender<Input>,
    mut outage: Outage,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), Refused> {
    let looks = stream::poll_fn(move |context| asked.poll_recv(context)).boxed();
    let mut changes = switch.watch(looks);
    loop {
        let change = tokio::select! {
            () = shutdown.requested() => return Ok(()),
            refused = outage.given_up() => return Err(refused),
            Some(change) = changes.next() => change,
        };
        match change {
            Change::Known(stop) => {
                outage.first_list_done();
                if inputs.send(Input::Stop(stop)).await.is_err() {
                    return Ok(()); // the engine is gone, and the supervisor has seen it
                }
            }
            Change::Trouble(error) => {
                metrics.switch_failed(error.kind());
                outage.failed(&error);
            }
        }
    }
}
