//! An OTLP collector that keeps what it is given.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// It runs until it is dropped.
pub(crate) struct Collector {
    pub(crate) addr: SocketAddr,
    kept: Kept,
    _server: JoinSet<Result<(), tonic::transport::Error>>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_service in request.into_inner().resource_spans {
            let resource = of_service.resource.unwrap_or_default();
            let service = text_of(&resource.attributes, "service.name");
            let spans = of_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn text_of(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let kept = Kept::default();
        let server = Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        let mut task = JoinSet::new();
        task.spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { addr, kept, _server: task }
    }

    /// The flag for a service.
    pub(crate) fn flag(&self) -> String {
        format!("--otlp-endpoint=http://{}", self.addr)
    }

    /// Everything that came, as text.
    pub(crate) fn dump(&self) -> String {
        format!("{:#?}", self.kept.0.lock().unwrap())
    }

    /// From the outermost span to each of a trace, with service, name or operation, and kind.
    pub(crate) fn paths(&self, trace_id: &str) -> Vec<String> {
        let kept = self.kept.0.lock().unwrap();
        let of_trace = kept.iter().filter(|(_, span)| hex(&span.trace_id) == trace_id);
        let by_id: BTreeMap<&[u8], &(String, Span)> =
            of_trace.map(|spanned| (spanned.1.span_id.as_slice(), spanned)).collect();
        let path = |spanned| {
            let parent =
                |(_, span): &&(String, Span)| by_id.get(span.parent_span_id.as_slice()).copied();
            let up: Vec<_> = std::iter::successors(Some(spanned), parent).map(word).collect();
            up.into_iter().rev().collect::<Vec<_>>().join(" > ")
        };
        let mut paths: Vec<String> = by_id.values().copied().map(path).collect();
        paths.sort();
        paths
    }
}

fn word((service, span): &(String, Span)) -> String {
    let operation = text_of(&span.attributes, "operation");
    let method = span.name.rsplit('/').next().unwrap_or_default();
    let name = if operation.is_empty() { method } else { &operation };
    let kind = match span.kind() {
        SpanKind::Client => "→",
        SpanKind::Server => "←",
        _ => " ",
    };
    format!("{service}{kind}{name}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
