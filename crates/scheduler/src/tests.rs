//! The whole service over mutual TLS on loopback, between a secret-writer and a token-issuer that
//! do as they are told.

use std::{
    future::{pending, ready},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use perennial_core::{failure::Kind, reason::Reason, record::Record, shoot::Reach};
use perennial_proto::{
    issuer::v1 as issuer,
    scheduler::v1::{
        RenewNowRequest, State, WatchSchedulesRequest, scheduler_client::SchedulerClient,
        watch_schedules_response::Event,
    },
    writer::v1 as writer,
};
use perennial_rpc::{
    client::connect,
    convert,
    pipeline::{RenewTokens, answers},
    status::to_status,
};
use perennial_testing::certificates::Authority;
use tokio::{sync::watch, time};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::StatusExt as _;

use super::*;
use crate::fixtures::{Alone, Unthrown, bare, settings, shoot, written};

const LONGEST_WAIT: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
#[error("the shoot refuses")]
struct Refuses;

impl perennial_core::failure::Failure for Refuses {
    fn kind(&self) -> Kind {
        Kind::Denied
    }

    fn reason(&self) -> &str {
        "API_SERVER_FORBIDDEN"
    }
}

/// Holds one Secret, renews it once and refuses from then on.
#[derive(Clone, Default)]
struct FakeWriter(Arc<Mutex<Vec<writer::RenewTokenRequest>>>);

impl FakeWriter {
    fn renew(
        &self,
        renewal: writer::RenewTokenRequest,
    ) -> Result<writer::RenewTokenResponse, Status> {
        let mut calls = self.0.lock().unwrap();
        calls.push(renewal);
        if calls.len() > 1 {
            return Err(to_status(&Refuses));
        }
        let now = SystemClock.now().as_second();
        let record = written(&bare("shoot-1/a"), now, Reason::NothingHeld);
        Ok(writer::RenewTokenResponse { record: Some(convert::record_to_proto(&record)) })
    }
}

#[tonic::async_trait]
impl writer::secret_writer_server::SecretWriter for FakeWriter {
    type WatchAccessSecretsStream =
        BoxStream<'static, Result<writer::WatchAccessSecretsResponse, Status>>;

    async fn renew_token(
        &self,
        _: Request<writer::RenewTokenRequest>,
    ) -> Result<Response<writer::RenewTokenResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    type RenewTokensStream = BoxStream<'static, Result<writer::RenewTokensResponse, Status>>;

    async fn renew_tokens(
        &self,
        request: Request<Streaming<writer::RenewTokensRequest>>,
    ) -> Result<Response<Self::RenewTokensStream>, Status> {
        let this = self.clone();
        let renew = move |renewal| ready(this.renew(renewal));
        Ok(Response::new(answers::<RenewTokens, _>(request, pending(), renew)))
    }

    async fn sync_secret(
        &self,
        _: Request<writer::SyncSecretRequest>,
    ) -> Result<Response<writer::SyncSecretResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn watch_access_secrets(
        &self,
        _: Request<writer::WatchAccessSecretsRequest>,
    ) -> Result<Response<Self::WatchAccessSecretsStream>, Status> {
        use writer::watch_access_secrets_response::Event;
        let nonsense = writer::AccessSecret::default();
        let record: Record = bare("shoot-1/a");
        let events = [
            Event::Upsert(nonsense),
            Event::Upsert(convert::record_to_proto(&record)),
            Event::SnapshotComplete(writer::SnapshotComplete {}),
        ];
        let messages =
            events.map(|event| Ok(writer::WatchAccessSecretsResponse { event: Some(event) }));
        let stream = futures::stream::iter(messages).chain(futures::stream::pending());
        Ok(Response::new(stream.boxed()))
    }

    async fn get_access_secret(
        &self,
        _: Request<writer::GetAccessSecretRequest>,
    ) -> Result<Response<writer::GetAccessSecretResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_access_secrets(
        &self,
        _: Request<writer::ListAccessSecretsRequest>,
    ) -> Result<Response<writer::ListAccessSecretsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

/// Reaches one shoot, and keeps what it is told to observe.
#[derive(Clone, Default)]
struct FakeIssuer(Arc<Mutex<Vec<issuer::ObserveShootRequest>>>);

#[tonic::async_trait]
impl issuer::token_issuer_server::TokenIssuer for FakeIssuer {
    type WatchShootsStream = BoxStream<'static, Result<issuer::WatchShootsResponse, Status>>;

    async fn issue_token(
        &self,
        _: Request<issuer::IssueTokenRequest>,
    ) -> Result<Response<issuer::IssueTokenResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    type IssueTokensStream = BoxStream<'static, Result<issuer::IssueTokensResponse, Status>>;

    async fn issue_tokens(
        &self,
        _: Request<Streaming<issuer::IssueTokensRequest>>,
    ) -> Result<Response<Self::IssueTokensStream>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn sync_shoot(
        &self,
        _: Request<issuer::SyncShootRequest>,
    ) -> Result<Response<issuer::SyncShootResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn revoke_generation(
        &self,
        _: Request<issuer::RevokeGenerationRequest>,
    ) -> Result<Response<issuer::RevokeGenerationResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn observe_shoot(
        &self,
        request: Request<issuer::ObserveShootRequest>,
    ) -> Result<Response<issuer::ObserveShootResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(issuer::ObserveShootResponse {}))
    }

    async fn watch_shoots(
        &self,
        _: Request<issuer::WatchShootsRequest>,
    ) -> Result<Response<Self::WatchShootsStream>, Status> {
        use issuer::watch_shoots_response::Event;
        let status = shoot("shoot-1", Reach::Reachable);
        let events = [
            Event::Upsert(convert::shoot_to_proto(&status, "https://127.0.0.1")),
            Event::SnapshotComplete(issuer::SnapshotComplete {}),
        ];
        let messages = events
            .map(|event| Ok(issuer::WatchShootsResponse { event: Some(event), sent_at: None }));
        let stream = futures::stream::iter(messages).chain(futures::stream::pending());
        Ok(Response::new(stream.boxed()))
    }

    async fn list_shoots(
        &self,
        _: Request<issuer::ListShootsRequest>,
    ) -> Result<Response<issuer::ListShootsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

fn trust() -> Trust {
    Trust {
        trust_domain: "cluster.local".parse().unwrap(),
        namespace: "perennial-system".parse().unwrap(),
    }
}

fn store(authority: &Authority, service_account: &str) -> Arc<TlsStore> {
    TlsStore::open(authority.folder(service_account).path()).unwrap()
}

async fn loopback() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve_fake(tasks: &Tasks, tls: Arc<TlsStore>, routes: Routes) -> String {
    let (listener, address) = loopback().await;
    let server = Server {
        tls,
        trust: trust(),
        routes,
        ready: watch::Sender::new(true).subscribe(),
        service: "fake",
        descriptors: FILE_DESCRIPTOR_SET,
    };
    // Fakes keep their streams open, so they do not wait for them either.
    let stop = tasks.shutdown().requested_owned().shared();
    let serving = server.serve(listener, stop.clone());
    tasks.spawn("fake", async move {
        tokio::select! {
            ended = serving => Ok(ended?),
            () = stop => Ok(()),
        }
    });
    address.to_string()
}

#[tokio::test]
async fn records_and_shoots_come_in_renewals_go_out_and_operators_are_answered() {
    let authority = Authority::new();
    let supervisor = Supervisor::new(LONGEST_WAIT);
    let tasks = supervisor.tasks();
    let calls = FakeWriter::default();
    let routes = Routes::new(writer::secret_writer_server::SecretWriterServer::new(calls.clone()));
    let writer = serve_fake(&tasks, store(&authority, "secret-writer"), routes).await;
    let told = FakeIssuer::default();
    let routes = Routes::new(issuer::token_issuer_server::TokenIssuerServer::new(told.clone()));
    let issuer = serve_fake(&tasks, store(&authority, "token-issuer"), routes).await;

    let ((grpc, address), (admin, _)) = (loopback().await, loopback().await);
    let nobody = loopback().await.1.to_string(); // closed again: a replica that is down
    let config = Config {
        replica_name: "scheduler-0".parse().unwrap(),
        settings: settings(),
        secret_writers: vec![writer],
        token_issuers: vec![nobody, issuer],
        trust: trust(),
        finish_within: Duration::from_secs(5),
        switch: Arc::new(Unthrown),
        leases: Arc::new(Alone),
    };
    let listeners = Listeners { grpc, admin };
    let tls = store(&authority, "scheduler");
    let readiness = start(config, listeners, tls, Arc::new(SystemClock), &tasks).unwrap();

    let expected = trust().id(Role::Scheduler);
    let channel = connect(&address.to_string(), expected, &store(&authority, "operator")).unwrap();
    let mut operator = SchedulerClient::new(channel);
    let test = async {
        let watch = WatchSchedulesRequest::default();
        let mut schedules = operator.watch_schedules(watch).await.unwrap().into_inner();
        let renewed = loop {
            match schedules.message().await.unwrap().unwrap().event.unwrap() {
                Event::Upsert(schedule) if schedule.state() == State::Fresh => break schedule,
                _ => {}
            }
        };
        assert_eq!((renewed.name.as_str(), renewed.renewals), ("a", 1));
        assert_eq!(renewed.last_renewal.unwrap().reason, "nothing_held");
        assert!(readiness.is_ready(), "a token-issuer that is down holds up nobody");

        let request = RenewNowRequest { namespace: "shoot-1".to_owned(), name: "a".to_owned() };
        let refused = operator.renew_now(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert_eq!(refused.get_details_error_info().unwrap().reason, "API_SERVER_FORBIDDEN");
    };
    supervisor.run_until(time::timeout(LONGEST_WAIT, test).map(Result::unwrap)).await.unwrap();

    let told = told.0.lock().unwrap();
    let [observed] = told.as_slice() else { panic!("told once: {told:?}") };
    assert_eq!((observed.namespace.as_str(), observed.accounts.len()), ("shoot-1", 1));

    let calls = calls.0.lock().unwrap();
    let [first, second] = calls.as_slice() else { panic!("two orders: {calls:?}") };
    assert_eq!(first.digest, bare("shoot-1/a").digest.to_string());
    assert_eq!((first.reason.as_str(), second.reason.as_str()), ("nothing_held", "requested"));
    assert_eq!(first.renewal_basis.unwrap().seconds, 24 * 60 * 60);
    assert!((0.0..=1.0).contains(&first.window_place));
    assert_ne!(first.request_id, second.request_id);
}
