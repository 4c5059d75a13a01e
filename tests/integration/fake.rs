//! The fake API server itself.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use perennial_process::clock::SystemClock;
use perennial_testing::{
    api_server::{FakeApiServer, Fault, On},
    kubeconfig::Credential,
};

use crate::{contract, house::client};

async fn fake() -> FakeApiServer {
    FakeApiServer::start(Arc::new(SystemClock)).await
}

#[tokio::test]
async fn it_does_what_an_api_server_does() {
    let fake = fake().await;
    contract::suite(client(&fake, Credential::None).await).await;
}

async fn get(client: Client) -> String {
    let secrets: Api<Secret> = Api::namespaced(client, "default");
    match tokio::time::timeout(Duration::from_secs(1), secrets.get("x")).await {
        Ok(Err(kube::Error::Api(status))) => format!("{} {}", status.code, status.reason),
        Ok(other) => format!("{other:?}"),
        Err(_) => "hangs".to_owned(),
    }
}

#[tokio::test]
async fn it_spoils_the_calls_it_is_told_to_and_no_others() {
    let fake = fake().await;
    let client = client(&fake, Credential::None).await;
    for (fault, answer) in [
        (Fault::Unauthorized, "401 Unauthorized"),
        (Fault::Forbidden, "403 Forbidden"),
        (Fault::Hang, "hangs"),
    ] {
        fake.fail_times(1, On::call("get", "secrets"), fault);
        assert_eq!(get(client.clone()).await, answer);
        assert_eq!(get(client.clone()).await, "404 NotFound", "after {fault:?}");
    }
    fake.fail(On::call("get", "secrets").named("y"), Fault::Forbidden);
    assert_eq!(get(client.clone()).await, "404 NotFound");
    fake.fail(On::all(), Fault::AnswerLost);
    assert!(!get(client.clone()).await.starts_with("404"), "no answer comes");
    fake.heal();
    assert_eq!(get(client).await, "404 NotFound");
}

#[tokio::test]
async fn it_counts_what_it_is_asked() {
    let fake = fake().await;
    let client = client(&fake, Credential::None).await;
    let before = fake.calls();
    get(client.clone()).await;
    get(client).await;
    let spent = fake.calls().since(&before);
    assert_eq!(spent.of("get", "secrets"), 2);
    assert_eq!(spent.writes("secrets") + spent.token_requests(), 0);
    assert_eq!(spent.iter().count(), 1, "{spent:?}");
}

#[tokio::test]
async fn it_is_gone_while_it_is_cut_off_and_comes_back_under_its_address() {
    let fake = fake().await;
    let client = client(&fake, Credential::None).await;
    assert_eq!(get(client.clone()).await, "404 NotFound");
    fake.cut();
    assert!(!get(client.clone()).await.starts_with("404"));
    fake.reconnect();
    assert_eq!(get(client).await, "404 NotFound");
}

#[tokio::test]
async fn it_takes_only_the_credentials_it_knows() {
    let fake = fake().await;
    fake.require_credentials();
    fake.accept_token("opaque");
    let certificate = fake.client_certificate();
    let as_who = async |credential| get(client(&fake, credential).await).await;
    assert_eq!(as_who(Credential::None).await, "401 Unauthorized");
    assert_eq!(as_who(Credential::Token("other")).await, "401 Unauthorized");
    assert_eq!(as_who(Credential::Token("opaque")).await, "404 NotFound");
    assert_eq!(as_who(Credential::Certificate(&certificate)).await, "404 NotFound");
    fake.withdraw_token("opaque");
    fake.take_certificates(false);
    assert_eq!(as_who(Credential::Token("opaque")).await, "401 Unauthorized");
    assert_eq!(as_who(Credential::Certificate(&certificate)).await, "401 Unauthorized");
}
