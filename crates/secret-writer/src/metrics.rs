//! What the secret-writer counts.

use perennial_core::{failure::Kind, reason::Reason};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Of every metric.
pub const PREFIX: &str = "perennial_secret_writer";

/// Counters and gauges; clones count the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    renewals: Family<RenewalLabels, Counter>,
    seconds: Histogram,
    issued_in_vain: Family<KindLabels, Counter>,
    writes_unknown: Family<KindLabels, Counter>,
    watch_failures: Family<KindLabels, Counter>,
    events: Family<EventLabels, Counter>,
    /// Access Secrets that are known.
    pub access_secrets: Gauge,
    /// Renewals in flight.
    pub in_flight: Gauge,
    /// Open `WatchAccessSecrets` streams.
    pub watchers: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RenewalLabels {
    reason: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    outcome: &'static str,
}

impl Metrics {
    /// Registers all of them, with the prefix `perennial_secret_writer_`.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            renewals: Family::default(),
            // 5 ms to 41 s, doubling: two API calls up to all limits together.
            seconds: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            issued_in_vain: Family::default(),
            writes_unknown: Family::default(),
            watch_failures: Family::default(),
            events: Family::default(),
            access_secrets: Gauge::default(),
            in_flight: Gauge::default(),
            watchers: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix(PREFIX);
        registry.register(
            "renewals",
            "Orders to renew, by reason and by outcome: written, or the kind of failure",
            metrics.renewals.clone(),
        );
        registry.register_with_unit(
            "renewal",
            "Time from a permitted order to its outcome",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register(
            "issued_in_vain",
            "Tokens that were issued and surely not written, by the kind of failure",
            metrics.issued_in_vain.clone(),
        );
        registry.register(
            "writes_unknown",
            "Writes of a token that were not answered clearly, by the kind of failure",
            metrics.writes_unknown.clone(),
        );
        registry.register(
            "watch_failures",
            "Failures of the watch over access Secrets, by kind",
            metrics.watch_failures.clone(),
        );
        registry.register(
            "events",
            "Events about access Secrets: made, counted up, known already, failed or dropped",
            metrics.events.clone(),
        );
        registry.register(
            "access_secrets",
            "Access Secrets that are known",
            metrics.access_secrets.clone(),
        );
        registry.register(
            "renewals_in_flight",
            "Renewals that are permitted and not at their end",
            metrics.in_flight.clone(),
        );
        registry.register("watchers", "Open WatchAccessSecrets streams", metrics.watchers.clone());
        metrics
    }

    /// One order came to its end.
    pub fn renewal(&self, reason: Reason, outcome: &'static str) {
        let labels = RenewalLabels { reason: reason.as_str(), outcome };
        self.renewals.get_or_create(&labels).inc();
    }

    /// How long a permitted order took, in seconds.
    pub fn took(&self, seconds: f64) {
        self.seconds.observe(seconds.max(0.0)); // a clock may be set back
    }

    /// A token was issued and is surely not written.
    pub fn issued_in_vain(&self, kind: Kind) {
        self.issued_in_vain.get_or_create(&KindLabels { kind: kind.as_str() }).inc();
    }

    /// A token was issued, and whether it is written only the watch can show.
    pub fn write_unknown(&self, kind: Kind) {
        self.writes_unknown.get_or_create(&KindLabels { kind: kind.as_str() }).inc();
    }

    /// The watch failed once.
    pub fn watch_failure(&self, kind: Kind) {
        self.watch_failures.get_or_create(&KindLabels { kind: kind.as_str() }).inc();
    }
    /// What came of an Event.
    pub(crate) fn event(&self, outcome: &'static str) {
        self.events.get_or_create(&EventLabels { outcome }).inc();
    }
}
