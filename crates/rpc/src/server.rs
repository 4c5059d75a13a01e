//! A gRPC server over mutual TLS whose certificates are taken up anew per connection.

mod accept;
mod health;

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{service::Routes, transport};
use tracing::warn;

pub use self::accept::Connection;
use crate::{authorize::Authorize, identity::Trust, tls::TlsStore, trace::incoming::Trace};

/// Connections that are through their handshake and wait to be served.
const ACCEPTED_MAX: usize = 64;
/// Calls in flight on one connection.
const STREAMS_MAX: u32 = 1024;
/// Headers of one call, in bytes. Ours are a few hundred.
const HEADERS_BYTES_MAX: u32 = 16 * 1024;
/// A caller that vanished without a word is noticed after both of these together.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time until a handler has its first answer. Callers' own deadlines are shorter.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time that calls in flight may take to end after shutdown; half of the default
/// `--drain-grace`, so that the rest of the process still has the other half.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a server serves, and to whom.
#[derive(Debug)]
pub struct Server {
    /// Certificate of the server and authorities of its clients.
    pub tls: Arc<TlsStore>,
    /// Who has a role.
    pub trust: Trust,
    /// The services. They set their own limits of message size.
    pub routes: Routes,
    /// Followed by `grpc.health.v1.Health` for the whole server (the empty service name).
    pub ready: watch::Receiver<bool>,
    /// Full name of the service that reflection lists beside health.
    pub service: &'static str,
    /// The encoded `FileDescriptorSet` that explains it.
    pub descriptors: &'static [u8],
}

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptor set does not decode.
    #[error("failed to prepare reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// tonic gave up.
    #[error("failed to serve gRPC")]
    Transport(#[source] transport::Error),
}

impl Server {
    /// Serves until `shutdown` ends; then the port is closed, health says `NOT_SERVING`, and calls
    /// in flight have ten seconds. Streams must end by themselves on shutdown: what is still open
    /// after that is left behind and cut by the end of the process.
    ///
    /// # Errors
    ///
    /// [`ServeError`]. Failures of single connections are logged and end nothing.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let shutdown = shutdown.shared();
        let (reporter, health) = tonic_health::server::health_reporter();
        let routes =
            with_reflection(self.routes, self.service, self.descriptors)?.add_service(health);
        let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
        let server = builder().layer(Trace).layer(Authorize::new(self.trust)).add_routes(routes);
        let served = server.serve_with_incoming_shutdown(
            ReceiverStream::new(accepted).map(Ok::<_, std::convert::Infallible>),
            shutdown.clone(),
        );
        let until_overdue = async {
            accept::accept(listener, &self.tls, sender, shutdown.clone()).await;
            time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            ended = served => ended.map_err(ServeError::Transport),
            () = until_overdue => {
                warn!("calls were still in flight {DRAIN_TIMEOUT:?} after shutdown, leaving them");
                Ok(())
            }
            never = health::follow(reporter, self.ready, shutdown.clone()) => match never {},
        }
    }
}

fn builder() -> transport::Server {
    transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .timeout(HANDLER_TIMEOUT)
}

/// Lists what this server answers. The descriptors are of all our services; naming those too would
/// invite calls that end in `Unimplemented`.
fn with_reflection(
    routes: Routes,
    service: &'static str,
    descriptors: &'static [u8],
) -> Result<Routes, ServeError> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .with_service_name(service)
            .with_service_name(tonic_health::pb::health_server::SERVICE_NAME)
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // Without them grpcurl shows the details of an error as base64.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(routes
        .add_service(builder().build_v1().map_err(ServeError::Reflection)?)
        .add_service(builder().build_v1alpha().map_err(ServeError::Reflection)?))
}
