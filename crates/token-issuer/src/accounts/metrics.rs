//! What watching accounts costs.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use crate::metrics::PREFIX;

/// Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Shoots whose accounts are watched.
    pub watches: Gauge,
    /// Whole lists.
    pub(super) lists: Counter,
    /// Single accounts that were looked at.
    pub(super) looks: Counter,
    /// Calls that failed.
    pub(super) failures: Counter,
}

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        let ours = registry.sub_registry_with_prefix(PREFIX);
        let help = "Shoots whose ServiceAccounts are watched";
        ours.register("account_watches", help, this.watches.clone());
        let help = "Lists of all ServiceAccounts of a shoot: one at the start of its watch, and where \
                    the API server has forgotten where we were";
        ours.register("account_lists", help, this.lists.clone());
        let help = "Single ServiceAccounts looked at, because a watch left a doubt";
        ours.register("account_looks", help, this.looks.clone());
        let help = "Lists, watches and looks of ServiceAccounts that failed";
        ours.register("account_watch_failures", help, this.failures.clone());
        this
    }
}
