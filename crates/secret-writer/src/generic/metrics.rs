//! What is counted of generic kubeconfigs.

use perennial_core::failure::Failure as _;
use perennial_kube::{Error, generic::Outcome};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::desk::Standing;
use crate::metrics::PREFIX;

/// Counters and gauges.
#[derive(Debug)]
pub(super) struct Metrics {
    standings: Family<StandingLabels, Gauge>,
    writes: Family<OutcomeLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StandingLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl Metrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self { standings: Family::default(), writes: Family::default() };
        let registry = registry.sub_registry_with_prefix(PREFIX);
        registry.register(
            "generic_kubeconfigs",
            "Secrets for generic kubeconfigs: current, waiting for their shoot, pausing between \
             two tries, or obstructed (immutable or being deleted)",
            metrics.standings.clone(),
        );
        registry.register(
            "generic_kubeconfig_writes",
            "Tries at a generic kubeconfig: written, current already, obstructed, gone, or the kind \
             of failure",
            metrics.writes.clone(),
        );
        metrics
    }

    /// How many Secrets stand how.
    pub(super) fn standings(&self, counts: &[(Standing, usize)]) {
        for (standing, count) in counts {
            let labels = StandingLabels { state: standing.as_str() };
            self.standings.get_or_create(&labels).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn wrote(&self, outcome: &Result<Outcome, Error>) {
        let outcome = match outcome {
            Ok(Outcome::Written(_)) => "written",
            Ok(Outcome::Current(_)) => "current",
            Ok(Outcome::Obstructed(_)) => "obstructed",
            Ok(Outcome::Gone) => "gone",
            Err(error) => error.kind().as_str(),
        };
        self.writes.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}
