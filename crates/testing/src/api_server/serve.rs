//! HTTPS on a loopback port that can be cut off and come back under the same address.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Extension, Request, State},
    response::{IntoResponse as _, Response},
};
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};

use super::{
    answer::Asked,
    fault::Fault,
    refusal::{Answer, Body as AnswerBody},
    selector::Selector,
    state::{Peer, Shared},
    target::{Target, What},
    watch as watching,
};
use crate::certificates::{Authority, Certificate};

/// Longest request that is read. API servers take 3 MiB.
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Longest time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes TLS 1.3 connections with or without a client certificate of `authority`.
pub(super) fn acceptor(authority: &Authority) -> TlsAcceptor {
    let Certificate { certificate_pem, key_pem } = authority.certificate("kube-apiserver", &[]);
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&authority.pem())).expect("it was just made");
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()
        .expect("there is a root");
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).expect("rcgen writes PEM");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs knows TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(&certificate_pem)], key)
        .expect("key and certificate were made together");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("rcgen writes PEM")
}

/// Serves until it is dropped. While `reachable` is false connections break and new ones are
/// closed at once.
pub(super) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    shared: Shared,
    mut reachable: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok(()) = reachable.changed() => {
                if !*reachable.borrow() {
                    connections.shutdown().await;
                }
            }
            Ok((stream, _)) = listener.accept() => {
                if *reachable.borrow() {
                    connections.spawn(connection(stream, acceptor.clone(), shared.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Shared) {
    let handshake = time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else { return };
    let has_certificate = stream.get_ref().1.peer_certificates().is_some();
    let router = Router::new()
        .fallback(handle)
        .layer(Extension(Peer { has_certificate }))
        .with_state(shared);
    let builder = auto::Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(router);
    // Broken connections are everyday here; the client says what it saw.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn handle(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let target = Target::parse(&parts.method, parts.uri.path(), query);
    let (fault, healings) = shared.with(|state| {
        state.calls.record(target.call.clone());
        (state.faults.take(&target.call), state.faults.healings)
    });
    if fault == Some(Fault::Hang) {
        std::future::pending::<()>().await;
    }
    if let Some(answer) = fault.and_then(Fault::answer) {
        return respond(&shared, answer);
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return respond(&shared, Answer::text(413, "request entity too large"));
    };
    let now = shared.now();
    let admitted = shared.look(|state| state.admit(&parts.headers, peer, now));
    if let Err(refusal) = admitted {
        return respond(&shared, refusal.into());
    }
    if let (What::Objects(resource), "watch") = (target.what, target.call.verb) {
        return match Selector::of(resource, &target) {
            Ok(selector) => {
                let lines = watching::lines(shared.clone(), selector, &target);
                dated(&shared, Body::from_stream(lines).into_response())
            }
            Err(refusal) => respond(&shared, refusal.into()),
        };
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = Asked { target: &target, content_type, body: &body, now };
    let answer = shared.with(|state| state.answer(asked)).unwrap_or_else(Answer::from);
    match fault {
        Some(Fault::AnswerLost) => return broken(),
        Some(Fault::AnswerGarbled) => return garbled(respond(&shared, answer)).await,
        Some(Fault::AnswerHeld) => healed_since(&shared, healings).await,
        _ => {}
    }
    respond(&shared, answer)
}

/// All but the end, as from an API server that was cut off behind a proxy.
async fn garbled(answer: Response) -> Response {
    const MISSING: usize = 3;
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let whole = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    Response::from_parts(parts, Body::from(whole.slice(..whole.len().saturating_sub(MISSING))))
}

async fn healed_since(shared: &Shared, healings: u64) {
    let mut changed = shared.follow();
    while shared.look(|state| state.faults.healings) == healings {
        if changed.changed().await.is_err() {
            return;
        }
    }
}

fn respond(shared: &Shared, answer: Answer) -> Response {
    let (content_type, body) = match answer.body {
        AnswerBody::Json(value) => ("application/json", value.to_string().into()),
        AnswerBody::Text(text) => ("text/plain; charset=utf-8", Body::from(text)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.code).expect("codes are constants");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = answer.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    dated(shared, response)
}

/// The `Date` of the injected clock, which hyper leaves as it is.
fn dated(shared: &Shared, mut response: Response) -> Response {
    let now = shared.now();
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok();
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// An answer that breaks off after its headers.
fn broken() -> Response {
    let broken: [Result<Bytes, std::io::Error>; 1] = [Err(std::io::ErrorKind::BrokenPipe.into())];
    Response::new(Body::from_stream(stream::iter(broken)))
}
