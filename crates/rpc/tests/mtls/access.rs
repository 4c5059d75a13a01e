use std::sync::Arc;

use perennial_core::failure::{Failure, Kind};
use perennial_rpc::{
    client::connect,
    identity::Role,
    status::Remote,
    tls::{Expected, TlsStore},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    pki::Authority,
    world::{HEALTH, World, health, trust},
};

#[tokio::test]
async fn each_role_reaches_what_the_table_gives_it_and_nothing_else() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let issue = "/perennial.issuer.v1.TokenIssuer/IssueToken";

    let scheduler = world.call(&ca.store(Role::Scheduler), issue).await.unwrap_err();
    assert_eq!(scheduler.code(), Code::PermissionDenied);
    assert!(scheduler.message().ends_with("callers: secret-writer"), "{}", scheduler.message());

    // The writer gets through to the routes, which do not have the method here.
    let writer = world.call(&ca.store(Role::SecretWriter), issue).await.unwrap_err();
    assert_eq!(writer.code(), Code::Unimplemented);

    world.call(&ca.store(Role::Operator), HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_denied() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;

    let refused = world.call(&ca.store(Role::Operator), "/perennial.v1.Any/Thing").await;

    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_good_certificate_that_names_nobody_is_unauthenticated() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let operator = trust().id(Role::Operator).to_string();

    for uris in [&[][..], &[operator.as_str(), "spiffe://cluster.local/ns/a/sa/b"]] {
        let folder = tempfile::tempdir().unwrap();
        ca.fill(folder.path(), uris);
        let refusal = raw::status_of_health(&world, folder.path(), true).await.unwrap();
        assert_eq!(refusal, Code::Unauthenticated, "{uris:?}");
    }
}

#[tokio::test]
async fn without_a_client_certificate_nothing_answers() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let roots = ca.folder(Role::Operator);

    let refused = raw::status_of_health(&world, roots.path(), false).await;

    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn a_client_that_never_begins_its_handshake_holds_up_nobody() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let _silent = TcpStream::connect(world.address).await.unwrap();

    world.call(&ca.store(Role::Operator), HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused() {
    let (ca, other) = (Authority::new(), Authority::new());
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    // It trusts the server's authority, so that it is the server who refuses.
    let folder = other.folder(Role::Operator);
    let trusted = ca.folder(Role::Operator);
    let client = TlsStore::from_files(
        folder.path().join("tls.crt"),
        folder.path().join("tls.key"),
        trusted.path().join("ca.crt"),
    )
    .unwrap();

    let refused = Remote::from(world.call(&client, HEALTH).await.unwrap_err());

    assert_eq!(refused.kind(), Kind::Unavailable, "{refused}");
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let (ca, other) = (Authority::new(), Authority::new());
    let world = World::serving(other.store(Role::TokenIssuer)).await;

    let refused =
        Remote::from(world.call(&ca.store(Role::SecretWriter), HEALTH).await.unwrap_err());

    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(refused.message().contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_somebody_else_is_refused_although_its_dns_name_fits() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::Scheduler)).await;

    let refused =
        Remote::from(world.call(&ca.store(Role::SecretWriter), HEALTH).await.unwrap_err());

    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(refused.message().contains("sa/scheduler, expected"), "{refused}");
}

#[tokio::test]
async fn a_tool_may_take_any_server_of_the_trust_domain() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::Scheduler)).await;
    let channel = |domain: &str| {
        let expected = Expected::AnyOf(domain.parse().unwrap());
        connect(&world.address.to_string(), expected, &ca.store(Role::Operator)).unwrap()
    };

    assert_eq!(health(channel("cluster.local")).await.unwrap(), ServingStatus::Serving);
    assert!(health(channel("other.local")).await.is_err());
}

#[tokio::test]
async fn health_follows_readiness_and_a_stop_ends_the_server() {
    let ca = Authority::new();
    let world = World::serving(ca.store(Role::TokenIssuer)).await;
    let channel = world.channel(&ca.store(Role::Operator), trust().id(Role::TokenIssuer));
    assert_eq!(health(channel.clone()).await.unwrap(), ServingStatus::Serving);

    let mut watch = tonic_health::pb::health_client::HealthClient::new(channel.clone())
        .watch(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    world.ready.send_replace(false);
    while watch.message().await.unwrap().unwrap().status() != ServingStatus::NotServing {}

    drop((watch, channel));
    world.stop().await;
}

/// Clients which `TlsStore` refuses to be.
mod raw {
    use std::path::Path;

    use rustls_pki_types::PrivateKeyDer;
    use tonic::{Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Endpoint};
    use tonic_prost::ProstCodec;

    use super::*;

    /// The code of a health check, or the error of a connection that did not hold.
    pub(super) async fn status_of_health(
        world: &World,
        folder: &Path,
        with_certificate: bool,
    ) -> std::io::Result<Code> {
        let tcp = TcpStream::connect(world.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = connector(folder, with_certificate).connect(name, tcp).await?;
        if !with_certificate {
            // With TLS 1.3 the client learns of the refusal with its first read.
            tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
            tls.read_u8().await?;
        }
        let mut once = Some(hyper_util::rt::TokioIo::new(tls));
        let channel = Endpoint::from_static("http://localhost")
            .connect_with_connector(tower::service_fn(move |_| {
                std::future::ready(once.take().ok_or_else(|| std::io::Error::other("once")))
            }))
            .await
            .map_err(std::io::Error::other)?;
        let mut client = Grpc::new(channel);
        client.ready().await.map_err(std::io::Error::other)?;
        let path = PathAndQuery::from_static(HEALTH);
        let answer: Result<_, Status> =
            client.unary(tonic::Request::new(()), path, ProstCodec::<(), ()>::default()).await;
        Ok(answer.map_or_else(|status| status.code(), |_| Code::Ok))
    }

    fn connector(folder: &Path, with_certificate: bool) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("ca.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = if with_certificate {
            let chain = vec![CertificateDer::from_pem_file(folder.join("tls.crt")).unwrap()];
            let key = PrivateKeyDer::from_pem_file(folder.join("tls.key")).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}
