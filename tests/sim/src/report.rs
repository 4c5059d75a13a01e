//! What a run came to, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    faults::{Kind, Outage},
    ledger::Cause,
    scheduler,
    time::{DAY, HOUR, MINUTE, Ms, SECOND},
    world::{Recovery, Sharing, World, campaigns::Figures},
};

/// Outages that are told one by one, those with the longest recovery first.
const RECOVERIES_MAX: usize = 100;

/// The figures of a run. Moments and times are seconds.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "explained in docs/simulation.md")]
pub struct Report {
    pub scenario: &'static str,
    pub seed: u64,
    pub tokens: usize,
    pub shoots: usize,
    pub days: f64,
    /// Of tokens that were expired while lifetimes could bridge every outage.
    pub expired_seconds: f64,
    /// Of tokens that no renewal could have kept: hibernation, and longer than every life.
    pub expired_seconds_beyond_budget: f64,
    pub tokens_issued: u64,
    pub renewals: u64,
    pub renewals_per_token_and_day: f64,
    pub issued_in_vain: u64,
    pub in_vain_by_cause: BTreeMap<Cause, u64>,
    /// For another reason than that their moment had come.
    pub early_renewals: u64,
    /// TokenRequests per minute in each 12 h, the greatest by the mean.
    pub peak_to_mean: Vec<f64>,
    pub lateness_seconds_p50: f64,
    pub lateness_seconds_p99: f64,
    pub lateness_seconds_max: f64,
    pub faults: BTreeMap<Kind, usize>,
    /// Longest recovery of each kind of outage.
    pub recovery_seconds_max: BTreeMap<Kind, f64>,
    /// Outages with the longest recovery.
    pub recovery_seconds: Vec<Recovery>,
    pub overdue_most: usize,
    /// Where there are several replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// Where campaigns were begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaigns: Option<Figures>,
    /// Digest of every event.
    pub trace: String,
    /// The only figure that is another one each time.
    pub wall_seconds: f64,
}

impl Report {
    /// Reads it off a world.
    #[must_use]
    pub fn of(scenario: &'static str, world: &World, outages: &[Outage]) -> Self {
        let ledger = &world.ledger;
        let (tokens, lateness) = (world.town.secrets.len(), &world.lateness[0]);
        let seconds = |span: Ms| span as f64 / SECOND as f64;
        let days = world.now as f64 / DAY as f64;
        let mut faults = BTreeMap::new();
        for outage in outages.iter().filter(|outage| outage.begin <= world.now) {
            *faults.entry(outage.fault.kind()).or_default() += 1;
        }
        let mut recoveries = world.recoveries().to_vec();
        let mut longest = BTreeMap::new();
        for Recovery { fault, recovery_seconds, .. } in &recoveries {
            let before: &mut f64 = longest.entry(*fault).or_default();
            *before = before.max(*recovery_seconds);
        }
        recoveries.sort_by(|a, b| b.recovery_seconds.total_cmp(&a.recovery_seconds));
        recoveries.truncate(RECOVERIES_MAX);
        Self {
            scenario,
            seed: world.trace.seed(),
            tokens,
            shoots: world.town.shoots.len(),
            days,
            expired_seconds: 0.0, // the first one ends the run
            expired_seconds_beyond_budget: seconds(world.excused_expired),
            tokens_issued: ledger.issued(),
            renewals: ledger.renewals,
            renewals_per_token_and_day: ledger.renewals as f64 / tokens as f64 / days,
            issued_in_vain: ledger.in_vain.values().sum(),
            in_vain_by_cause: ledger.in_vain.clone(),
            early_renewals: ledger.early,
            peak_to_mean: peak_to_mean(&ledger.per_minute, world.now),
            lateness_seconds_p50: seconds(lateness.percentile(0.5)),
            lateness_seconds_p99: seconds(lateness.percentile(0.99)),
            lateness_seconds_max: seconds(lateness.most()),
            faults,
            recovery_seconds_max: longest,
            recovery_seconds: recoveries,
            overdue_most: world.overdue_most,
            sharing: world.sharing(),
            campaigns: world.campaigns(),
            trace: world.trace.digest(),
            wall_seconds: 0.0,
        }
    }
}

/// The greatest by the mean, of each 12 h after the begin that is whole.
#[must_use]
pub fn peak_to_mean(per_minute: &[u32], until: Ms) -> Vec<f64> {
    let whole = usize::try_from(until / MINUTE).unwrap_or(0);
    let mut counts = per_minute.to_vec();
    counts.resize(whole.max(counts.len()), 0);
    let lifetime = usize::try_from(12 * HOUR / MINUTE).expect("720");
    let of = |minutes: &[u32]| {
        let mean = minutes.iter().map(|count| f64::from(*count)).sum::<f64>() / lifetime as f64;
        let most = minutes.iter().max().copied().map_or(0.0, f64::from);
        if mean > 0.0 { (most / mean * 1_000.0).round() / 1_000.0 } else { 0.0 }
    };
    counts[..whole].chunks_exact(lifetime).map(of).collect()
}

/// After an outage of everybody: backlog by what the limits admit with calls of this length, and 30 s.
#[must_use]
pub fn recovery_allowed(recovery: &Recovery, shoots: usize, call: Ms) -> f64 {
    let settings = scheduler::settings();
    let at_once = settings.in_flight_max.min(shoots * settings.in_flight_per_shoot_max);
    let rate = at_once as f64 * SECOND as f64 / call as f64;
    recovery.backlog as f64 / rate + 30.0
}
