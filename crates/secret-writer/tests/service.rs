//! The secret-writer as its callers see it: a fake seed below, gRPC over mutual TLS above.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use perennial_core::{
    inputs::{Inputs, Interpretation},
    kubeconfig::TokenFile,
    name::{Namespace, SecretRef},
    token::Token,
};
use perennial_kube::{access::AccessSecrets, events::Events, generic::GenericKubeconfigs};
use perennial_process::supervise::{Supervisor, Tasks};
use perennial_proto::writer::v1::{
    AccessSecret, GetAccessSecretRequest, RenewTokenRequest, WatchAccessSecretsRequest,
    WatchAccessSecretsResponse, secret_writer_client::SecretWriterClient,
    watch_access_secrets_response::Event,
};
use perennial_rpc::{
    client::{self, Channel},
    convert::duration,
    identity::{Role, Trust},
    status::Remote,
    tls::TlsStore,
};
use perennial_secret_writer::{
    generic::{Shoots, Source, Told},
    issuer::{Binding, Given, Issuance, Issue, Older, Wanted},
    renew::Settings,
    service::{self, Parts},
};
use perennial_testing::{
    access_secret,
    api_server::FakeApiServer,
    certificates::Authority,
    clock::ManualClock,
    kubeconfig::{Credential, document},
};
use serde_json::json;
use tokio::net::TcpListener;
use tonic::{Code, Status, Streaming};

const NAMESPACE: &str = "shoot--lab--1";
const NAME: &str = "shoot-access-kube-proxy";

/// A token-issuer in the same process.
#[derive(Debug)]
struct Issuer;

impl Issue for Issuer {
    fn issue<'a>(
        &'a self,
        _: &'a SecretRef,
        inputs: &'a Inputs,
        _: Option<Binding>,
    ) -> BoxFuture<'a, Result<Issuance, Remote>> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = part(json!({
            "iat": 0, "exp": 36_000, "iss": "https://shoot.example",
            "sub": format!("system:serviceaccount:kube-system:{}", inputs.account.name),
        }));
        let token = Token::new(format!("{}.{claims}.c2ln", part(json!({"alg": "RS256"}))));
        let issuance = Issuance { given: Given::Token(token), ca_pem: Vec::new() };
        Box::pin(std::future::ready(Ok(issuance)))
    }

    fn revoke<'a>(
        &'a self,
        _: &'a SecretRef,
        _: &'a Inputs,
        _: Older,
    ) -> BoxFuture<'a, Result<bool, Remote>> {
        Box::pin(async { unreachable!("nothing here is revoked") })
    }

    fn sync<'a>(
        &'a self,
        _: &'a SecretRef,
        _: &'a Inputs,
        _: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>> {
        Box::pin(async { unreachable!("nothing here is repaired") })
    }
}

/// Nobody says where shoots are.
impl Shoots for Issuer {
    fn watch(&self) -> BoxStream<'static, Told> {
        stream::pending().boxed()
    }

    fn rank(&self, _: &Namespace) -> Vec<usize> {
        Vec::new()
    }
}

/// A seed with one access Secret, and who may talk to each other.
struct Scene {
    seed: FakeApiServer,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let seed = FakeApiServer::start(clock()).await;
        seed.add_namespace(NAMESPACE);
        seed.create(access_secret::AccessSecret::new(NAMESPACE, NAME, "kube-proxy").json());
        Self { seed, authority: Authority::new(), folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a secret-writer and returns a client with the identity of the scheduler.
    async fn start(&self, tasks: &Tasks) -> SecretWriterClient<Channel> {
        let path = self.folder.path().join("kubeconfig");
        let text = document(&self.seed.url(), &self.seed.ca_pem(), Credential::None);
        std::fs::write(&path, text).unwrap();
        let seed = perennial_kube::seed::connect(Some(&path)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let folder = self.authority.folder("secret-writer");
        let parts = Parts {
            generic: Source {
                secrets: GenericKubeconfigs::new(seed.clone()),
                shoots: Arc::new(Issuer),
                token_file: TokenFile::DEFAULT.parse().unwrap(),
            },
            events: Arc::new(Events::new(seed.clone(), "test")),
            access: AccessSecrets::new(seed, Interpretation::default()),
            issuer: Arc::new(Issuer),
            clock: clock(),
            settings: Settings {
                interval_min: Duration::from_secs(180),
                in_flight_max: 8,
                audit: false,
            },
            tls: TlsStore::open(folder.path()).unwrap(),
            trust: trust(),
            listener,
            admin_listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        let readiness = service::start(parts, tasks);
        let wait = async { readiness.subscribe().wait_for(|ready| *ready).await.map(drop) };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap().unwrap();
        let own = self.authority.folder("scheduler");
        let tls = TlsStore::open(own.path()).unwrap();
        let writer = trust().id(Role::SecretWriter);
        SecretWriterClient::new(client::connect(&address, writer, &tls).unwrap())
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH))
}

fn trust() -> Trust {
    Trust {
        trust_domain: "cluster.local".parse().unwrap(),
        namespace: "perennial-system".parse().unwrap(),
    }
}

async fn next(stream: &mut Streaming<WatchAccessSecretsResponse>) -> Result<Event, Status> {
    let message = tokio::time::timeout(Duration::from_secs(20), stream.message()).await.unwrap()?;
    Ok(message.unwrap().event.unwrap())
}

fn upsert(event: Result<Event, Status>) -> AccessSecret {
    match event {
        Ok(Event::Upsert(record)) => record,
        other => panic!("not a record: {other:?}"),
    }
}

fn order(record: &AccessSecret) -> RenewTokenRequest {
    RenewTokenRequest {
        namespace: record.namespace.clone(),
        name: record.name.clone(),
        digest: record.digest.clone(),
        reason: "nothing_held".to_owned(),
        renewal_basis: Some(duration(Duration::from_secs(86_400))),
        window_from: 0.72,
        window_place: 1.0,
        request_id: "request-1".to_owned(),
        ..RenewTokenRequest::default()
    }
}

#[tokio::test]
async fn a_renewal_is_ordered_written_and_told_and_a_stop_ends_the_streams() {
    let scene = Scene::new().await;
    let supervisor = Supervisor::new(Duration::from_secs(20));
    let mut writer = scene.start(&supervisor.tasks()).await;
    let stream = writer.watch_access_secrets(WatchAccessSecretsRequest {}).await.unwrap();
    let mut stream = stream.into_inner();
    let served = async {
        let before = upsert(next(&mut stream).await);
        assert_eq!(next(&mut stream).await.unwrap(), Event::SnapshotComplete(Default::default()));

        let written =
            writer.renew_token(order(&before)).await.unwrap().into_inner().record.unwrap();
        assert_eq!(upsert(next(&mut stream).await), written);
        let get = GetAccessSecretRequest { namespace: NAMESPACE.into(), name: NAME.into() };
        let got = writer.get_access_secret(get).await.unwrap().into_inner().record.unwrap();
        assert_eq!(got, written);
        assert_eq!(written.issued.unwrap().reason, "nothing_held");
        let object = scene.seed.get("secrets", NAMESPACE, NAME).unwrap();
        assert!(object["data"]["token"].as_str().is_some_and(|token| !token.is_empty()));

        let again = writer.renew_token(order(&before)).await.unwrap_err();
        assert_eq!(again.code(), Code::Aborted, "another record than the one decided on");
    };
    supervisor.run_until(served).await.unwrap();
    let end = next(&mut stream).await.unwrap_err();
    assert_eq!(
        (end.code(), end.message()),
        (Code::Unavailable, "the secret-writer is shutting down")
    );
}
