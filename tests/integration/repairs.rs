//! What is put right without another token (contract, B5 and section C).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use perennial_core::{keys, kubeconfig};
use perennial_testing::access_secret::AccessSecret;
use serde_json::{Value, json};

use crate::house::{House, OWN, annotation, is_stamped, namespace, token};

/// A kubeconfig whose cluster has another CA, and keys and a comment that we know nothing of.
const DOCUMENT: &str = "\
# made by hand
apiVersion: v1
kind: Config
current-context: shoot
contexts:
- name: shoot
  context: {cluster: shoot, user: component}
clusters:
- name: shoot
  cluster: {server: 'https://api.shoot.example', nobody-knows: 0123}
users:
- name: component
  user: {}
";

fn bundle(secret: &Value) -> Option<Vec<u8>> {
    Some(STANDARD.decode(secret["data"][keys::DATA_BUNDLE].as_str()?).unwrap())
}

fn ca_of_kubeconfig(secret: &Value) -> Option<Vec<u8>> {
    let document = STANDARD.decode(secret["data"][keys::DATA_KUBECONFIG].as_str()?).unwrap();
    kubeconfig::current_ca(&document).unwrap()
}

/// Whoever made the shoot puts another bundle into the Secret that we reach it by: it begins with
/// the CA that still holds. Gives back the bundle.
fn change_ca(house: &House) -> Vec<u8> {
    let mut bundle = house.shoot(1).ca_pem().as_bytes().to_vec();
    bundle.extend_from_within(..);
    house.edit(1, OWN, |secret| {
        let held = secret["data"][keys::DATA_KUBECONFIG].as_str().unwrap();
        let document = kubeconfig::with_ca(&STANDARD.decode(held).unwrap(), &bundle).unwrap();
        secret["data"][keys::DATA_KUBECONFIG] = json!(STANDARD.encode(document));
    });
    bundle
}

#[tokio::test]
async fn c_a_new_ca_reaches_every_secret_that_wants_it_and_costs_no_token() {
    let house = House::new().await;
    let asking = |name: &str| {
        AccessSecret::new(&namespace(1), name, name).annotated(keys::INJECT_CA, "true")
    };
    house.make(asking("mode-token"));
    house.make(asking("mode-kubeconfig").with_kubeconfig(DOCUMENT));
    house.ask(1, "wants-none");
    let first = house.shoot(1).ca_pem().as_bytes().to_vec();
    let of_token = house.wait(1, "mode-token", "a token", is_stamped).await;
    let of_kubeconfig = house.wait(1, "mode-kubeconfig", "a token", is_stamped).await;
    let without = house.wait(1, "shoot-access-wants-none", "a token", is_stamped).await;
    assert_eq!(
        (bundle(&of_token), ca_of_kubeconfig(&of_kubeconfig)),
        (Some(first.clone()), Some(first))
    );
    house.all_fresh(4).await;

    let before = house.counts();
    let second = change_ca(&house);
    let has = |of: fn(&Value) -> Option<Vec<u8>>| {
        let second = second.clone();
        move |secret: &Value| of(secret) == Some(second.clone())
    };
    let token_after = house.wait(1, "mode-token", "the new CA", has(bundle)).await;
    let kubeconfig_after =
        house.wait(1, "mode-kubeconfig", "the new CA", has(ca_of_kubeconfig)).await;
    house.all_fresh(4).await;
    let spent = house.spent_since(&before);
    assert_eq!(spent.shoot(1).token_requests(), 0);
    assert_eq!(spent.seed.writes("secrets"), 2, "one write each, and none of ours else: {spent:?}");
    for (before, after) in [(&of_token, &token_after), (&of_kubeconfig, &kubeconfig_after)] {
        assert_eq!(token(before), token(after));
        for key in [keys::RENEW_TIMESTAMP, keys::ISSUED] {
            assert_eq!(annotation(before, key), annotation(after, key), "{key}");
        }
    }
    let document = kubeconfig_after["data"][keys::DATA_KUBECONFIG].as_str().unwrap();
    let document = String::from_utf8(STANDARD.decode(document).unwrap()).unwrap();
    assert!(document.contains("# made by hand") && document.contains("nobody-knows: 0123"));
    assert_eq!(house.secret(1, "shoot-access-wants-none"), without, "not touched");
}

#[tokio::test]
async fn b5_the_bundle_comes_and_goes_with_the_annotation_and_costs_no_token() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    house.wait(1, &name, "a token", is_stamped).await;
    let before = house.counts();
    let set = |value: &str| {
        let value = json!(value);
        house.edit(1, &name, |secret| {
            secret["metadata"]["annotations"][keys::INJECT_CA] = value;
        });
    };
    set("true");
    let ca = house.shoot(1).ca_pem().as_bytes().to_vec();
    let held = house.wait(1, &name, "the CA", |secret| bundle(secret).is_some()).await;
    assert_eq!(bundle(&held), Some(ca));
    set("false");
    house.wait(1, &name, "no CA", |secret| bundle(secret).is_none()).await;
    assert_eq!(house.spent_since(&before).shoot(1).token_requests(), 0);
}

#[tokio::test]
async fn a_stranger_who_undoes_each_repair_is_not_fought_without_pause() {
    let house = House::new().await;
    house.make(AccessSecret::new(&namespace(1), "a", "a").annotated(keys::INJECT_CA, "true"));
    house.wait(1, "a", "a token", is_stamped).await;
    let before = house.counts();
    let right = bundle(&house.secret(1, "a"));
    // Repairs 1 and 2 come at once and after 1 s; the third one after 2 s more.
    for _ in 0..3 {
        house.edit(1, "a", |secret| secret["data"][keys::DATA_BUNDLE] = json!("c3RyYW5nZQ=="));
        house.wait(1, "a", "its CA back", |secret| bundle(secret) == right).await;
    }
    let spent = house.spent_since(&before);
    assert_eq!((spent.seed.writes("secrets"), spent.shoot(1).token_requests()), (3, 0));
}
