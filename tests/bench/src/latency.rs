//! What Perennial adds to the two API calls, where nobody is in a hurry: ten renewals a second.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use perennial_lab::shoot::namespace;
use perennial_proto::scheduler::v1::RenewNowRequest;
use perennial_rpc::convert::duration_from;
use serde::Serialize;

use crate::{
    bare, pace,
    stage::{Size, Stage, served_name},
};

/// Between two renewals.
const EVERY: Duration = Duration::from_millis(100);
/// Most at once; at ten a second there are one or two.
const IN_FLIGHT: usize = 8;

/// From the begin of a renewal to the written Secret, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Of the bare loop, which is the two API calls: half, and 99 %.
    pub bare: [f64; 2],
    /// Of the services, from the order of the scheduler to its answer.
    pub services: [f64; 2],
    /// The difference.
    pub added: [f64; 2],
}

/// Measures it with so many Secrets of each set.
///
/// # Errors
/// Something fails.
pub async fn slowly(secrets: usize) -> Result<Latency> {
    let stage = Stage::start(Size { secrets, shoots: 0 }, IN_FLIGHT).await?;
    let bare = quantiles(bare::run(&stage, Some(EVERY)).await?.took_ms)?;
    let services = quantiles(forced(&stage).await?)?;
    stage.end().await?;
    Ok(Latency { bare, services, added: [services[0] - bare[0], services[1] - bare[1]] })
}

/// Each Secret renewed by an order of its own, as evenly as the bare loop does it: a campaign orders a beat's
/// worth at once, and those would wait for each other at the API servers.
async fn forced(stage: &Stage) -> Result<Vec<f64>> {
    let scheduler = stage.scheduler()?;
    let paced = pace::numbers(Some(EVERY)).take(stage.size.secrets);
    let orders = paced.map(|number| {
        let mut scheduler = scheduler.clone();
        let request = RenewNowRequest {
            namespace: namespace(stage.size.shoot(number)),
            name: served_name(number),
        };
        async move {
            let answer = scheduler.renew_now(request).await?.into_inner();
            let renewal = answer.schedule.and_then(|schedule| schedule.last_renewal);
            let took = duration_from("took", renewal.context("no renewal is told")?.took)?;
            anyhow::Ok(took.as_secs_f64() * 1_000.0)
        }
    });
    orders.buffer_unordered(IN_FLIGHT).try_collect().await
}

fn quantiles(mut took: Vec<f64>) -> Result<[f64; 2]> {
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took.get((took.len().saturating_sub(1)) * share / 100).copied();
    Ok([at(50).context("nothing was renewed")?, at(99).context("nothing was renewed")?])
}
