//! Logs, to stderr, as JSON or text; and spans, to a collector if there is one.
//!
//! Two filters decide about a line, and it must pass both: the directives of `--log-level`, and
//! fixed caps on targets which print what must not be logged. kube-client writes the whole response
//! body at WARN when it cannot parse it (for TokenRequest and Secret that is the credential), and
//! response headers at TRACE; h2 and hyper print frames and headers below INFO. Because the caps
//! are a filter of their own, no directive can lift them, however specific it is.
//!
//! One renewal is one trace over all three services. Its spans are [ours](is_ours), whatever the
//! log level, because every line within takes `trace_id` and what the span says from them
//! ([`lines`]). Nothing else is exported ([`export`]): no span and no line of a library, and no
//! line of ours.

mod export;
mod lines;

use std::{io, str::FromStr};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, FilterFn, ParseError, Targets, filter_fn},
    fmt::{MakeWriter, format::JsonFields},
    layer::{Filter, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub use self::export::provider;
use self::lines::{JsonLines, TextFields, TextLines};
use crate::{
    args::{LogArgs, LogFormat},
    start::StartError,
};

/// Most that each target may say. A name covers every target that begins with it, and the longest
/// one wins. When a dependency that handles tokens is added, add it here.
const CAPS: &[(&str, LevelFilter)] = &[
    ("axum", LevelFilter::INFO),
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("kube", LevelFilter::INFO),
    ("kube_client::client", LevelFilter::ERROR),
    // Says ERROR for every failed call. We say it too, once, at the level it deserves.
    ("kube_client::client::builder", LevelFilter::OFF),
    // Says WARN for every try, with all fields of the error. We say it once per outage.
    ("kube_runtime::watcher", LevelFilter::OFF),
    // Complains about a collector again and again; we say once that it is away.
    ("opentelemetry", LevelFilter::OFF),
    ("rustls", LevelFilter::INFO),
    ("tokio_rustls", LevelFilter::INFO),
    ("tonic", LevelFilter::INFO),
    ("tower", LevelFilter::INFO),
];

/// What to log, as a checked list of directives (`info,perennial_rpc=debug`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives(String);

impl FromStr for Directives {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::try_new(text).map(|_| Self(text.to_owned()))
    }
}

impl Directives {
    fn filter<S>(&self) -> impl Filter<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a> + 'static,
    {
        let caps = Targets::new().with_default(LevelFilter::TRACE).with_targets(CAPS.to_vec());
        EnvFilter::new(&self.0).or(our_spans()).and(caps)
    }
}

/// Spans of our own crates down to INFO; no events.
fn our_spans() -> FilterFn {
    filter_fn(is_ours as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && *metadata.level() <= tracing::Level::INFO
        && metadata.target().starts_with("perennial_")
}

/// Logs and traces of this process.
#[derive(Debug)]
#[must_use = "the last spans are lost unless it is closed"]
pub struct Telemetry {
    spans: SdkTracerProvider,
}

impl Telemetry {
    /// Hands the last spans over, which takes at most three seconds. Call it when everything else
    /// has ended, on a thread that may block, while the runtime still runs.
    pub fn close(self) {
        // A collector that is away has been logged; there is nobody else to tell.
        let _ = self.spans.shutdown_with_timeout(export::CLOSE_TIMEOUT);
    }
}

/// Sends the logs of this process, called `name`, to stderr, and its spans to the collector. Call
/// it once, before anything is logged; inside a tokio runtime if there is a collector.
///
/// # Errors
///
/// When the collector's address or CA cannot be used, or a subscriber has already been set.
pub fn init(name: &str, args: &LogArgs) -> Result<Telemetry, StartError> {
    let spans = export::connect(name, &args.trace)?;
    subscriber(args, io::stderr, &spans).try_init().map_err(StartError::start)?;
    Ok(Telemetry { spans })
}

/// What [`init`] sets up, with lines going to `writer` and spans to `spans`.
pub fn subscriber<W>(
    args: &LogArgs,
    writer: W,
    spans: &SdkTracerProvider,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let spans = tracing_opentelemetry::layer()
        .with_tracer(spans.tracer("perennial"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_error_events_to_status(false)
        .with_error_events_to_exceptions(false)
        .with_error_fields_to_exceptions(false)
        .with_filter(our_spans());
    // Spans first: lines take the trace id from them.
    Registry::default().with(spans).with(layer(args, writer))
}

fn layer<S, W>(args: &LogArgs, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let filter = args.log_level.filter();
    match args.log_format {
        LogFormat::Json => lines
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines::default())
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => lines
            .fmt_fields(TextFields)
            .event_format(TextLines::default())
            .with_filter(filter)
            .boxed(),
    }
}

#[cfg(test)]
mod tests;
