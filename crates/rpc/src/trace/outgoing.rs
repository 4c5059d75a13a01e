//! The caller's side.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use opentelemetry::{
    Context as TraceContext, propagation::TextMapPropagator as _, trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::{body::Body, transport};
use tower::Service;
use tracing::{Instrument as _, Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Headers, note_outcome};

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
        if !TraceContext::map_current(TraceContext::has_active_span) {
            return Box::pin(self.0.call(request));
        }
        let method = request.uri().path().trim_start_matches('/');
        let span = info_span!(
            "call",
            otel.kind = "client",
            otel.name = method,
            rpc.system = "grpc",
            rpc.method = method,
            rpc.grpc.status_code = Empty,
            otel.status_code = Empty
        );
        let context = span.context();
        TraceContextPropagator::new().inject_context(&context, &mut Headers(request.headers_mut()));
        let answer = self.0.call(request);
        let watched = async move {
            let outcome = answer.await;
            note_outcome(&Span::current(), outcome.as_ref().ok());
            outcome
        };
        Box::pin(watched.instrument(span))
    }
}
