//! Where the token and the CA stand (B5, B6), what forces a renewal (A), and when we stop (B9).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use perennial_core::keys;
use perennial_testing::{
    access_secret::AccessSecret,
    kubeconfig::{self, Credential},
};
use serde_json::Value;

use crate::house::{House, namespace, token};

/// A kubeconfig without a token.
fn document(house: &House) -> String {
    let shoot = house.shoot(1);
    kubeconfig::document(&shoot.url(), &shoot.ca_pem(), Credential::None)
}

fn data(secret: &Value, key: &str) -> Option<String> {
    let bytes = STANDARD.decode(secret["data"][key].as_str()?).unwrap();
    Some(String::from_utf8(bytes).unwrap())
}

fn remove(secret: &mut Value, parent: &str, key: &str) {
    secret.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
}

#[tokio::test]
async fn b5_b6_a_secret_that_changes_its_mode_has_its_token_at_the_other_place() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    let plain = house.wait_for_token(1, &name).await;
    house.clock.advance(Duration::from_secs(60)); // the two tokens shall differ in their claims
    let document = document(&house);
    house.edit(1, &name, |secret| {
        secret["data"][keys::DATA_KUBECONFIG] = STANDARD.encode(&document).into();
    });
    let inside = house.wait_for_token_after(1, &name, &plain).await;
    assert!(house.shoot(1).authenticate(&inside).is_some());
    let secret = house.secret(1, &name);
    let written = data(&secret, keys::DATA_KUBECONFIG).unwrap();
    let as_before = written.replace(&format!("{{\"token\": \"{inside}\"}}"), "{}");
    assert_eq!(as_before, document, "only the token came");
    assert_eq!(data(&secret, keys::DATA_TOKEN), Some(plain.clone()), "who reads it still can");

    house.edit(1, &name, |secret| remove(secret, "/data", keys::DATA_KUBECONFIG));
    house.all_fresh(2).await;
    assert_eq!(token(&house.secret(1, &name)), Some(plain.clone()), "it still fits");
    house.clock.advance(Duration::from_secs(60)); // a third token at once would be a storm
    house.edit(1, &name, |secret| remove(secret, "/data", keys::DATA_TOKEN));
    let again = house.wait_for_token(1, &name).await;
    assert!(again != plain && house.shoot(1).authenticate(&again).is_some());
}

#[tokio::test]
async fn b5_b6_the_ca_goes_beside_the_token_or_into_the_cluster_and_a_stale_bundle_goes_away() {
    let house = House::new().await;
    let ca = house.shoot(1).ca_pem();
    let old = document(&house).replace(&STANDARD.encode(&ca), "b2xk");
    let asking = |account: &str, value: &str| {
        AccessSecret::new(&namespace(1), account, account).annotated(keys::INJECT_CA, value)
    };
    house.make(asking("plain", "1"));
    house.make(asking("document", "T").with_kubeconfig(&old));
    house.make(asking("without", "F").with_kubeconfig(&old));
    for name in ["plain", "document", "without"] {
        house.wait_for_token(1, name).await;
    }
    assert_eq!(data(&house.secret(1, "plain"), keys::DATA_BUNDLE), Some(ca.clone()));
    for (name, injected) in [("document", true), ("without", false)] {
        let secret = house.secret(1, name);
        let written = data(&secret, keys::DATA_KUBECONFIG).unwrap();
        assert_eq!(written.contains(&STANDARD.encode(&ca)), injected, "{name}");
        assert_eq!(written.contains("b2xk"), !injected, "{name}");
        assert_eq!(data(&secret, keys::DATA_BUNDLE), None, "{name}");
    }
    house.edit(1, "plain", |secret| remove(secret, "/metadata/annotations", keys::INJECT_CA));
    house.clock.advance(Duration::from_secs(11 * 60 * 60));
    house.wait(1, "plain", "no stale bundle", |s| data(s, keys::DATA_BUNDLE).is_none()).await;
}

#[tokio::test]
async fn a_removing_the_timestamp_forces_a_renewal_in_either_mode() {
    let house = House::new().await;
    let plain = house.ask(1, "plain");
    let inside = "shoot-access-inside".to_owned();
    let secret = AccessSecret::new(&namespace(1), &inside, "inside");
    house.make(secret.with_kubeconfig(&document(&house)));
    for name in [plain, inside] {
        let held = house.wait_for_token(1, &name).await;
        house.edit(1, &name, |secret| {
            remove(secret, "/metadata/annotations", keys::RENEW_TIMESTAMP);
        });
        house.wait_for_token_after(1, &name, &held).await;
        let renewed = |s: &perennial_proto::scheduler::v1::Schedule| s.renewals == 2;
        let schedule = house.wait_for_schedule(1, &name, "its renewal", renewed).await;
        assert_eq!(schedule.last_renewal.unwrap().reason, "timestamp_removed");
    }
}

#[tokio::test]
async fn b9_where_label_class_or_secret_goes_we_stop_and_delete_nothing_in_the_shoot() {
    const ACCOUNTS: [&str; 3] = ["label", "class", "gone"];
    let house = House::new().await;
    let [label, class, gone] = ACCOUNTS.map(|account| house.ask(1, account));
    house.all_fresh(4).await;
    let tokens = [&label, &class, &gone].map(|name| token(&house.secret(1, name)).unwrap());
    house.edit(1, &label, |secret| remove(secret, "/metadata/labels", keys::PURPOSE));
    house.edit(1, &class, |secret| secret["metadata"]["labels"][keys::CLASS] = "garden".into());
    house.seed.delete("secrets", &namespace(1), &gone);
    house.all_fresh(1).await;
    let left = [&label, &class].map(|name| house.secret(1, name));

    let before = house.counts();
    house.clock.advance(Duration::from_secs(11 * 60 * 60));
    let other = house.ask(1, "other");
    house.wait_for_token(1, &other).await;
    let spent = house.spent_since(&before);
    let about = |account: &str| spent.shoot(1).count(|call| call.name == account);
    assert_eq!(ACCOUNTS.map(about), [0; 3], "no shoot is asked about them");
    assert_eq!([&label, &class].map(|name| house.secret(1, name)), left, "and none is written");
    for (account, token) in ACCOUNTS.iter().zip(tokens) {
        assert!(house.shoot(1).get("serviceaccounts", "kube-system", account).is_some());
        assert!(house.shoot(1).authenticate(&token).is_some(), "{account}");
    }
}
