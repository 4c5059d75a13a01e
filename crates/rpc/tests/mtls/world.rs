//! One server, mostly with nothing but health, and calls to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use perennial_rpc::{
    client::{Channel, connect, with_deadline},
    identity::{Role, SpiffeId, Trust},
    server::{ServeError, Server},
    tls::TlsStore,
};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinSet,
};
use tonic::{Status, client::Grpc, codegen::http::uri::PathAndQuery, service::Routes};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_prost::ProstCodec;

const DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";

pub(crate) fn trust() -> Trust {
    Trust {
        trust_domain: "cluster.local".parse().unwrap(),
        namespace: "perennial-system".parse().unwrap(),
    }
}

/// A running server. It ends when this is dropped.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) ready: watch::Sender<bool>,
    stop: oneshot::Sender<()>,
    server: JoinSet<Result<(), ServeError>>,
}

impl World {
    pub(crate) async fn serving(tls: Arc<TlsStore>) -> Self {
        Self::serving_routes(tls, Routes::default()).await
    }

    /// With services beside health.
    pub(crate) async fn serving_routes(tls: Arc<TlsStore>, routes: Routes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ready = watch::Sender::new(true);
        let server = Server {
            tls,
            trust: trust(),
            routes,
            ready: ready.subscribe(),
            service: tonic_health::pb::health_server::SERVICE_NAME,
            descriptors: tonic_health::pb::FILE_DESCRIPTOR_SET,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve(listener, async { drop(stopped.await) }));
        Self { address, ready, stop, server: tasks }
    }

    /// A new connection, as `tls`, to a server that must be `expected`.
    pub(crate) fn channel(&self, tls: &Arc<TlsStore>, expected: impl Into<SpiffeId>) -> Channel {
        connect(&self.address.to_string(), expected.into(), tls).unwrap()
    }

    /// Calls `method` as `tls` on a new connection to the issuer.
    pub(crate) async fn call(
        &self,
        tls: &Arc<TlsStore>,
        method: &'static str,
    ) -> Result<(), Status> {
        call(self.channel(tls, trust().id(Role::TokenIssuer)), method).await
    }

    pub(crate) async fn stop(mut self) {
        self.stop.send(()).unwrap();
        self.server.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// Calls any method with an empty message.
pub(crate) async fn call(channel: Channel, method: &'static str) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static(method);
    let request = with_deadline((), DEADLINE);
    client.unary(request, path, ProstCodec::<(), ()>::default()).await.map(drop)
}

pub(crate) async fn health(channel: Channel) -> Result<ServingStatus, Status> {
    let request = with_deadline(HealthCheckRequest::default(), DEADLINE);
    let answer = HealthClient::new(channel).check(request).await?;
    Ok(answer.into_inner().status())
}
