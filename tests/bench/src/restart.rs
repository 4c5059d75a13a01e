//! What a restart of each service costs while every token is valid: nothing, for a Secret.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;

use crate::{cost::Reading, stage::Stage};

/// From ready again to the end of what a start could do.
const SETTLED: Duration = Duration::from_secs(8);

/// Calls of each kind by each service that was restarted.
///
/// # Errors
/// One does not come back.
pub async fn cost(stage: &Stage) -> Result<BTreeMap<String, BTreeMap<String, u64>>> {
    let mut costs = BTreeMap::new();
    for service in stage.lab.services() {
        let before = Reading::take(&stage.lab).await?;
        service.restart().await?;
        tokio::time::sleep(SETTLED).await;
        let calls = Reading::take(&stage.lab).await?.calls_since(&before);
        println!("bench: a restart of {}: {calls:?}", service.name());
        costs.insert(service.name().to_owned(), calls);
    }
    Ok(costs)
}
