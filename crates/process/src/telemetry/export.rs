//! Spans on their way to an OTLP collector.
//!
//! They are handed over in batches by a thread of their own; what does not fit into its queue is
//! dropped. A collector that is away costs spans and nothing else. Without a collector nothing is
//! kept, but every trace has its id.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_otlp::{
    SpanExporter as OtlpExporter, WithExportConfig as _, WithTonicConfig as _,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
    },
};
use perennial_core::flaw::Flaw;
use tracing::{info, warn};

use crate::{args::TraceArgs, start::StartError};

/// Longest time for the last spans when the process ends. With the 20 s of `--drain-grace` and 1 s
/// for the runtime that is less than the 30 s of `terminationGracePeriodSeconds`.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time for one batch, shorter than the process waits at its end.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(2);
const _: () = assert!(EXPORT_TIMEOUT.as_secs() < CLOSE_TIMEOUT.as_secs());
/// Longest time that a span waits for others.
const BATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Spans of one batch, at most; some 300 bytes each.
const BATCH_MAX: usize = 512;
/// Spans that wait for their batch. A renewal has three in each service, so a campaign of 300
/// renewals a second makes 1,800 in one interval.
const QUEUE_MAX: usize = 4_096;

/// Where spans of a process called `name` go; made inside a tokio runtime if there is a collector.
pub(super) fn connect(name: &str, args: &TraceArgs) -> Result<SdkTracerProvider, StartError> {
    let TraceArgs { otlp_endpoint, otlp_ca, trace_ratio } = args;
    if otlp_endpoint.is_empty() {
        return Ok(provider(name, Sampler::AlwaysOff, None::<OtlpExporter>));
    }
    let mut exporter = OtlpExporter::builder()
        .with_tonic()
        .with_endpoint(otlp_endpoint)
        .with_timeout(EXPORT_TIMEOUT);
    if otlp_endpoint.starts_with("https://") {
        exporter = exporter.with_tls_config(tls(otlp_ca.as_deref())?);
    }
    let exporter = exporter.build().map_err(|error| {
        StartError::usage(format!("--otlp-endpoint cannot be used: {error}; correct it"))
    })?;
    Ok(provider(name, Sampler::TraceIdRatioBased(*trace_ratio), Some(exporter)))
}

fn tls(ca: Option<&Path>) -> Result<ClientTlsConfig, StartError> {
    let config = ClientTlsConfig::new();
    let Some(path) = ca.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(config.with_native_roots());
    };
    let pem = std::fs::read(path).map_err(|error| {
        let path = path.display();
        let source = format!("--otlp-ca {path} cannot be read: {error}; correct it").into();
        StartError::Configuration { flaw: Flaw::Missing, source }
    })?;
    Ok(config.ca_certificate(Certificate::from_pem(pem)))
}

/// Spans of a process called `name`: those of traces begun here that `sampler` takes, and of those
/// whose caller's span is taken, go to `exporter`.
pub fn provider(
    name: &str,
    sampler: Sampler,
    exporter: Option<impl SpanExporter + 'static>,
) -> SdkTracerProvider {
    let resource = Resource::builder()
        .with_service_name(name.to_owned())
        .with_attribute(opentelemetry::KeyValue::new("service.namespace", "perennial"))
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let spans = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .with_resource(resource);
    let Some(exporter) = exporter else { return spans.build() };
    let batches = BatchConfigBuilder::default()
        .with_scheduled_delay(BATCH_INTERVAL)
        .with_max_export_batch_size(BATCH_MAX)
        .with_max_queue_size(QUEUE_MAX)
        .build();
    spans.with_span_processor(BatchSpanProcessor::new(Watched::new(exporter), batches)).build()
}

/// Says when spans begin to be lost, and when that is over.
#[derive(Debug)]
pub(super) struct Watched<E> {
    exporter: E,
    losing: AtomicBool,
}

impl<E> Watched<E> {
    pub(super) const fn new(exporter: E) -> Self {
        Self { exporter, losing: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.exporter.export(batch).await;
        let lost_before = self.losing.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Err(error) if !lost_before => warn!(
                "spans are lost until the collector of --otlp-endpoint takes them; renewals do \
                 not wait for it: {error}"
            ),
            Ok(()) if lost_before => info!("the collector of --otlp-endpoint takes spans again"),
            Ok(()) | Err(_) => {}
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
