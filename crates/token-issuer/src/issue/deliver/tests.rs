use perennial_core::{failure::Failure as _, issued::Left};

use super::*;
use crate::{
    fakes::World,
    issue::{
        Given, Sync,
        tests::{for_kube_proxy, for_ourselves, issuer},
    },
};

fn goal(name: &str, inject_ca: bool) -> Goal {
    Goal { target: SecretRef::parse("kube-system", name).unwrap(), inject_ca }
}

fn ask(goal: Goal) -> Ask {
    Ask { goal: Some(goal), ..for_kube_proxy() }
}

#[tokio::test]
async fn b7_a_token_for_a_target_is_delivered_and_never_handed_out() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    let issued = issuer.issue(&ask(goal("target", true))).await.unwrap();
    assert_eq!(
        world.calls(),
        [
            "own: check kube-system/target",
            "own: request token",
            "own: deliver kube-system/target with CA",
        ]
    );
    let Given::Delivered(delivered) = &issued.given else { panic!("{issued:?}") };
    let held = world.set().targets["kube-system/target"].clone();
    assert_eq!(delivered.sha256, TokenHash::of(held.as_bytes()));
    assert_eq!(issued.token().map(Token::expose), None);
}

#[tokio::test]
async fn b7_no_token_is_issued_for_a_target_that_cannot_take_it() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    for (unwritable, reason) in [
        (Unwritable::Immutable, "TARGET_NOT_WRITABLE"),
        (Unwritable::Type("bootstrap.kubernetes.io/token".to_owned()), "TARGET_NOT_WRITABLE"),
        (Unwritable::NamespaceMissing, "TARGET_NAMESPACE_MISSING"),
    ] {
        world.set().unwritable = Some(unwritable);
        let error = issuer.issue(&ask(goal("target", false))).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains("kube-system/target"), "{error}");
    }
    assert_eq!(world.calls(), ["own: check kube-system/target"; 3]);
    world.set().unwritable = None;
    issuer.issue(&ask(goal("target", false))).await.unwrap(); // no storm: nothing was granted
}

#[tokio::test]
async fn b7_the_policy_has_the_last_word_about_targets() {
    let world = World::new();
    let mut issuer = issuer(&world, &world.directory());
    let own = Ask { goal: Some(goal("target", false)), ..for_ourselves() };
    let joining = ask(goal("bootstrap-token-abcdef", false));
    let generation = ask(goal(crate::fakes::generations::family().name(1).as_str(), false));
    for ask in [&own, &joining, &generation] {
        assert_eq!(issuer.issue(ask).await.unwrap_err().reason(), "POLICY_DENIED_TARGET");
    }
    issuer.policy.rules.allowed_target_namespace = vec!["garden".parse().unwrap()];
    let elsewhere = issuer.issue(&ask(goal("target", false))).await.unwrap_err();
    assert_eq!(elsewhere.reason(), "POLICY_TARGET_NAMESPACE");
    assert_eq!(world.calls(), [""; 0], "no shoot is called");
}

#[tokio::test]
async fn b7_a_former_target_is_cleaned_and_the_ca_of_a_target_refreshed_without_a_token() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    let Ask { secret, account, account_labels, .. } = for_kube_proxy();
    let left = Left { secret: goal("former", false).target, sha256: TokenHash::of(b"x") };
    let refresh = Some(goal("target", true));
    let sync =
        Sync { secret, account, account_labels, apply_account: false, refresh, left: vec![left] };
    issuer.sync(&sync).await.unwrap();
    assert_eq!(
        world.calls(),
        ["own: refresh kube-system/target with CA", "own: leave kube-system/former"]
    );
}
