//! From the watches of the stop switch, of the pauses and of the campaigns into the engine.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use perennial_core::failure::Failure as _;
use perennial_kube::{Error, own_namespace::Change};
use perennial_process::{
    outage::{Outage, Refused},
    supervise::Shutdown,
};
use tokio::sync::mpsc;

use super::{Looks, Switch};
use crate::{engine::Input, metrics::Metrics};

/// What to do when the seed refuses.
pub(crate) const RIGHTS: &str = "apply deploy/seed/scheduler-rbac.yaml (Role perennial-scheduler in the \
     namespace of the services: get, list, watch, create, patch, delete on the configmaps \
     perennial-stop, perennial-pauses and perennial-campaigns), or correct the credential in --seed-kubeconfig";

/// Follows all of them until shutdown is requested. Whether the fleet is stopped is told once the pauses were
/// read too: nothing is ordered before. Once they were read, what was said last holds over every
/// failure to read it again.
///
/// # Errors
/// When the seed refuses the first read for too long: nothing was ordered up to then, and a process
/// that waits for ever looks like one that is about to start.
pub async fn follow(
    switch: Arc<dyn Switch>,
    looks: Looks,
    inputs: mpsc::Sender<Input>,
    mut outage: Outage,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), Refused> {
    let mut changes = changes(switch.as_ref(), looks);
    let (mut pauses_known, mut stop_held) = (false, None);
    loop {
        let change = tokio::select! {
            () = shutdown.requested() => return Ok(()),
            refused = outage.given_up() => return Err(refused),
            Some(change) = changes.next() => change,
        };
        match change {
            Ok(Input::Stop(stop)) if !pauses_known => stop_held = Some(Input::Stop(stop)),
            Ok(input) => {
                pauses_known |= matches!(input, Input::Pauses(_));
                let held = if pauses_known { stop_held.take() } else { None };
                for input in std::iter::once(input).chain(held) {
                    if matches!(input, Input::Stop(_)) {
                        outage.first_list_done();
                    }
                    if inputs.send(input).await.is_err() {
                        return Ok(()); // the engine is gone, and the supervisor has seen it
                    }
                }
            }
            Err(error) => {
                metrics.switch_failed(error.kind());
                outage.failed(&error);
            }
        }
    }
}

fn changes(
    switch: &dyn Switch,
    Looks { mut stop, mut pauses, mut campaigns }: Looks,
) -> impl Stream<Item = Result<Input, Error>> + use<> {
    let stop = stream::poll_fn(move |context| stop.poll_recv(context)).boxed();
    let pauses = stream::poll_fn(move |context| pauses.poll_recv(context)).boxed();
    let campaigns = stream::poll_fn(move |context| campaigns.poll_recv(context)).boxed();
    let stop = switch.watch(stop).map(|change| said(change, Input::Stop));
    let pauses = switch.watch_pauses(pauses).map(|change| said(change, Input::Pauses));
    let campaigns = switch.watch_campaigns(campaigns);
    let campaigns = campaigns.map(|change| said(change, Input::Campaigns));
    stream::select(stream::select(stop, pauses), campaigns)
}

fn said<T>(change: Change<T>, input: impl FnOnce(T) -> Input) -> Result<Input, Error> {
    match change {
        Change::Known(known) => Ok(input(known)),
        Change::Trouble(error) => Err(error),
    }
}
