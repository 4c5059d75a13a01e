//! Who may call what, at the services themselves.

use perennial_proto::{
    issuer::v1::{IssueTokenRequest, ServiceAccount, token_issuer_client::TokenIssuerClient},
    writer::v1::{RenewTokenRequest, secret_writer_client::SecretWriterClient},
};
use perennial_rpc::{identity::Role, tls::TlsStore};
use perennial_testing::certificates::Authority;
use tonic::{Code, Status};

use crate::house::{House, namespace};

fn request() -> IssueTokenRequest {
    let account =
        ServiceAccount { namespace: "kube-system".to_owned(), name: "kube-proxy".to_owned() };
    IssueTokenRequest {
        namespace: namespace(1),
        name: "shoot-access-kube-proxy".to_owned(),
        account: Some(account),
        lifetime: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        ..IssueTokenRequest::default()
    }
}

async fn issue(house: &House, role: Role) -> Result<(), Status> {
    let mut issuer = TokenIssuerClient::new(house.channel(role, Role::TokenIssuer));
    issuer.issue_token(request()).await.map(drop)
}

#[tokio::test]
async fn nobody_but_the_secret_writer_gets_a_token_issued() {
    let house = House::new().await;
    let before = house.counts();
    for role in [Role::Scheduler, Role::Operator, Role::TokenIssuer] {
        let status = issue(&house, role).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{role}: {status}");
    }
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "no shoot was asked");
    issue(&house, Role::SecretWriter).await.unwrap();
}

#[tokio::test]
async fn nobody_but_the_scheduler_orders_a_renewal() {
    let house = House::new().await;
    for role in [Role::Operator, Role::TokenIssuer, Role::SecretWriter] {
        let mut writer = SecretWriterClient::new(house.channel(role, Role::SecretWriter));
        let status = writer.renew_token(RenewTokenRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{role}: {status}");
    }
}

#[tokio::test]
async fn without_a_certificate_of_our_authority_no_service_answers() {
    let house = House::new().await;
    for service in House::SERVICES {
        let heard = house.hear_without_certificate(service).await;
        assert_eq!(heard, 0, "{service} said something to somebody without certificate");

        let forged = Authority::new().folder("secret-writer"); // the right name, another authority
        std::fs::write(forged.path().join("ca.crt"), house.authority_pem()).unwrap();
        let channel = house.channel_with(&TlsStore::open(forged.path()).unwrap(), service);
        let status = TokenIssuerClient::new(channel).issue_token(request()).await.unwrap_err();
        let refused = [Code::Unknown, Code::Unavailable].contains(&status.code());
        assert!(refused, "{service} looked at the call of a stranger: {status}");
    }
}
