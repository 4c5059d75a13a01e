//! One renewal is one trace over all three services, and its lines say so.
//!
//! Who listens is set for a whole process, so the services run in a child: this very test, told by
//! an environment variable to play the part.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::Command,
    sync::{Arc, Mutex},
};

use clap::Parser;
use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use perennial_process::{args::LogArgs, telemetry};
use perennial_proto::scheduler::v1::RenewNowRequest;
use perennial_rpc::client::with_deadline;
use serde_json::Value;
use tracing::subscriber::set_global_default;

use crate::house::{House, namespace, operator::DEADLINE};

const OPERATORS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// File for the last word of the child; set only there.
const LAST_WORD_FILE: &str = "PERENNIAL_TESTS_TRACE_LAST_WORD";
const LAST_WORD: &str = "both traces are whole";
const TEST: &str = "trace::a_renewal_is_one_trace_from_the_order_to_the_patch";

/// Lines and spans of this process, in which all three services run.
struct Told {
    lines: Kept<u8>,
    spans: Kept<SpanData>,
    provider: SdkTracerProvider,
}

impl Told {
    fn listen(flags: &[&str]) -> Self {
        #[derive(Parser)]
        struct Args {
            #[command(flatten)]
            log: LogArgs,
        }
        let args = Args::parse_from(["test"].iter().chain(flags));
        let (lines, spans) = (Kept::default(), Kept::default());
        let provider = telemetry::provider("test", Sampler::AlwaysOn, Some(spans.clone()));
        let to = lines.clone();
        let subscriber = telemetry::subscriber(&args.log, move || to.clone(), &provider);
        set_global_default(subscriber).unwrap();
        Self { lines, spans, provider }
    }

    /// Lines that name this Secret.
    fn lines_about(&self, name: &str) -> Vec<Value> {
        let text = String::from_utf8(self.lines.all()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["name"] == name).collect()
    }

    /// From the outermost span to each, by their names.
    fn paths(&self, trace: TraceId) -> Vec<String> {
        self.provider.force_flush().unwrap();
        let spans = self.spans.all();
        let of_trace = spans.iter().filter(|span| span.span_context.trace_id() == trace);
        let by_id: BTreeMap<String, &SpanData> =
            of_trace.map(|span| (span.span_context.span_id().to_string(), span)).collect();
        let path = |span: &SpanData| {
            let parent = |span: &&SpanData| by_id.get(&span.parent_span_id.to_string()).copied();
            let up = std::iter::successors(Some(span), parent).map(in_a_word);
            up.collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" > ")
        };
        let mut paths: Vec<_> = by_id.values().map(|span| path(span)).collect();
        paths.sort();
        paths
    }
}

fn in_a_word(span: &SpanData) -> String {
    let operation = span.attributes.iter().find(|attribute| attribute.key.as_str() == "operation");
    let name = match operation {
        Some(operation) => operation.value.to_string(),
        None => span.name.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    match span.span_kind {
        SpanKind::Client => format!("{name}→"),
        SpanKind::Server => format!("{name}←"),
        _ => name,
    }
}

#[derive(Clone, Debug)]
struct Kept<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Kept<T> {
    fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Kept<u8> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpanExporter for Kept<SpanData> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

/// Every span of a renewal with all above it, below `root`; sorted.
fn a_renewal_below(root: &str, name: &str) -> Vec<String> {
    let writer = format!("{root}renewal > RenewToken→ > RenewToken←");
    let issuer = format!("{writer} > IssueToken→ > IssueToken←");
    let account = name.trim_start_matches("shoot-access-");
    let mut paths = vec![
        format!("{root}renewal"),
        format!("{root}renewal > RenewToken→"),
        format!("{writer} > IssueToken→"),
        format!("{issuer} > request a token for kube-system/{account}→"),
        format!("{writer} > write Secret {}/{name}→", namespace(1)),
    ];
    paths.extend([writer, issuer]);
    paths.sort();
    paths
}

#[test]
fn a_renewal_is_one_trace_from_the_order_to_the_patch() {
    if let Some(file) = std::env::var_os(LAST_WORD_FILE) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play());
        return std::fs::write(file, LAST_WORD).unwrap();
    }
    let last_word = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", TEST, "--nocapture"]).env(LAST_WORD_FILE, last_word.path());
    let output = child.output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    let said = std::fs::read_to_string(last_word.path()).unwrap();
    assert!(output.status.success() && said == LAST_WORD, "{told}");
}

async fn play() {
    let told = Told::listen(&["--log-level=debug"]);
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;
    house.all_fresh(2).await;
    the_schedulers_own(&told, &name);
    an_operators(&house, &told, &name).await;
}

fn the_schedulers_own(told: &Told, name: &str) {
    let lines = told.lines_about(name);
    let trace_id = lines[0]["trace_id"].as_str().unwrap();
    assert!(lines.len() >= 4, "the order, and what each service made of it: {lines:#?}");
    for line in &lines {
        assert_eq!(line["trace_id"], trace_id, "{line}");
        assert_eq!(line["namespace"], namespace(1), "{line}");
    }
    for service in ["perennial_scheduler", "perennial_secret_writer", "perennial_token_issuer"] {
        let is_of = |line: &&Value| line["target"].as_str().unwrap().starts_with(service);
        assert!(lines.iter().any(|line| is_of(&line)), "no line of {service}: {lines:#?}");
    }
    // The account is made first, and the refused TokenRequest asked again.
    let mut paths = told.paths(TraceId::from_hex(trace_id).unwrap());
    paths.dedup();
    paths.retain(|path| !path.contains("apply ServiceAccount"));
    assert_eq!(paths, a_renewal_below("", name));
}

async fn an_operators(house: &House, told: &Told, name: &str) {
    let before = told.lines_about(name).len();
    let message = RenewNowRequest { namespace: namespace(1), name: name.to_owned() };
    let mut request = with_deadline(message, DEADLINE);
    request.metadata_mut().insert("traceparent", OPERATORS.parse().unwrap());
    house.scheduler().renew_now(request).await.unwrap();

    let trace = OPERATORS.split('-').nth(1).unwrap();
    let lines = told.lines_about(name).split_off(before);
    assert!(lines.len() >= 4, "{lines:#?}");
    for line in &lines {
        assert_eq!(line["trace_id"], trace, "{line}");
    }
    let mut expected = a_renewal_below("RenewNow← > ", name);
    expected.insert(0, "RenewNow←".to_owned());
    assert_eq!(told.paths(TraceId::from_hex(trace).unwrap()), expected);
}
