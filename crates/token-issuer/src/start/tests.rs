use std::time::Duration;

use clap::Parser as _;
use futures::{StreamExt as _, stream};
use perennial_core::{
    failure::{Failure as _, Kind},
    shoot::Hibernation,
};
use perennial_kube::shoot_secrets::{Change, Which};
use perennial_process::supervise::Supervisor;
use perennial_proto::issuer::v1::{
    IssueTokenRequest, ListShootsRequest, Reach, ServiceAccount, WatchShootsRequest,
    token_issuer_client::TokenIssuerClient, watch_shoots_response::Event,
};
use perennial_rpc::{
    client::{self, Channel},
    convert,
    identity::Role,
    status::Remote,
};
use perennial_testing::certificates::Authority;
use prometheus_client::encoding::text;
use tonic::Code;

use super::*;
use crate::fakes::{ELSEWHERE, HERE, World, shoot, token_at};

const GRACE: Duration = Duration::from_secs(15);

/// A token-issuer in this process that was told of one shoot.
struct Running {
    world: World,
    authority: Authority,
    address: String,
    trust: Trust,
    supervisor: Supervisor,
    registry: Registry,
    readiness: Readiness,
}

async fn running() -> Running {
    let (world, authority) = (World::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let args = Args::try_parse_from(["token-issuer"]).unwrap();
    let trust = args.tls.trust();
    let parts = Parts {
        clock: Arc::new(world.set().clock.clone()),
        rereads: shoot_secrets::rereads().0,
        connect: Arc::new(world.clone()),
        listener,
        tls: TlsStore::open(authority.folder("token-issuer").path()).unwrap(),
        trust: trust.clone(),
    };
    let told = stream::iter([
        Change::Upsert {
            shoot: shoot(1),
            which: Which::Own,
            connection: Ok(token_at(HERE, "own")),
            hibernation: Hibernation::Awake,
        },
        Change::Upsert {
            shoot: "default".parse().unwrap(),
            which: Which::Bootstrap,
            connection: Ok(token_at(ELSEWHERE, "bait")),
            hibernation: Hibernation::Awake,
        },
        Change::SnapshotComplete,
    ]);
    let supervisor = Supervisor::new(GRACE);
    let (readiness, mut registry) = (Readiness::new(), Registry::default());
    let changes = told.chain(stream::pending());
    start(args.settings, parts, changes, &supervisor.tasks(), &readiness, &mut registry);
    let mut ready = readiness.subscribe();
    let waited = tokio::time::timeout(GRACE, ready.wait_for(|ready| *ready)).await;
    waited.expect("ready in time").unwrap();
    Running { world, authority, address, trust, supervisor, registry, readiness }
}

impl Running {
    fn client(&self, service_account: &str) -> TokenIssuerClient<Channel> {
        let tls = TlsStore::open(self.authority.folder(service_account).path()).unwrap();
        let server = self.trust.id(Role::TokenIssuer);
        TokenIssuerClient::new(client::connect(&self.address, server, &tls).unwrap())
    }

    fn metrics(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).unwrap();
        page
    }
}

fn request() -> IssueTokenRequest {
    IssueTokenRequest {
        namespace: shoot(1).to_string(),
        name: "shoot-access-kube-proxy".to_owned(),
        account: Some(ServiceAccount {
            namespace: "kube-system".to_owned(),
            name: "kube-proxy".to_owned(),
        }),
        lifetime: Some(convert::duration(Duration::from_secs(3600))),
        ..IssueTokenRequest::default()
    }
}

#[tokio::test]
async fn a_token_travels_over_mutual_tls_and_is_counted() {
    let running = running().await;
    assert!(running.readiness.is_ready());
    let answer = running.client("secret-writer").issue_token(request()).await.unwrap().into_inner();
    assert!(answer.token.starts_with("ey"));
    assert_eq!(answer.ca_pem, format!("CA of {HERE}").into_bytes());

    let page = running.metrics();
    for line in [
        "perennial_token_issuer_issues_total{outcome=\"ok\"} 1",
        "perennial_token_issuer_shoots{reach=\"reachable\"} 1",
        "perennial_token_issuer_probes_total{outcome=\"reached\"} 1",
        "perennial_token_issuer_issues_in_flight 0",
    ] {
        assert!(page.contains(line), "{line} is missing in {page}");
    }
    assert!(!page.contains(&answer.token));
    running.supervisor.run_until(std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn refusals_have_their_standard_codes() {
    let running = running().await;
    let mut writer = running.client("secret-writer");
    let mut code = async |spoil: &dyn Fn(&mut IssueTokenRequest)| {
        let mut request = request();
        spoil(&mut request);
        writer.issue_token(request).await.unwrap_err().code()
    };
    assert_eq!(code(&|r| r.name = "A".to_owned()).await, Code::InvalidArgument);
    assert_eq!(code(&|r| r.namespace = "shoot--lab--9".to_owned()).await, Code::NotFound);
    running.world.set().known.clear();
    assert_eq!(code(&|_| ()).await, Code::PermissionDenied);
    running.world.set().up.clear();
    assert_eq!(code(&|_| ()).await, Code::Unavailable);

    let denied = running.client("scheduler").issue_token(request()).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert!(running.metrics().contains("issues_total{outcome=\"not_found\"} 1"));
    running.supervisor.run_until(std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn a_secret_where_no_shoot_may_be_is_not_connected_to_and_the_caller_hears_why() {
    let running = running().await;
    let mut request = request();
    request.namespace = "default".to_owned();
    let refused = running.client("secret-writer").issue_token(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let remote = Remote::from(refused);
    assert_eq!(remote.reason(), "SHOOT_NAMESPACE_NOT_ALLOWED");
    assert!(remote.message().contains("--shoot-namespace=shoot--*"), "{remote}");

    assert_eq!(running.world.set().clients, 1, "only that of the shoot");
    let calls = running.world.calls();
    assert!(calls.iter().all(|call| !call.starts_with("bait")), "{calls:?}");
    let listed =
        running.client("scheduler").list_shoots(ListShootsRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().shoots.len(), 1);
    assert!(running.metrics().contains("perennial_token_issuer_shoot_secrets_ignored 1"));
    running.supervisor.run_until(std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn a_refusal_and_a_hold_arrive_with_their_reasons_and_no_call_is_made_for_them() {
    let running = running().await;
    let mut writer = running.client("secret-writer");
    let mut denied = request();
    denied.account.as_mut().unwrap().name = "namespace-controller".to_owned();
    let refused = Remote::from(writer.issue_token(denied).await.unwrap_err());
    assert_eq!((refused.kind(), refused.reason()), (Kind::Denied, "POLICY_DENIED_ACCOUNT"));

    for _ in 0..1 + 8 + 1 {
        // the first, the allowance, the first of the ladder
        writer.issue_token(request()).await.unwrap();
    }
    running.world.calls();
    let held = Remote::from(writer.issue_token(request()).await.unwrap_err());
    assert_eq!((held.kind(), held.reason()), (Kind::Held, "ISSUE_HELD"));
    assert_eq!(held.retry_after(), Some(Duration::from_secs(10)));
    assert!(!running.world.calls().iter().any(|call| call.contains("request token")));
    assert!(running.metrics().contains("issues_total{outcome=\"held\"} 1"));
    running.supervisor.run_until(std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn streams_and_lists_tell_the_state_and_end_with_the_process() {
    let running = running().await;
    let mut scheduler = running.client("scheduler");
    let listed = scheduler.list_shoots(ListShootsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.shoots.len(), 1);
    assert_eq!(listed.shoots[0].reach(), Reach::Reachable);
    assert_eq!(listed.shoots[0].address, HERE);

    let watched = scheduler.watch_shoots(WatchShootsRequest::default()).await.unwrap();
    let mut events = watched.into_inner().map(|event| event.unwrap().event.unwrap());
    assert!(matches!(events.next().await, Some(Event::Upsert(_))));
    assert!(matches!(events.next().await, Some(Event::SnapshotComplete(_))));
    let stopped = running.supervisor.run_until(std::future::ready(()));
    let (stopped, rest) = tokio::join!(stopped, events.collect::<Vec<_>>());
    stopped.unwrap();
    assert!(rest.is_empty());
}
