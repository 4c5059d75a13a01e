//! TokenRequest, TokenReview, SelfSubjectAccessReview, the key set and the clock.

use http::{Request, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenReview},
    authorization::v1::SelfSubjectAccessReview,
    core::v1::{Secret, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, PostParams},
    client::Body,
};
use perennial_core::{clock::Clock as _, token::Claims};
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use serde_json::{Value, json};

use super::{make, object, refusal};
use crate::house::MOMENT;

const ACCOUNT: &str = "kube-proxy";

pub(super) async fn suite(client: &Client, namespace: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let account = object(json!({"metadata": {"name": ACCOUNT}}));
    let made = accounts.create(&PostParams::default(), &account).await.unwrap();
    a_token_says_whose_it_is_and_how_long_it_lives(&accounts, &made).await;
    lifetimes_have_bounds(&accounts).await;
    what_is_missing_is_named_by_its_kind(client, &accounts).await;
    the_uid_of_the_account_is_a_precondition(&accounts).await;
    a_token_authenticates_until_its_account_is_gone(client, &accounts).await;
    a_token_dies_with_the_secret_that_it_is_bound_to(client, &accounts).await;
    an_admin_may_create_tokens(client).await;
    the_key_set_has_the_key_of_a_fresh_token_and_the_date(client, &accounts).await;
}

async fn request(
    accounts: &Api<ServiceAccount>,
    name: &str,
    spec: Value,
) -> Result<TokenRequest, kube::Error> {
    let request = object(json!({"spec": spec}));
    accounts.create_token_request(name, &PostParams::default(), &request).await
}

async fn token(accounts: &Api<ServiceAccount>, spec: Value) -> String {
    token_of(&request(accounts, ACCOUNT, spec).await.unwrap())
}

fn token_of(answer: &TokenRequest) -> String {
    answer.status.as_ref().unwrap().token.clone().unwrap()
}

async fn a_token_says_whose_it_is_and_how_long_it_lives(
    accounts: &Api<ServiceAccount>,
    account: &ServiceAccount,
) {
    let spec = json!({"audiences": ["gardener"], "expirationSeconds": 7200});
    let answer = request(accounts, ACCOUNT, spec).await.unwrap();
    let claims = Claims::read(token_of(&answer).as_bytes()).unwrap();
    assert_eq!(claims.account.to_string(), format!("{}/{ACCOUNT}", account.namespace().unwrap()));
    assert_eq!(claims.account_uid, account.uid().map(Into::into));
    assert_eq!(*claims.audiences, ["gardener"]);
    assert_eq!(claims.granted_seconds(), 7200);
    assert!(claims.issuer.starts_with("https://") && claims.key_id.is_some());
    let status = answer.status.unwrap();
    let told = status.expiration_timestamp.unwrap().0.as_second();
    assert!((told - claims.expires_at.as_second()).abs() <= 1);

    let default = Claims::read(token(accounts, json!({"audiences": []})).await.as_bytes()).unwrap();
    assert_eq!(default.granted_seconds(), 3600);
    assert!(default.audiences.contains(&"gardener".to_owned()), "{:?}", default.audiences);
}

async fn lifetimes_have_bounds(accounts: &Api<ServiceAccount>) {
    let ask = async |seconds: i64| {
        request(accounts, ACCOUNT, json!({"audiences": [], "expirationSeconds": seconds})).await
    };
    ask(600).await.unwrap();
    ask(1 << 32).await.unwrap();
    assert_eq!(
        refusal(ask(599).await),
        r#"422 Invalid [TokenRequest] TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"#
    );
    assert_eq!(
        refusal(ask((1 << 32) + 1).await),
        r#"422 Invalid [TokenRequest] TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"#
    );
}

async fn what_is_missing_is_named_by_its_kind(client: &Client, accounts: &Api<ServiceAccount>) {
    let spec = || json!({"audiences": []});
    assert_eq!(
        refusal(request(accounts, "missing", spec()).await),
        r#"404 NotFound [serviceaccounts] serviceaccounts "missing" not found"#
    );
    let nowhere: Api<ServiceAccount> = Api::namespaced(client.clone(), "nowhere");
    assert_eq!(
        refusal(request(&nowhere, ACCOUNT, spec()).await),
        r#"404 NotFound [namespaces] namespaces "nowhere" not found"#
    );
}

async fn the_uid_of_the_account_is_a_precondition(accounts: &Api<ServiceAccount>) {
    let uid = accounts.get(ACCOUNT).await.unwrap().uid().unwrap();
    let ask = async |uid: &str| {
        let request = object(json!({"metadata": {"uid": uid}, "spec": {"audiences": []}}));
        accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await
    };
    ask(&uid).await.unwrap();
    let refused = refusal(ask("00000000-0000-4000-8000-000000000000").await);
    assert!(refused.starts_with("409 Conflict [TokenRequest]"), "{refused}");
    assert!(refused.contains("does not match the UID of the service account"), "{refused}");
}

async fn review(client: &Client, token: &str, audiences: &[&str]) -> Option<String> {
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let review = object(json!({"spec": {"token": token, "audiences": audiences}}));
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap();
    answer.authenticated?.then(|| answer.user.unwrap().username.unwrap())
}

async fn a_token_authenticates_until_its_account_is_gone(
    client: &Client,
    accounts: &Api<ServiceAccount>,
) {
    let fresh = async || token(accounts, json!({"audiences": ["gardener"]})).await;
    let held = fresh().await;
    let namespace = accounts.get(ACCOUNT).await.unwrap().namespace().unwrap();
    let user = format!("system:serviceaccount:{namespace}:{ACCOUNT}");
    assert_eq!(review(client, &held, &["gardener"]).await, Some(user));
    assert_eq!(review(client, &held, &["kubernetes"]).await, None);
    let damaged = held.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    assert_eq!(review(client, &damaged, &["gardener"]).await, None);

    // One that was never reviewed: an API server remembers for ten seconds what it once took. It
    // looks the account up in a cache, which may be a moment behind.
    let held = fresh().await;
    let account = object(json!({"metadata": {"name": ACCOUNT}}));
    accounts.delete(ACCOUNT, &DeleteParams::default()).await.unwrap();
    let refused = async || match review(client, &held, &["gardener"]).await {
        None => Ok(Look::Done(())),
        Some(user) => Ok(Look::Waiting(user)),
    };
    until("the token of an account that is gone is refused", MOMENT, refused).await.unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    assert_eq!(review(client, &held, &["gardener"]).await, None, "another uid");
}

/// Section D: the claims name the Secret, and another one of its name does not bring it back.
async fn a_token_dies_with_the_secret_that_it_is_bound_to(
    client: &Client,
    accounts: &Api<ServiceAccount>,
) {
    let namespace = accounts.get(ACCOUNT).await.unwrap().namespace().unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let bound = json!({"apiVersion": "v1", "kind": "Secret", "name": "generation"});
    let spec = || json!({"audiences": ["gardener"], "boundObjectRef": bound});
    assert_eq!(
        refusal(request(accounts, ACCOUNT, spec()).await),
        r#"404 NotFound [secrets] secrets "generation" not found"#
    );
    let refused = refusal(request(accounts, "missing", spec()).await);
    assert!(refused.contains("[serviceaccounts]"), "the account is looked for first: {refused}");

    let generation = json!({"metadata": {"name": "generation"}, "immutable": true});
    let made = make(&secrets, generation.clone()).await;
    let (reviewed, held) = (token(accounts, spec()).await, token(accounts, spec()).await);
    let claims = Claims::read(held.as_bytes()).unwrap();
    let found = claims.bound.unwrap();
    assert_eq!((found.name, Some(found.uid)), ("generation".to_owned(), made.uid()));
    assert!(review(client, &reviewed, &["gardener"]).await.is_some());

    // One that was never reviewed, as for accounts.
    secrets.delete("generation", &DeleteParams::default()).await.unwrap();
    let refused = async || match review(client, &held, &["gardener"]).await {
        None => Ok(Look::Done(())),
        Some(user) => Ok(Look::Waiting(user)),
    };
    until("the token whose Secret is gone is refused", MOMENT, refused).await.unwrap();
    make(&secrets, generation).await;
    assert_eq!(review(client, &held, &["gardener"]).await, None, "another uid");
}

async fn an_admin_may_create_tokens(client: &Client) {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let attributes =
        json!({"verb": "create", "resource": "serviceaccounts", "subresource": "token"});
    let review = object(json!({"spec": {"resourceAttributes": attributes}}));
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    assert!(answer.status.unwrap().allowed);
}

async fn the_key_set_has_the_key_of_a_fresh_token_and_the_date(
    client: &Client,
    accounts: &Api<ServiceAccount>,
) {
    let request = Request::get("/openid/v1/jwks").body(Body::empty()).unwrap();
    let answer = client.send(request).await.unwrap();
    let date = answer.headers()[header::DATE].to_str().unwrap().to_owned();
    let date: Timestamp = DateTimeParser::new().parse_timestamp(&date).unwrap();
    let apart = SystemClock.now().as_second() - date.as_second();
    assert!((0..=60).contains(&apart), "{apart} s apart");

    let set: Value =
        serde_json::from_slice(&answer.into_body().collect_bytes().await.unwrap()).unwrap();
    let fresh = token(accounts, json!({"audiences": []})).await;
    let key_id = Claims::read(fresh.as_bytes()).unwrap().key_id.unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["kid"] == *key_id), "{keys:?} has no {key_id}");
}
