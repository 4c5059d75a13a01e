use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt as _, future::join_all, stream::BoxStream};
use perennial_core::failure::{Failure, Kind};
use perennial_proto::issuer::v1::{
    IssueTokenRequest, IssueTokenResponse, IssueTokensRequest, IssueTokensResponse,
    ListShootsRequest, ListShootsResponse, ObserveShootRequest, ObserveShootResponse,
    RevokeGenerationRequest, RevokeGenerationResponse, SyncShootRequest, SyncShootResponse,
    WatchShootsRequest, WatchShootsResponse,
    token_issuer_server::{TokenIssuer, TokenIssuerServer},
};
use perennial_rpc::{
    client::Replicas,
    identity::Role,
    pipeline::{IssueTokens, Pipelines, answers},
    status::{Remote, to_status},
    tls::TlsStore,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tonic::{Code, Request, Response, Status, Streaming, service::Routes};

use crate::{
    pki::Authority,
    world::{World, trust},
};

/// Longer than anything here takes, and shorter than any limit of the product.
const MOMENT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("too soon")]
struct TooSoon;

impl Failure for TooSoon {
    fn kind(&self) -> Kind {
        Kind::Held
    }

    fn reason(&self) -> &str {
        "ISSUE_HELD"
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(7))
    }
}

/// Answers with the name that is asked for: `slow` when it is let, `refused` with an error.
#[derive(Clone, Debug)]
struct Issuer {
    asked: Arc<Mutex<Vec<String>>>,
    came: Arc<Notify>,
    slow: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

impl Default for Issuer {
    fn default() -> Self {
        let (asked, came, stop) = (Arc::default(), Arc::default(), watch::Sender::default());
        Self { asked, came, slow: Arc::new(Semaphore::new(0)), stop }
    }
}

impl Issuer {
    async fn issue(self, request: IssueTokenRequest) -> Result<IssueTokenResponse, Status> {
        self.asked.lock().unwrap().push(request.name.clone());
        self.came.notify_one();
        match request.name.as_str() {
            "slow" => drop(self.slow.acquire().await.unwrap()),
            "refused" => return Err(to_status(&TooSoon)),
            _ => {}
        }
        Ok(IssueTokenResponse { token: request.name, ..IssueTokenResponse::default() })
    }

    /// Waits until so many were asked for.
    async fn heard(&self, count: usize) {
        while self.asked.lock().unwrap().len() < count {
            self.came.notified().await;
        }
    }
}

fn unasked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not asked"))
}

#[tonic::async_trait]
impl TokenIssuer for Issuer {
    type IssueTokensStream = BoxStream<'static, Result<IssueTokensResponse, Status>>;
    type WatchShootsStream = BoxStream<'static, Result<WatchShootsResponse, Status>>;

    async fn issue_tokens(
        &self,
        request: Request<Streaming<IssueTokensRequest>>,
    ) -> Result<Response<Self::IssueTokensStream>, Status> {
        let (issuer, mut stop) = (self.clone(), self.stop.subscribe());
        let until = async move { drop(stop.wait_for(|stop| *stop).await) };
        let issue = move |request| issuer.clone().issue(request);
        Ok(Response::new(answers::<IssueTokens, _>(request, until, issue)))
    }

    async fn issue_token(
        &self,
        _: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        unasked()
    }

    async fn sync_shoot(
        &self,
        _: Request<SyncShootRequest>,
    ) -> Result<Response<SyncShootResponse>, Status> {
        unasked()
    }

    async fn revoke_generation(
        &self,
        _: Request<RevokeGenerationRequest>,
    ) -> Result<Response<RevokeGenerationResponse>, Status> {
        unasked()
    }

    async fn observe_shoot(
        &self,
        _: Request<ObserveShootRequest>,
    ) -> Result<Response<ObserveShootResponse>, Status> {
        unasked()
    }

    async fn watch_shoots(
        &self,
        _: Request<WatchShootsRequest>,
    ) -> Result<Response<Self::WatchShootsStream>, Status> {
        unasked()
    }

    async fn list_shoots(
        &self,
        _: Request<ListShootsRequest>,
    ) -> Result<Response<ListShootsResponse>, Status> {
        unasked()
    }
}

/// What lies between client and server, and can be cut.
struct Wire {
    listening: SocketAddr,
    server: SocketAddr,
    carried: JoinSet<()>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listening, mut carried) = (listener.local_addr().unwrap(), JoinSet::new());
        carried.spawn(carry(listener, server));
        Self { listening, server, carried }
    }

    async fn cut(&mut self) {
        self.carried.shutdown().await;
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.listening).await.unwrap();
        self.carried.spawn(carry(listener, self.server));
    }
}

async fn carry(listener: TcpListener, server: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut server = TcpStream::connect(server).await.unwrap();
            drop(copy_bidirectional(&mut client, &mut server).await);
        });
    }
}

/// A server, and pipelines to it.
struct Line {
    issuer: Issuer,
    wire: Wire,
    calls: Pipelines<IssueTokens>,
    driver: JoinSet<()>,
    _world: World,
}

impl Line {
    async fn open() -> Self {
        let ca = Authority::new();
        let issuer = Issuer::default();
        let routes = Routes::new(TokenIssuerServer::new(issuer.clone()));
        let world = World::serving_routes(ca.store(Role::TokenIssuer), routes).await;
        let wire = Wire::to(world.address).await;
        let (calls, driver) = calls_as(wire.listening, &ca.store(Role::SecretWriter));
        Self { issuer, wire, calls, driver, _world: world }
    }

    async fn call(&self, name: &str) -> Result<String, Status> {
        call(&self.calls, name).await
    }
}

fn calls_as(to: SocketAddr, tls: &Arc<TlsStore>) -> (Pipelines<IssueTokens>, JoinSet<()>) {
    let expected = trust().id(Role::TokenIssuer);
    let replicas = Replicas::new([to.to_string()], expected, tls).unwrap();
    let (calls, driven) = Pipelines::new(replicas);
    let mut driver = JoinSet::new();
    driver.spawn(driven);
    (calls, driver)
}

async fn call(calls: &Pipelines<IssueTokens>, name: &str) -> Result<String, Status> {
    let request = IssueTokenRequest { name: name.to_owned(), ..IssueTokenRequest::default() };
    let called = timeout(MOMENT, calls.call("shoot--lab--1", request)).await;
    called.expect("it is answered in time").map(|answer| answer.token)
}

#[tokio::test]
async fn each_call_gets_its_own_answer_and_a_slow_one_keeps_nobody_waiting() {
    let line = Line::open().await;
    let mut slow = std::pin::pin!(line.call("slow"));
    assert!(slow.as_mut().now_or_never().is_none());

    let names: Vec<_> = (0..200).map(|number| format!("name-{number}")).collect();
    let answered = join_all(names.iter().map(|name| line.call(name))).await;
    assert!(slow.as_mut().now_or_never().is_none());
    line.issuer.slow.add_permits(1);

    let answered: Vec<_> = answered.into_iter().map(Result::unwrap).collect();
    assert_eq!(answered, names);
    assert_eq!(slow.await.unwrap(), "slow");
    let asked = line.issuer.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), asked.len(), "each asked once");
}

#[tokio::test]
async fn an_error_arrives_as_that_of_a_call_of_its_own_would_and_ends_no_other_call() {
    let line = Line::open().await;

    let refused = Remote::from(line.call("refused").await.unwrap_err());

    assert!(refused.is_answer());
    assert_eq!((refused.kind(), refused.reason()), (Kind::Held, "ISSUE_HELD"));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(line.call("next").await.unwrap(), "next");
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_read_and_reads_no_more() {
    let line = Line::open().await;
    let read = line.call("slow");
    let stop = async {
        line.issuer.heard(1).await;
        line.issuer.stop.send_replace(true);
        line.issuer.slow.add_permits(1);
    };

    let (answered, ()) = tokio::join!(read, stop);

    assert_eq!(answered.unwrap(), "slow");
    let late = line.call("late").await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable);
    assert_eq!(*line.issuer.asked.lock().unwrap(), ["slow"]);
}

#[tokio::test]
async fn who_waits_at_a_stream_that_breaks_is_told_and_the_next_call_opens_another() {
    let mut line = Line::open().await;
    let waiting = call(&line.calls, "slow");
    let cut = async {
        line.issuer.heard(1).await;
        line.wire.cut().await;
    };

    let (told, ()) = tokio::join!(waiting, cut);

    let told = Remote::from(told.unwrap_err());
    assert_eq!((told.kind(), told.is_answer()), (Kind::Unavailable, false), "{told}");
    let nobody = Remote::from(line.call("nobody").await.unwrap_err());
    assert_eq!((nobody.kind(), nobody.message()), (Kind::Unavailable, "Connection refused"));

    line.wire.mend().await;
    assert_eq!(line.call("again").await.unwrap(), "again");
}

#[tokio::test]
async fn whoever_may_not_call_the_method_is_refused_at_the_door_each_time() {
    let ca = Authority::new();
    let routes = Routes::new(TokenIssuerServer::new(Issuer::default()));
    let world = World::serving_routes(ca.store(Role::TokenIssuer), routes).await;
    let (calls, _driver) = calls_as(world.address, &ca.store(Role::Scheduler));

    let refused = join_all((0..20).map(|_| call(&calls, "any"))).await;

    for refused in refused {
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn what_drives_the_calls_ends_with_the_last_who_may_call() {
    let Line { calls, mut driver, _world, wire: _wire, .. } = Line::open().await;
    assert_eq!(call(&calls, "one").await.unwrap(), "one");
    let second = calls.clone();
    drop(calls);
    assert_eq!(call(&second, "two").await.unwrap(), "two");
    assert!(driver.join_next().now_or_never().is_none());

    drop(second);

    timeout(MOMENT, driver.join_next()).await.unwrap().unwrap().unwrap();
}
