//! A process that ends between the write in the shoot and the one on the seed, and restarts.

use perennial_lab::service::SERVICES;

use super::*;

const NAME: &str = "shoot-access-kube-proxy";

/// Each point, and the most tokens that a crash there may cost beside the one that is asked for.
const POINTS: [(&str, u64); 4] = [
    ("token-issuer.granted", 1),
    ("token-issuer.delivered", 1),
    ("secret-writer.issued", 1),
    ("secret-writer.written", 0),
];
/// Former targets are cleaned without a token.
const CLEANING: &str = "secret-writer.synced";

#[tokio::test]
async fn b7_a_crash_between_target_and_source_costs_one_token_at_most_and_loses_nothing() {
    let house = House::start(1, &[]).await;
    house.give_crash_points(&points().collect::<Vec<_>>()).await;
    // A Secret for each point: one that was corrected a moment ago would be held (B12).
    for point in points() {
        let (name, target) = names_of(point);
        house.aim(&name, &target, &[]).await;
        house.wait_delivered(&name, &target).await;
    }
    for (point, most) in POINTS {
        let (name, target) = names_of(point);
        let before = house.token_requests().await;
        let cause = async || house.annotate(1, &name, keys::RENEW_TIMESTAMP, None).await;
        house.crash_at(point, cause).await;
        let stamped = |secret: &Secret| annotation(secret, keys::RENEW_TIMESTAMP).is_some();
        house.wait(1, &name, "a timestamp", stamped).await;
        let (source, held) = house.wait_delivered(&name, &target).await;
        assert_eq!(keys_of(&source), [""; 0]);
        house.user_of(1, &held).await; // the shoot takes it
        let spent = house.token_requests().await - before;
        println!("{point:26} {spent} tokens");
        assert!((1..=1 + most).contains(&spent), "{point}: {spent} tokens");
    }

    let (name, target) = names_of(CLEANING);
    let before = house.token_requests().await;
    let cause = async || house.annotate(1, &name, keys::TARGET_NAME, Some("elsewhere")).await;
    house.crash_at(CLEANING, cause).await;
    house.wait_delivered(&name, "elsewhere").await;
    let clean = |secret: &Secret| note(secret).is_some_and(|note| note.left.is_empty());
    house.wait(1, &name, "no former target", clean).await;
    let left = |target: &Secret| keys_of(target).is_empty();
    house.wait_for_target(&target, "what was put there is gone", left).await;
    assert_eq!(house.token_requests().await - before, 1, "{CLEANING}");
    house.end().await;
}

#[tokio::test]
async fn b7_a_restart_of_any_service_costs_no_token_for_what_stands_in_targets() {
    let house = House::start(1, &[]).await;
    house.aim(NAME, "target", &[(keys::INJECT_CA, "true")]).await;
    house.wait_delivered(NAME, "target").await;
    let before = house.counts().await;
    for service in SERVICES {
        house.lab.service(service).restart().await.unwrap();
        house.lab.service(service).wait_ready().await.unwrap();
    }
    // All three have looked at it again once a repair goes through them.
    house.edit_target("target", json!({"bundle.crt": null})).await;
    let full = |target: &Secret| keys_of(target) == [keys::DATA_BUNDLE, keys::DATA_TOKEN];
    house.wait_for_target("target", "the CA again", full).await;
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.token_requests(), 0, "{:?}", spent.shoot);
    assert_eq!(spent.seed.writes("secrets"), 0, "{:?}", spent.seed);
    house.end().await;
}

fn names_of(point: &str) -> (String, String) {
    let point = point.replace('.', "-");
    (format!("shoot-access-{point}"), format!("target-{point}"))
}

fn points() -> impl Iterator<Item = &'static str> {
    POINTS.into_iter().map(|(point, _)| point).chain([CLEANING])
}
