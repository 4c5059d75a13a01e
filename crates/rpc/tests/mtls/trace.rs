use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanId, SpanKind, Status as SpanStatus, TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use perennial_core::name::SecretRef;
use perennial_rpc::{client::Channel, identity::Role, trace::about};
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;
use tracing::{Instrument as _, info_span, subscriber::DefaultGuard};
use tracing_subscriber::{Layer as _, filter::LevelFilter, layer::SubscriberExt as _};

use crate::{
    pki::Authority,
    world::{HEALTH, World, trust},
};

const ISSUE: &str = "/perennial.issuer.v1.TokenIssuer/IssueToken";
const OPERATORS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The spans of this thread, in the order in which they ended.
#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Spans {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

impl Spans {
    fn collect() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO));
        (spans, tracing::subscriber::set_default(subscriber))
    }

    fn ended(&self) -> Vec<SpanData> {
        self.0.lock().unwrap().clone()
    }
}

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<std::borrow::Cow<'a, str>> {
    let found = span.attributes.iter().rev().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.as_str())
}

#[tokio::test]
async fn a_call_within_a_trace_carries_it_to_the_server() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let (spans, _guard) = Spans::collect();

    let writer = ca.store(Role::SecretWriter);
    let status = world.call(&writer, ISSUE).instrument(info_span!("renewal")).await.unwrap_err();

    assert_eq!(status.code(), Code::Unimplemented);
    let ended = spans.ended();
    let [server, client, renewal] = &ended[..] else { panic!("{ended:?}") };
    for (span, parent) in [(server, client), (client, renewal)] {
        assert_eq!(span.name, "perennial.issuer.v1.TokenIssuer/IssueToken");
        assert_eq!(span.parent_span_id, parent.span_context.span_id());
        assert_eq!(span.span_context.trace_id(), renewal.span_context.trace_id());
        assert_eq!(attribute(span, "rpc.grpc.status_code").unwrap(), "12");
        assert!(matches!(span.status, SpanStatus::Error { .. }), "{span:?}");
    }
    assert_eq!((&server.span_kind, &client.span_kind), (&SpanKind::Server, &SpanKind::Client));
    assert!(server.parent_span_is_remote);
    let peer = trust().id(Role::SecretWriter).to_string();
    assert_eq!(attribute(server, "peer").unwrap(), peer);
}

#[tokio::test]
async fn a_call_outside_of_any_trace_begins_one_at_the_server() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let (spans, _guard) = Spans::collect();

    world.call(&ca.store(Role::SecretWriter), ISSUE).await.unwrap_err();

    let [server] = &spans.ended()[..] else { panic!("{:?}", spans.ended()) };
    assert_eq!(server.parent_span_id, SpanId::INVALID);
}

#[tokio::test]
async fn an_operators_trace_goes_on_without_the_free_text_beside_it() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let (spans, _guard) = Spans::collect();

    let channel = world.channel(&ca.store(Role::SecretWriter), trust().id(Role::TokenIssuer));
    call_with(channel, &[("traceparent", OPERATORS), ("tracestate", "vendor=eyJhbGciOi")]).await;

    let [server] = &spans.ended()[..] else { panic!("{:?}", spans.ended()) };
    let context = &server.span_context;
    assert!(OPERATORS.contains(&context.trace_id().to_string()));
    assert!(OPERATORS.contains(&server.parent_span_id.to_string()));
    assert_eq!(context.trace_state().header(), "");
}

#[tokio::test]
async fn nonsense_for_a_trace_begins_a_new_one() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let (spans, _guard) = Spans::collect();

    for nonsense in ["", "00", "00-0-0-01", &OPERATORS.to_uppercase(), &"x".repeat(4_000)] {
        let channel = world.channel(&ca.store(Role::SecretWriter), trust().id(Role::TokenIssuer));
        call_with(channel, &[("traceparent", nonsense)]).await;
        let server = spans.0.lock().unwrap().pop().expect("a span of its own");
        assert_eq!(server.parent_span_id, SpanId::INVALID, "{nonsense}");
        assert!(server.span_context.is_valid());
    }
}

#[tokio::test]
async fn what_is_asked_all_the_time_and_what_does_not_exist_have_no_span() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let (spans, _guard) = Spans::collect();

    world.call(&ca.store(Role::Operator), HEALTH).await.unwrap();
    world.call(&ca.store(Role::Operator), "/perennial.v1.Any/Thing").await.unwrap_err();

    assert!(spans.ended().is_empty(), "{:?}", spans.ended());
}

#[test]
fn a_call_is_told_which_secret_it_is_about() {
    let (spans, _guard) = Spans::collect();
    let span = info_span!("call", namespace = tracing::field::Empty, name = tracing::field::Empty);
    span.in_scope(|| about(&SecretRef::parse("shoot--lab--1", "access").unwrap()));
    drop(span);

    let [call] = &spans.ended()[..] else { panic!("{:?}", spans.ended()) };
    assert_eq!(attribute(call, "namespace").unwrap(), "shoot--lab--1");
    assert_eq!(attribute(call, "name").unwrap(), "access");
}

async fn call_with(channel: Channel, metadata: &[(&'static str, &str)]) {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = Request::new(());
    for (key, value) in metadata {
        request.metadata_mut().insert(*key, value.parse().unwrap());
    }
    let path = PathAndQuery::from_static(ISSUE);
    let outcome = client.unary(request, path, ProstCodec::<(), ()>::default()).await;
    assert_eq!(outcome.unwrap_err().code(), Code::Unimplemented);
}
