//! What Perennial adds to the two API calls, where nobody is in a hurry: ten renewals a second.

use std::time::Duration;

use anyhow::{Context as _, Result};
use perennial_proto::scheduler::v1::ListSchedulesRequest;
use perennial_rpc::convert::duration_from;
use serde::Serialize;

use crate::{bare, rounds, stage::Stage};

/// Between two renewals.
const EVERY: Duration = Duration::from_millis(100);
const PER_SECOND: u32 = 10;

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
    let stage = Stage::start(secrets, 8, Some(PER_SECOND)).await?;
    let bare = quantiles(bare::run(&stage, Some(EVERY)).await?.took_ms)?;
    rounds::campaign(&stage).await?;
    let services = quantiles(took(&stage).await?)?;
    stage.end().await?;
    Ok(Latency { bare, services, added: [services[0] - bare[0], services[1] - bare[1]] })
}

async fn took(stage: &Stage) -> Result<Vec<f64>> {
    let request = ListSchedulesRequest { page_size: 1_000, ..ListSchedulesRequest::default() };
    let schedules = stage.scheduler()?.list_schedules(request).await?.into_inner().schedules;
    let ours = schedules.into_iter().filter(|schedule| schedule.name.contains("-served-"));
    let mut took = Vec::new();
    for schedule in ours {
        let renewal = schedule.last_renewal.unwrap_or_default();
        took.push(duration_from("took", renewal.took)?.as_secs_f64() * 1_000.0);
    }
    Ok(took)
}

fn quantiles(mut took: Vec<f64>) -> Result<[f64; 2]> {
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took.get((took.len().saturating_sub(1)) * share / 100).copied();
    Ok([at(50).context("nothing was renewed")?, at(99).context("nothing was renewed")?])
}
