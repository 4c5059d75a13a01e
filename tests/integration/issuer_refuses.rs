//! What the token-issuer refuses whoever asks, as the scheduler shows it.

use std::time::Duration;

use perennial_core::{keys, storm::AT_ONCE_MAX};
use perennial_proto::{
    issuer::v1::{IssueTokenRequest, ServiceAccount, token_issuer_client::TokenIssuerClient},
    scheduler::v1::State,
};
use perennial_rpc::identity::Role;

use crate::house::{House, namespace};

/// Somebody with a certificate of the secret-writer gets a token for this Secret.
async fn stolen_token(house: &House, name: &str) {
    let account = name.trim_start_matches("shoot-access-").to_owned();
    let request = IssueTokenRequest {
        namespace: namespace(1),
        name: name.to_owned(),
        account: Some(ServiceAccount { namespace: "kube-system".to_owned(), name: account }),
        lifetime: Some(prost_types::Duration { seconds: 43_200, nanos: 0 }),
        ..IssueTokenRequest::default()
    };
    let channel = house.channel(Role::SecretWriter, Role::TokenIssuer);
    TokenIssuerClient::new(channel).issue_token(request).await.unwrap();
}

#[tokio::test]
async fn b12_a_hold_of_the_token_issuer_is_waited_for_and_is_no_failure() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    house.all_fresh(2).await;
    // Eight beside the ladder, and its first one: the next one would be a storm.
    for _ in 0..=AT_ONCE_MAX {
        stolen_token(&house, &name).await;
    }
    let before = house.counts();
    house.edit(1, &name, |secret| {
        secret["metadata"]["annotations"][keys::TOKEN_LIFETIME] = "2h".into();
    });
    let held = house.wait_for_schedule(1, &name, "a hold", |s| s.state() == State::Held).await;
    let failure = held.last_failure.unwrap();
    assert_eq!((held.failures, failure.kind.as_str()), (0, "held"));
    assert!(failure.message.contains("gets no other token before"), "{}", failure.message);

    house.clock.advance(Duration::from_secs(10));
    let renewed = house.wait_for_schedule(1, &name, "its renewal", |s| s.renewals == 2).await;
    assert_eq!(renewed.last_renewal.unwrap().reason, "inputs_changed");
    assert_eq!(house.spent_since(&before).dear(), [1, 0, 0, 1, 0]);
}

#[tokio::test]
async fn an_account_that_is_denied_costs_no_call_and_is_served_once_corrected() {
    let house = House::new().await;
    let before = house.counts();
    let name = house.ask(1, "namespace-controller");
    let denied = house.wait_for_schedule(1, &name, "a refusal", |s| s.last_failure.is_some()).await;
    let failure = denied.last_failure.unwrap();
    assert_eq!(failure.kind, "denied");
    for part in
        ["kube-system/namespace-controller", keys::ACCOUNT_NAME, "--allow-controller-accounts"]
    {
        assert!(failure.message.contains(part), "{part} is missing in {}", failure.message);
    }
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "no shoot was asked, nothing written");

    house.edit(1, &name, |secret| {
        secret["metadata"]["annotations"][keys::ACCOUNT_NAME] = "kube-proxy".into();
    });
    house.wait_for_token(1, &name).await;
}
