use perennial_core::failure::Failure as _;

use super::*;
use crate::{fakes::World, issue::tests::issuer};

fn sync(account: &str, apply_account: bool) -> Sync {
    Sync {
        secret: SecretRef::parse("shoot--lab--1", "shoot-access-kube-proxy").unwrap(),
        account: account.parse().unwrap(),
        account_labels: [("app".to_owned(), "proxy".to_owned())].into(),
        apply_account,
        refresh: None,
        left: Vec::new(),
    }
}

#[tokio::test]
async fn c_the_ca_alone_costs_no_call() {
    let world = World::new();
    let ca = issuer(&world, &world.directory())
        .sync(&sync("kube-system/kube-proxy", false))
        .await
        .unwrap();
    assert!(!ca.is_empty());
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test]
async fn b2_an_account_is_applied_with_the_labels_asked_for() {
    let world = World::new();
    issuer(&world, &world.directory()).sync(&sync("kube-system/kube-proxy", true)).await.unwrap();
    assert_eq!(world.calls(), ["own: apply kube-system/kube-proxy with 1 labels"]);
}

#[tokio::test]
async fn an_account_that_may_have_no_token_is_not_touched() {
    let world = World::new();
    let refused = issuer(&world, &world.directory())
        .sync(&sync("kube-system/namespace-controller", true))
        .await;
    assert_eq!(refused.unwrap_err().reason(), "POLICY_DENIED_ACCOUNT");
    assert_eq!(world.calls(), [""; 0]);
}
