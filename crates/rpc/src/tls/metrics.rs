//! Which certificates are in use, as metrics of the service that uses them.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::TlsStore;

impl TlsStore {
    /// Registers `certificate_expires_seconds`, `authority_expires_seconds` and
    /// `certificate_reloads` below `prefix`, such as `perennial_scheduler`.
    pub fn register_metrics(self: &Arc<Self>, prefix: &str, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix(prefix);
        ours.register_collector(Box::new(InUse(Arc::clone(self))));
    }
}

#[derive(Debug)]
struct InUse(Arc<TlsStore>);

impl Collector for InUse {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let held = self.0.held.load();
        for (name, help, moment) in [
            (
                "certificate_expires",
                "When the certificate in use expires, unix time in seconds",
                held.expires_at(),
            ),
            (
                "authority_expires",
                "When the first of the trusted authorities expires, unix time in seconds",
                held.authorities_end(),
            ),
        ] {
            let unit = Some(&Unit::Seconds);
            let one = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            ConstGauge::new(Timestamp::as_second(moment)).encode(one)?;
        }
        let help = "New content of the certificate files, by outcome (taken_up, refused)";
        let mut family =
            encoder.encode_descriptor("certificate_reloads", help, None, MetricType::Counter)?;
        for (outcome, count) in [("taken_up", &self.0.taken_up), ("refused", &self.0.refused)] {
            let count = ConstCounter::new(count.load(Ordering::Relaxed));
            count.encode(family.encode_family(&[("outcome", outcome)])?)?;
        }
        Ok(())
    }
}
