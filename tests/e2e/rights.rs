//! What nobody may do: without a certificate, with another service's, with a service's own account.

use k8s_openapi::api::core::v1::{Event, Secret};
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use perennial_proto::{
    issuer::v1::{IssueTokenRequest, token_issuer_client::TokenIssuerClient},
    scheduler::v1::{ListSchedulesRequest, scheduler_client::SchedulerClient},
    writer::v1::{ListAccessSecretsRequest, secret_writer_client::SecretWriterClient},
};
use tonic::Code;

use crate::house::{House, MOMENT};

#[tokio::test]
async fn each_identity_may_do_its_own_work_and_nothing_else() {
    let house = House::start(1, &[]).await;
    house.ask(1, "shoot-access-kube-scheduler", &[]).await;
    house.wait_for_token(1, "shoot-access-kube-scheduler").await;
    only_the_secret_writer_gets_a_token(&house).await;
    without_a_certificate_no_method_answers(&house).await;
    the_accounts_on_the_seed_read_only_what_they_need(&house).await;
    the_secret_writer_may_not_look_through_events(&house).await;
    house.end().await;
}

async fn only_the_secret_writer_gets_a_token(house: &House) {
    for role in ["scheduler", "operator", "token-issuer"] {
        let mut issuer = TokenIssuerClient::new(house.channel(role, "token-issuer"));
        let status = issuer.issue_token(IssueTokenRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{role}: {status}");
    }
    let mut issuer = TokenIssuerClient::new(house.channel("secret-writer", "token-issuer"));
    let status = issuer.issue_token(IssueTokenRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "it may call, but not with nothing: {status}");
}

async fn without_a_certificate_no_method_answers(house: &House) {
    let ca = house.lab.dir().certificates().join("ca.crt");
    let grpcurl = perennial_lab::binaries::grpcurl().await.unwrap();
    for service in perennial_lab::service::SERVICES {
        let addr = house.lab.service(service).addr().to_string();
        for method in ["list", "grpc.health.v1.Health/Check"] {
            let output = tokio::process::Command::new(&grpcurl)
                .arg("-cacert")
                .arg(&ca)
                .args(["-max-time", "5", &addr, method])
                .output();
            let output = tokio::time::timeout(MOMENT, output).await.unwrap().unwrap();
            assert!(!output.status.success(), "{service} answers {method} without a certificate");
        }
    }
    let mut scheduler = SchedulerClient::new(house.channel("scheduler", "scheduler"));
    let status = scheduler.list_schedules(ListSchedulesRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let mut writer = SecretWriterClient::new(house.channel("token-issuer", "secret-writer"));
    let status = writer.list_access_secrets(ListAccessSecretsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

async fn the_accounts_on_the_seed_read_only_what_they_need(house: &House) {
    let namespace = perennial_lab::shoot::namespace(1);
    let secrets = |client: Client| Api::<Secret>::namespaced(client, &namespace);
    let forbidden = |result: Result<Secret, kube::Error>| matches!(result, Err(kube::Error::Api(status)) if status.code == 403);

    let scheduler = client_of(house, "scheduler").await;
    for name in ["shoot-access-kube-scheduler", "shoot-access-token-issuer"] {
        assert!(forbidden(secrets(scheduler.clone()).get(name).await), "scheduler reads {name}");
    }

    let issuer = client_of(house, "token-issuer").await;
    for name in ["shoot-access-token-issuer", "shoot-bootstrap-token-issuer"] {
        secrets(issuer.clone()).get(name).await.unwrap();
    }
    let other = secrets(issuer.clone()).get("shoot-access-kube-scheduler").await;
    assert!(forbidden(other), "the token-issuer reads another Secret");
    let all = secrets(issuer).list(&ListParams::default()).await;
    assert!(all.is_err(), "the token-issuer lists Secrets");
}

/// Events are made, found by name and counted up, and nothing else.
async fn the_secret_writer_may_not_look_through_events(house: &House) {
    let client = client_of(house, "secret-writer").await;
    let events: Api<Event> = Api::namespaced(client, &perennial_lab::shoot::namespace(1));
    assert!(events.get_opt("none").await.unwrap().is_none());
    assert!(events.list(&ListParams::default()).await.is_err(), "it lists Events");
    let deleted = events.delete("none", &Default::default()).await;
    assert!(matches!(deleted, Err(kube::Error::Api(status)) if status.code == 403));
}

/// The very kubeconfig that the service itself was started with.
async fn client_of(house: &House, service: &str) -> Client {
    let path = house.lab.dir().root().join(format!("kubeconfigs/{service}.yaml"));
    let kubeconfig = Kubeconfig::read_from(&path).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}
