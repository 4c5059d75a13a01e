//! Whether every token survives what is to be survived.

use perennial_core::budget::Verdict;
use perennial_fleet::budget::Survival;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    broken: Family<Labels, Gauge>,
    least: Gauge,
}

impl Metrics {
    pub(super) fn register(&self, ours: &mut Registry) {
        let Self { broken, least } = self.clone();
        ours.register(
            "budget_broken",
            "Secrets whose token does not survive the outage that --survive-... names, by reason",
            broken,
        );
        ours.register(
            "budget_least_seconds",
            "The least life that any usable token has left at its planned moment; only where there is a \
             budget",
            least,
        );
    }

    pub(super) fn show(&self, survival: Option<&Survival>) {
        let Some(survival) = survival else { return };
        for verdict in Verdict::BROKEN {
            let count = survival.broken.get(&verdict).map_or(0, |broken| broken.count);
            let labels = Labels { reason: verdict.as_str() };
            self.broken.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.least.set(survival.least_seconds.unwrap_or_default());
    }
}
