//! The server's side.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Extensions, Request, Response};
use opentelemetry::{
    Context as TraceContext,
    propagation::{Extractor, TextMapPropagator as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Headers, Traceparent, note_outcome};
use crate::{authorize::METHODS, server::Connection};

/// Methods of ours; health and reflection are asked too often to be of interest.
const OURS: &str = "/perennial.";

/// Makes the span of a call, as a child of the caller's where there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace;

impl<S> Layer<S> for Trace {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced(inner)
    }
}

/// A service whose calls have spans.
#[derive(Clone, Debug)]
pub(crate) struct Traced<S>(S);

impl<S, B, R> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = span(&request);
        // Within the span, because a refusal is logged before there is a future.
        let answer = span.in_scope(|| self.0.call(request));
        if span.is_disabled() {
            return Box::pin(answer);
        }
        let watched = async move {
            let outcome = answer.await;
            note_outcome(&Span::current(), outcome.as_ref().ok());
            outcome
        };
        Box::pin(watched.instrument(span))
    }
}

/// Only methods of the table have one: a span takes its name from us and not from a caller.
fn span<B>(request: &Request<B>) -> Span {
    let called = request.uri().path();
    let known = METHODS.iter().find(|(path, _)| *path == called && path.starts_with(OURS));
    let Some((path, _)) = known else { return Span::none() };
    begin(path.trim_start_matches('/'), request.extensions(), &Headers(request.headers()))
}

/// The span of one message of a stream.
pub(crate) fn of_message(method: &'static str, stream: &Extensions, traceparent: String) -> Span {
    begin(method, stream, &Traceparent(traceparent))
}

fn begin(method: &'static str, extensions: &Extensions, caller: &dyn Extractor) -> Span {
    let connection = extensions.get::<Connection>();
    let peer = connection.and_then(|connection| connection.identity.as_ref());
    let span = info_span!(
        parent: None,
        "call", otel.kind = "server", otel.name = method, rpc.system = "grpc", rpc.method = method,
        peer = peer.map(tracing::field::display), namespace = Empty, name = Empty,
        rpc.grpc.status_code = Empty, otel.status_code = Empty
    );
    let caller = TraceContextPropagator::new().extract_with_context(&TraceContext::new(), caller);
    // Refused where there is no subscriber for spans, as in most tests.
    let _ = span.set_parent(caller);
    span
}
