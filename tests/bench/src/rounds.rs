//! Rounds of the bare loop and of the services, in turn.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use perennial_proto::scheduler::v1::{
    StartCampaignRequest, WatchCampaignRequest, start_campaign_request::Wanted,
};
use serde::Serialize;

use crate::{
    bare, cost,
    cost::Reading,
    stage::{LABEL, Size, Stage},
};

/// An API server counts a request a little after its answer.
pub(crate) const COUNTED: Duration = Duration::from_millis(700);

/// One round, by renewal.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// From the first to the last write.
    pub per_second: f64,
    /// Of the bare loop, or of each service and API server, in milliseconds.
    pub cpu_ms: BTreeMap<String, f64>,
    /// By kind; none of the bare loop's.
    pub calls: BTreeMap<String, f64>,
}

impl Round {
    /// From the first to the last write.
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    pub(crate) fn seconds(&self, size: Size) -> f64 {
        (size.secrets as f64 - 1.0) / self.per_second
    }
}

/// All rounds with one number in flight.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rounds {
    /// Of the bare loop.
    pub bare: Vec<Round>,
    /// Of the services.
    pub services: Vec<Round>,
    /// Resident memory after them, in MiB; that of the bare loop too.
    pub resident_mib: BTreeMap<String, f64>,
}

/// Plays so many of each kind, first one, then the other.
///
/// # Errors
/// One fails.
pub async fn alternate(stage: &Stage, rounds: usize) -> Result<Rounds> {
    let mut all = Rounds::default();
    for number in 1..=rounds {
        let (bare, resident) = bare_round(stage).await?;
        let services = services_round(stage).await?;
        println!(
            "bench: round {number} of {rounds}: bare {:.0}/s, services {:.0}/s, ratio {:.3}",
            bare.per_second,
            services.per_second,
            services.per_second / bare.per_second
        );
        all.bare.push(bare);
        all.services.push(services);
        all.resident_mib.insert("bare".to_owned(), resident);
    }
    all.resident_mib.extend(cost::resident_of_services(&stage.lab)?);
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
async fn bare_round(stage: &Stage) -> Result<(Round, f64)> {
    let before = Reading::take(&stage.lab).await?;
    stage.watch.begin_round();
    let (bare, window) =
        futures::try_join!(bare::run(stage, None), stage.watch.end_round(stage.size))?;
    tokio::time::sleep(COUNTED).await;
    let after = Reading::take(&stage.lab).await?;
    let count = stage.size.secrets as f64;
    let mut cpu_ms = per_renewal(after.cpu_since(&before), count);
    cpu_ms.retain(|name, _| name == "seed" || name == "shoot");
    cpu_ms.insert("bare".to_owned(), bare.cpu_ms / count);
    let per_second = (count - 1.0) / window.as_secs_f64();
    Ok((Round { per_second, cpu_ms, calls: BTreeMap::new() }, bare.resident_mib))
}

/// A campaign renews every Secret once, and costs no write beside theirs.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
pub(crate) async fn services_round(stage: &Stage) -> Result<Round> {
    let before = Reading::take(&stage.lab).await?;
    stage.watch.begin_round();
    let (campaign, window) =
        futures::try_join!(campaign(stage), stage.watch.end_round(stage.size))?;
    let wanted = stage.size.secrets;
    anyhow::ensure!(campaign == wanted as u64, "{campaign} of {wanted} done");
    tokio::time::sleep(COUNTED).await;
    let after = Reading::take(&stage.lab).await?;
    let count = stage.size.secrets as f64;
    let calls = after.calls_since(&before).into_iter();
    let calls = calls.map(|(kind, calls)| (kind, calls as f64 / count)).collect();
    let cpu_ms = per_renewal(after.cpu_since(&before), count);
    Ok(Round { per_second: (count - 1.0) / window.as_secs_f64(), cpu_ms, calls })
}

fn per_renewal(cpu: BTreeMap<String, f64>, count: f64) -> BTreeMap<String, f64> {
    cpu.into_iter().map(|(name, cpu)| (name, cpu / count)).collect()
}

/// Renews every served Secret, and says how many when that is done.
async fn campaign(stage: &Stage) -> Result<u64> {
    let mut scheduler = stage.scheduler()?;
    let request = StartCampaignRequest {
        label_selector: format!("{}={}", LABEL.0, LABEL.1),
        reason: "bench".to_owned(),
        wanted: Some(Wanted::IssuedFromNow(true)),
        ..StartCampaignRequest::default()
    };
    let begun = scheduler.start_campaign(request).await?.into_inner();
    let id = begun.campaign.unwrap_or_default().id;
    let mut told = scheduler.watch_campaign(WatchCampaignRequest { id }).await?.into_inner();
    let mut done = 0;
    while let Some(message) = told.message().await? {
        done = message.progress.unwrap_or_default().done;
    }
    Ok(done)
}
