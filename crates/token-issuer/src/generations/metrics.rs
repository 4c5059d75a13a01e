//! What watching generations costs.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use crate::metrics::PREFIX;

/// Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Namespaces of shoots whose generations are watched.
    pub watches: Gauge,
    /// Whole lists.
    pub(super) lists: Counter,
    /// Calls that failed.
    pub(super) failures: Counter,
}

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        let ours = registry.sub_registry_with_prefix(PREFIX);
        let help = "Namespaces of shoots whose generations (what revocable tokens are bound to) are \
                    watched";
        ours.register("generation_watches", help, this.watches.clone());
        let help = "Lists of the generations of a namespace: one at the start of its watch, and where \
                    the API server has forgotten where we were";
        ours.register("generation_lists", help, this.lists.clone());
        let help = "Lists and watches of generations that failed";
        ours.register("generation_watch_failures", help, this.failures.clone());
        this
    }
}
