//! The lab without services, and what `deploy/` grants and withholds on real API servers.
//!
//! One lab for all of it: the API servers are the dear part.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers are part of the test")]

use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use perennial_core::{pause::NAME as PAUSES, stop::NAME as STOP};
use perennial_lab::kubeconfig::Credential;
use perennial_lab::shoot::{ACCESS_SECRET, BOOTSTRAP_SECRET};
use perennial_lab::{Lab, Options};
use serde_json::json;

const NAMESPACE: &str = "shoot--lab--1";

#[tokio::test]
async fn deploy_grants_what_each_identity_needs_and_no_more() {
    let lab = Lab::start(Options { start_services: false, ..Options::default() }).await.unwrap();

    the_environment_names_what_is_there(&lab);
    the_issuer_reads_two_secrets_by_name(&lab).await;
    the_writer_patches_but_does_not_make_secrets(&lab).await;
    the_scheduler_keeps_two_config_maps_by_name(&lab).await;
    the_bootstrap_credential_suffices_in_the_shoot(&lab).await;
    so_does_the_issuers_own_account(&lab).await;
    a_dead_api_server_comes_back_with_its_data(&lab).await;
    lab.stop().await.unwrap();
}

fn the_environment_names_what_is_there(lab: &Lab) {
    let environment = lab.environment().unwrap();

    assert_eq!(environment["LAB_SHOOT_NAMESPACE"], NAMESPACE);
    for file in ["LAB_DIR", "LAB_SEED_KUBECONFIG", "LAB_SHOOT_KUBECONFIG", "LAB_OPERATOR_CERT"] {
        assert!(std::path::Path::new(&environment[file]).exists(), "{file}");
    }
}

async fn the_issuer_reads_two_secrets_by_name(lab: &Lab) {
    let client = seed_client("token-issuer", lab).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let everywhere: Api<Secret> = Api::all(client.clone());

    for name in [ACCESS_SECRET, BOOTSTRAP_SECRET] {
        secrets.get(name).await.unwrap();
        let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
        assert_eq!(everywhere.list(&by_name).await.unwrap().items.len(), 1);
    }
    assert_forbidden(secrets.get("some-other").await);
    assert_forbidden(everywhere.list(&ListParams::default()).await);
    assert_forbidden(secrets.list(&ListParams::default()).await);
    assert_forbidden(
        everywhere.list(&ListParams::default().fields("metadata.name=some-other")).await,
    );
    assert_may_not(&["patch", "update", "create", "delete"], "", "secrets", &client).await;
    assert_may_not(&["get", "list"], "", "namespaces", &client).await;
}

async fn the_writer_patches_but_does_not_make_secrets(lab: &Lab) {
    let client = seed_client("secret-writer", lab).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let note = json!({"metadata": {"annotations": {"perennial.dev/issued": "{}"}}});

    secrets.patch(ACCESS_SECRET, &PatchParams::default(), &Patch::Merge(&note)).await.unwrap();
    assert!(Api::<Secret>::all(client.clone()).list(&ListParams::default()).await.is_ok());
    assert_may_not(&["create", "update", "delete", "deletecollection"], "", "secrets", &client)
        .await;
    assert_may_not(&["get", "create"], "", "serviceaccounts", &client).await;
    for verb in ["get", "create", "patch"] {
        assert!(may(verb, "", "events", &client).await, "may not {verb} events");
    }
    let others = ["list", "watch", "update", "delete", "deletecollection"];
    assert_may_not(&others, "", "events", &client).await;
    assert_may_not(&["get", "create", "patch"], "events.k8s.io", "events", &client).await;
}

async fn the_scheduler_keeps_two_config_maps_by_name(lab: &Lab) {
    let client = seed_client("scheduler", lab).await;

    assert_forbidden(Api::<Secret>::namespaced(client.clone(), NAMESPACE).get(ACCESS_SECRET).await);
    let verbs = ["get", "list", "watch", "patch", "create", "update", "delete"];
    assert_may_not(&verbs, "", "secrets", &client).await;
    assert_may_not(&verbs, "", "configmaps", &client).await;
    let own = Api::<ConfigMap>::namespaced(client.clone(), "perennial-system");
    let apply = PatchParams::apply("perennial-scheduler");
    let named =
        |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    for name in [STOP, PAUSES] {
        own.patch(name, &apply, &Patch::Apply(named(name))).await.unwrap();
        let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
        assert_eq!(own.list(&by_name).await.unwrap().items.len(), 1);
        own.delete(name, &DeleteParams::default()).await.unwrap();
    }
    assert_forbidden(own.list(&ListParams::default()).await);
    assert_forbidden(own.patch("another", &apply, &Patch::Apply(named("another"))).await);
    assert_forbidden(own.delete("another", &DeleteParams::default()).await);
    let elsewhere = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    for name in [STOP, PAUSES] {
        assert_forbidden(elsewhere.patch(name, &apply, &Patch::Apply(named(name))).await);
    }
}

/// Exactly what the Secret on the seed holds, not what the lab knows.
async fn the_bootstrap_credential_suffices_in_the_shoot(lab: &Lab) {
    let secrets: Api<Secret> = Api::namespaced(lab.seed().client(), NAMESPACE);
    let data = secrets.get(BOOTSTRAP_SECRET).await.unwrap().data.unwrap();
    let text = String::from_utf8(data["kubeconfig"].0.clone()).unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();

    work_as_issuer("by-bootstrap", &Client::try_from(config).unwrap(), lab).await;
}

async fn so_does_the_issuers_own_account(lab: &Lab) {
    let shoot = lab.shoot(1);
    let life = Duration::from_secs(3600);
    let token = shoot.token("kube-system", "perennial-token-issuer", life).await.unwrap();
    let client = shoot.client_with(&Credential::Token(&token)).await.unwrap();

    work_as_issuer("by-token", &client, lab).await;
}

/// Makes an account, a token for it, and reads the key set; the API server counts what it saw.
async fn work_as_issuer(account: &str, client: &Client, lab: &Lab) {
    let before = lab.shoot(1).request_counts().await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "kube-system");
    let object = ServiceAccount {
        metadata: ObjectMeta { name: Some(account.to_owned()), ..ObjectMeta::default() },
        ..ServiceAccount::default()
    };
    let apply = PatchParams::apply("perennial-token-issuer").force();
    accounts.patch(account, &apply, &Patch::Apply(&object)).await.unwrap();
    let request = TokenRequest::default();
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
    assert!(answer.unwrap().status.unwrap().token.is_some());
    let keys = http::Request::get("/openid/v1/jwks").body(Vec::new()).unwrap();
    assert!(client.request_text(keys).await.unwrap().contains("\"kid\""));
    assert!(may("create", "", "serviceaccounts/token", client).await);
    // For target Secrets, by a ClusterRole of its own.
    for verb in ["get", "list", "watch", "create", "patch"] {
        assert!(may(verb, "", "secrets", client).await, "may not {verb} secrets");
    }
    // For generations, by another one.
    assert!(may("delete", "", "secrets", client).await, "may not delete secrets");
    assert_may_not(&["update", "deletecollection"], "", "secrets", client).await;
    for verb in ["get", "list", "watch", "patch"] {
        assert!(may(verb, "", "serviceaccounts", client).await, "may not {verb} serviceaccounts");
    }
    let others = ["update", "delete", "deletecollection"];
    assert_may_not(&others, "", "serviceaccounts", client).await;

    let seen = lab.shoot(1).request_counts().await.unwrap().since(&before);
    assert_eq!(
        (seen.token_requests(), seen.token_reviews(), seen.writes("serviceaccounts")),
        (1, 0, 1)
    );
}

async fn a_dead_api_server_comes_back_with_its_data(lab: &Lab) {
    let shoot = lab.shoot(1);
    let accounts: Api<ServiceAccount> = Api::namespaced(shoot.client(), "kube-system");
    shoot.process().stop().await.unwrap();
    assert!(accounts.get("by-token").await.is_err());

    shoot.process().start().await.unwrap();
    shoot.wait_ready().await.unwrap();
    accounts.get("by-token").await.unwrap();
}

/// A client as the service itself has it: with a token of its own ServiceAccount.
async fn seed_client(service: &str, lab: &Lab) -> Client {
    let life = Duration::from_secs(3600);
    let token = lab.seed().token("perennial-system", service, life).await.unwrap();
    lab.seed().client_with(&Credential::Token(&token)).await.unwrap()
}

#[track_caller]
fn assert_forbidden<T>(answer: kube::Result<T>) {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        Err(error) => panic!("not 403 but {error}"),
        Ok(_) => panic!("not 403 but allowed"),
    }
}

async fn assert_may_not(verbs: &[&str], group: &str, resource: &str, client: &Client) {
    for verb in verbs {
        assert!(!may(verb, group, resource, client).await, "may {verb} {resource}");
    }
}

/// Asks the API server itself, for all namespaces and names.
async fn may(verb: &str, group: &str, resource: &str, client: &Client) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}
