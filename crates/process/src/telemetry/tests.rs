use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{debug, error, info, trace, warn};
use tracing_subscriber::fmt::MakeWriter;

use super::{Directives, provider, subscriber};
use crate::args::{LogArgs, LogFormat, TraceArgs};

mod traces;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn logged(level: &str, log_format: LogFormat, emit: impl FnOnce()) -> String {
    let nowhere = provider("test", Sampler::AlwaysOff, None::<traces::Kept>);
    logged_and_traced(level, log_format, &nowhere, emit)
}

fn logged_and_traced(
    level: &str,
    log_format: LogFormat,
    spans: &SdkTracerProvider,
    emit: impl FnOnce(),
) -> String {
    let lines = Lines::default();
    let trace = TraceArgs { otlp_endpoint: String::new(), otlp_ca: None, trace_ratio: 1.0 };
    let args = LogArgs { log_format, log_level: level.parse().unwrap(), trace };
    tracing::subscriber::with_default(subscriber(&args, lines.clone(), spans), emit);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn leak_from_every_capped_target() {
    warn!(target: "kube_client::client", "{{\"token\":\"eyJ-body\"}}");
    warn!(target: "kube_client::client::middleware", "eyJ-middleware");
    debug!(target: "kube_client::client", "Unsuccessful data error parse: eyJ-debug");
    trace!(target: "kube_client::config", "eyJ-config");
    error!(target: "kube_runtime::watcher", "eyJ-watcher");
    trace!(target: "h2::codec::framed_read", "eyJ-frame");
    debug!(target: "h2::codec::framed_write", "eyJ-frame");
    debug!(target: "hyper::proto::h1::io", "eyJ-head");
    trace!(target: "hyper_util::client::legacy::pool", "eyJ-pool");
    debug!(target: "rustls::client::hs", "eyJ-handshake");
    trace!(target: "tonic::transport::server", "eyJ-request");
    trace!(target: "tower_http::trace", "eyJ-layer");
    trace!(target: "axum::rejection", "eyJ-rejection");
    error!(target: "opentelemetry_sdk", "eyJ-batch");
    let span =
        tracing::trace_span!(target: "h2::codec::framed_write", "buffer", frame = "eyJ-span");
    span.in_scope(|| info!(target: "perennial_rpc", "inside"));
}

#[test]
fn no_directive_brings_back_lines_that_hold_credentials() {
    for level in [
        "trace",
        "kube_client=trace",
        "kube_client::client=trace",
        "kube_client::client::middleware=trace,h2::codec::framed_read=trace",
        "info,hyper=trace,h2=trace,rustls=trace,tonic=trace,tower_http=trace,axum=trace",
        "[buffer]=trace",
        "[buffer{frame}]=trace",
    ] {
        let output = logged(level, LogFormat::Json, leak_from_every_capped_target);
        assert!(!output.contains("eyJ"), "--log-level {level} let through: {output}");
    }
}

#[test]
fn capped_targets_still_say_what_is_wrong() {
    let output = logged("info", LogFormat::Text, || {
        error!(target: "kube_client::client", "connection refused");
        error!(target: "kube_client::client::builder", "failed with error");
        warn!(target: "kube_client::config", "overriding cluster URL");
        info!(target: "h2::client", "hello");
    });

    assert_eq!(output.lines().count(), 3, "{output}");
}

#[test]
fn the_level_decides_for_our_own_targets() {
    let emit = || {
        debug!(target: "perennial_scheduler", "deciding");
        info!(target: "perennial_scheduler", "renewed");
    };

    assert_eq!(logged("info", LogFormat::Json, emit).lines().count(), 1);
    assert_eq!(logged("info,perennial_scheduler=debug", LogFormat::Json, emit).lines().count(), 2);
    assert_eq!(logged("off", LogFormat::Json, emit), "");
}

#[test]
fn a_json_line_is_one_object_with_its_fields_at_the_top() {
    let output = logged("info", LogFormat::Json, || info!(shoot = "shoot--lab--1", "renewed"));

    assert!(output.starts_with('{') && output.ends_with("}\n"), "{output}");
    assert!(output.contains(r#""message":"renewed","shoot":"shoot--lab--1""#), "{output}");
}

#[test]
fn directives_that_do_not_parse_are_refused_as_a_flag() {
    assert!("info,perennial=loud".parse::<Directives>().is_err());
}
