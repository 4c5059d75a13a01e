//! From a new Secret to its first token.

use perennial_core::{keys, token::Claims};
use perennial_testing::access_secret::AccessSecret;

use crate::house::{House, annotation, namespace};

#[tokio::test]
async fn b1_a_new_secret_gets_a_token_that_works() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    let token = house.wait_for_token(1, &name).await;

    assert_eq!(house.shoot(1).authenticate(&token).as_deref(), Some("kube-system/kube-proxy"));
    let claims = Claims::read(token.as_bytes()).unwrap();
    assert_eq!(claims.granted_seconds(), 12 * 3_600, "the lifetime where none is named");
    let secret = house.secret(1, &name);
    let latest: jiff::Timestamp =
        annotation(&secret, keys::RENEW_TIMESTAMP).unwrap().parse().unwrap();
    assert_eq!(latest.as_second() - claims.issued_at.as_second(), 12 * 3_600 * 8 / 10);
    assert!(annotation(&secret, keys::ISSUED).unwrap().contains("nothing_held"));
}

#[tokio::test]
async fn b1_a_secret_that_was_there_before_the_services_is_served_too() {
    let mut house = House::new().await;
    for role in House::SERVICES {
        house.stop(role).await;
    }
    let name = house.ask(1, "kube-proxy");
    house.run_all().await;
    house.wait_for_token(1, &name).await;
}

#[tokio::test]
async fn b2_a_missing_service_account_is_made_with_its_labels_and_without_automount() {
    let house = House::new().await;
    let secret = AccessSecret::new(&namespace(1), "shoot-access-gone", "gone")
        .annotated(keys::ACCOUNT_LABELS, r#"{"app":"gone"}"#);
    house.make(secret);
    house.wait_for_token(1, "shoot-access-gone").await;

    let account = house.shoot(1).get("serviceaccounts", "kube-system", "gone").unwrap();
    assert_eq!(account["automountServiceAccountToken"], false);
    assert_eq!(account["metadata"]["labels"]["app"], "gone");
}

#[tokio::test]
async fn b3_the_schedule_comes_from_what_was_granted() {
    let house = House::new().await;
    house.shoot(1).grant_at_most(3_600);
    let name = house.ask(1, "kube-proxy");
    let token = house.wait_for_token(1, &name).await;

    let claims = Claims::read(token.as_bytes()).unwrap();
    assert_eq!(claims.granted_seconds(), 3_600);
    let schedule = house.wait_for_schedule(1, &name, "its token", |s| s.latest_at.is_some()).await;
    let latest = schedule.latest_at.unwrap().seconds - claims.issued_at.as_second();
    assert_eq!(latest, 3_600 * 8 / 10);
}

#[tokio::test]
async fn a_b9_a_secret_of_another_class_or_without_our_label_is_left_alone() {
    let house = House::new().await;
    let seed_class =
        AccessSecret::new(&namespace(1), "other-class", "other").labelled(keys::CLASS, "seed");
    let no_purpose = AccessSecret::new(&namespace(1), "no-purpose", "other")
        .labelled(keys::PURPOSE, "something-else");
    house.make(seed_class);
    house.make(no_purpose);
    let others = ["other-class", "no-purpose"];
    let before = others.map(|name| house.secret(1, name));
    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;

    assert_eq!(others.map(|name| house.secret(1, name)), before);
    assert_eq!(house.schedules().await.unwrap().len(), 2, "kube-proxy and the token-issuer's own");
}
