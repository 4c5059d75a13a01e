//! Logs, to stderr, as JSON or text.
//!
//! Two filters decide, and a line must pass both: the directives of `--log-level`, and fixed caps
//! on targets which print what must not be logged. kube-client writes the whole response body at
//! WARN when it cannot parse it (for TokenRequest and Secret that is the credential), and response
//! headers at TRACE; h2 and hyper print frames and headers below INFO. Because the caps are a
//! filter of their own, no directive can lift them, however specific it is.

use std::{io, str::FromStr};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, ParseError, Targets},
    fmt::MakeWriter,
    layer::{Filter, SubscriberExt},
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use crate::args::{LogArgs, LogFormat};

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
        EnvFilter::new(&self.0).and(caps)
    }
}

/// Sends the logs of this process to stderr. Call it once, before anything is logged.
///
/// # Errors
///
/// When a subscriber has already been set.
pub fn init(args: &LogArgs) -> Result<(), TryInitError> {
    tracing_subscriber::registry().with(layer(args, io::stderr)).try_init()
}

fn layer<S, W>(args: &LogArgs, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let filter = args.log_level.filter();
    match args.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => lines.with_ansi(false).with_filter(filter).boxed(),
    }
}

#[cfg(test)]
mod tests;
