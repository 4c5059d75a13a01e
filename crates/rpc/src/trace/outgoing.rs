//! The caller's side.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use opentelemetry::{
    Context as TraceContext, propagation::TextMapPropagator as _, trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::{body::Body, transport};
use tower::Service;
use tracing::{Instrument as _, Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{TRACEPARENT, Traceparent, note_outcome};

/// A channel to one replica, connected when it is first used. Calls within a trace carry it on.
#[derive(Clone, Debug)]
pub struct Channel(transport::Channel);

impl Channel {
    pub(crate) const fn new(channel: transport::Channel) -> Self {
        Self(channel)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = transport::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (span, traceparent) = begin(request.uri().path().trim_start_matches('/'));
        if span.is_disabled() {
            return Box::pin(self.0.call(request));
        }
        if let Ok(traceparent) = HeaderValue::try_from(traceparent) {
            request.headers_mut().insert(TRACEPARENT, traceparent);
        }
        let answer = self.0.call(request);
        let watched = async move {
            let outcome = answer.await;
            note_outcome(&Span::current(), outcome.as_ref().ok());
            outcome
        };
        Box::pin(watched.instrument(span))
    }
}

/// The span of a call and what tells the other side of it; none outside of a trace.
pub(crate) fn begin(method: &str) -> (Span, String) {
    let mut traceparent = Traceparent(String::new());
    if !TraceContext::map_current(TraceContext::has_active_span) {
        return (Span::none(), traceparent.0);
    }
    let span = info_span!(
        "call",
        otel.kind = "client",
        otel.name = method,
        rpc.system = "grpc",
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        otel.status_code = Empty
    );
    TraceContextPropagator::new().inject_context(&span.context(), &mut traceparent);
    (span, traceparent.0)
}
