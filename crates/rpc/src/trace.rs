//! Trace context between services: W3C `traceparent` in the headers of every call.
//!
//! ```text
//! span of the caller ─► call (client) ─traceparent─► call (server) ─► whatever the handler does
//! ```
//!
//! Both sides have one place for it: [`client::Channel`](crate::client::Channel) sends the context
//! and the layer of [`server::Server`](crate::server::Server) takes it up. A call outside of any
//! trace sends nothing, so streams that a task opens by itself cost no span. Of what a caller sends
//! only `traceparent` is read: `tracestate` is free text, and would be passed on.

pub(crate) mod incoming;
pub(crate) mod outgoing;

use http::{HeaderMap, Response};
use opentelemetry::propagation::{Extractor, Injector};
use perennial_core::name::SecretRef;
use tonic::Code;
use tracing::{Span, field::display};

const TRACEPARENT: &str = "traceparent";

/// Says which Secret the call that is being handled is about; every line from here on names it.
pub fn about(secret: &SecretRef) {
    let span = Span::current();
    span.record("namespace", display(&secret.namespace));
    span.record("name", display(&secret.name));
}

struct Headers<T>(T);

impl Extractor for Headers<&HeaderMap> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).filter(|_| key == TRACEPARENT)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// The one header, for calls that have none and where headers are made.
struct Traceparent(String);

impl Extractor for Traceparent {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(&self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

impl Injector for Traceparent {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = value;
        }
    }
}

/// Marks a call that failed.
pub(crate) fn note_code(span: &Span, failed: Option<Code>) {
    failed.iter().for_each(|code| note(span, &i32::from(*code).to_string()));
}

/// Marks a call that failed. gRPC says so in the headers where there is no message.
fn note_outcome<B>(span: &Span, answer: Option<&Response<B>>) {
    let status = match answer {
        Some(answer) => answer.headers().get("grpc-status").and_then(|code| code.to_str().ok()),
        None => Some("14"), // unavailable: there is no answer
    };
    status.filter(|code| *code != "0").iter().for_each(|code| note(span, code));
}

fn note(span: &Span, code: &str) {
    span.record("rpc.grpc.status_code", code);
    span.record("otel.status_code", "ERROR");
}
