use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::executor::block_on;
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    trace::{Sampler, SpanData, SpanExporter},
};
use serde_json::Value;
use tracing::{info, info_span, trace_span, warn};

use super::{super::export::Watched, leak_from_every_capped_target, logged, logged_and_traced};
use crate::{
    args::{LogArgs, LogFormat},
    telemetry::provider,
};

/// Keeps spans.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

/// A collector that is away for its first `away` batches.
#[derive(Debug)]
struct Away(Mutex<u32>);

impl SpanExporter for Away {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        let mut left = self.0.lock().unwrap();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        Err(OTelSdkError::InternalFailure("connection refused".to_owned()))
    }
}

fn renewal() {
    let span = info_span!(
        target: "perennial_scheduler", "renewal", otel.kind = "server", otel.name = "Renew", rpc.system = "grpc",
        namespace = "shoot--lab--1", name = "access", attempt = 7
    );
    span.in_scope(|| {
        warn!(target: "perennial_rpc", "slow");
        warn!(target: "perennial_scheduler", attempt = 8, "again");
    });
    warn!(target: "perennial_scheduler", "outside");
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_json_line_within_a_renewal_has_its_trace_and_its_secret_at_the_top() {
    for level in ["info", "warn", "off,perennial_rpc=warn,perennial_scheduler=warn"] {
        let output = logged(level, LogFormat::Json, renewal);
        let [slow, again, outside] = &objects(&output)[..] else { panic!("{output}") };

        let trace_id = slow["trace_id"].as_str().unwrap();
        assert!(trace_id.len() == 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit()), "{slow}");
        assert_eq!(again["trace_id"], slow["trace_id"]);
        for line in [slow, again] {
            assert_eq!(
                (&line["namespace"], &line["name"]),
                (&"shoot--lab--1".into(), &"access".into())
            );
        }
        assert_eq!((&slow["attempt"], &again["attempt"]), (&7.into(), &8.into()), "{output}");
        assert_eq!(output.matches("\"attempt\"").count(), 2, "no key stands twice: {output}");
        assert!(!output.contains("otel.") && !output.contains("rpc."), "{output}");
        assert_eq!(outside["trace_id"], Value::Null);
    }
}

#[test]
fn a_text_line_within_a_renewal_ends_with_its_trace_and_names_its_secret() {
    let output = logged("warn", LogFormat::Text, renewal);
    let [slow, again, outside] = &output.lines().collect::<Vec<_>>()[..] else {
        panic!("{output}")
    };

    let (_, trace_id) = slow.rsplit_once(" trace_id=").unwrap();
    assert_eq!(trace_id.len(), 32, "{slow}");
    assert!(again.ends_with(trace_id), "{again}");
    let within =
        r#"renewal{namespace="shoot--lab--1" name="access" attempt=7}: perennial_rpc: slow"#;
    assert!(slow.contains(within), "{slow}");
    assert!(!outside.contains("trace_id") && !output.contains("otel."), "{output}");
}

#[test]
fn what_was_begun_before_a_span_was_given_its_secret_is_named_too() {
    let output = logged("info", LogFormat::Json, || {
        let span = info_span!(
            target: "perennial_rpc", "call", namespace = tracing::field::Empty,
            name = tracing::field::Empty
        );
        span.in_scope(|| {
            span.record("namespace", "shoot--lab--1");
            span.record("name", "access");
            info!(target: "perennial_rpc", "known");
        });
    });

    assert_eq!(objects(&output)[0]["name"], "access", "{output}");
}

#[test]
fn only_spans_of_ours_are_exported_whatever_is_logged() {
    for level in ["trace", "kube_client=trace,h2=trace,hyper=trace", "[buffer{frame}]=trace"] {
        let kept = Kept::default();
        let spans = provider("test", Sampler::AlwaysOn, Some(kept.clone()));
        logged_and_traced(level, LogFormat::Json, &spans, || {
            let ours = info_span!(target: "perennial_scheduler", "renewal");
            ours.in_scope(|| {
                leak_from_every_capped_target();
                trace_span!(target: "kube_client::client", "HTTP", answer = "eyJ-span")
                    .in_scope(renewal);
                info_span!(target: "kube_client::client", "HTTP", answer = "eyJ-span")
                    .in_scope(renewal);
                trace_span!(target: "perennial_kube", "detail", answer = "eyJ-own")
                    .in_scope(renewal);
            });
        });
        spans.shutdown_with_timeout(Duration::from_secs(5)).unwrap();

        let kept = kept.0.lock().unwrap();
        let names: Vec<_> = kept.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["Renew", "Renew", "Renew", "renewal"], "--log-level {level}");
        assert!(kept.iter().all(|span| span.events.is_empty()), "no line is exported");
        assert!(!format!("{kept:?}").contains("eyJ"), "--log-level {level}: {kept:?}");
        let one = kept[3].span_context.trace_id();
        assert!(kept.iter().all(|span| span.span_context.trace_id() == one), "{kept:?}");
    }
}

#[test]
fn a_collector_that_is_away_is_complained_about_once() {
    let output = logged("info", LogFormat::Text, || {
        let collector = Watched::new(Away(Mutex::new(3)));
        for _ in 0..5 {
            let _ = block_on(collector.export(Vec::new()));
        }
    });

    let [lost, again] = &output.lines().collect::<Vec<_>>()[..] else { panic!("{output}") };
    assert!(lost.contains("WARN") && lost.contains("connection refused"), "{lost}");
    assert!(again.contains("takes spans again"), "{again}");
}

#[derive(Debug, clap::Parser)]
struct Args {
    #[command(flatten)]
    log: LogArgs,
}

#[test]
fn a_collector_that_cannot_be_used_is_wrong_usage_or_configuration() {
    use clap::Parser as _;
    let parse = |flags: &[&str]| Args::try_parse_from(["service"].iter().chain(flags));

    assert_eq!(parse(&[]).unwrap().log.trace.otlp_endpoint, "");
    assert_eq!(parse(&["--otlp-endpoint="]).unwrap().log.trace.otlp_endpoint, "");
    for wrong in ["--otlp-endpoint=collector:4317", "--trace-ratio=1.5", "--trace-ratio=all"] {
        assert!(parse(&[wrong]).is_err(), "{wrong}");
    }
    let flags = ["--otlp-endpoint=https://collector:4317", "--otlp-ca=/no/such/file"];
    let args = parse(&flags).unwrap();
    let error = super::super::export::connect("test", &args.log.trace).unwrap_err();
    let text = perennial_core::failure::chain(&error);
    assert!(text.contains("--otlp-ca /no/such/file cannot be read"), "{text}");
}
