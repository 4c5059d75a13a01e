//! Target Secrets (contract, B7), with a shoot in memory whose clock and calls are at hand.

use std::time::Duration;

use perennial_core::{issued::Issued, keys, token::TokenHash};
use perennial_lab::poll::Look;
use perennial_rpc::identity::Role;
use perennial_testing::{
    access_secret::AccessSecret,
    api_server::{Fault, On},
};
use serde_json::{Value, json};

use crate::house::{House, namespace, token};

const NAME: &str = "shoot-access-kube-proxy";

impl House {
    fn aim(&self, target: &str) {
        let secret = AccessSecret::new(&namespace(1), NAME, "kube-proxy")
            .annotated(keys::TARGET_NAMESPACE, "kube-system")
            .annotated(keys::TARGET_NAME, target);
        self.make(secret);
    }

    fn target(&self, name: &str) -> Option<Value> {
        self.shoot(1).get("secrets", "kube-system", name)
    }

    /// The token in the target, once the note on the access Secret is about it.
    async fn delivered(&self, name: &str) -> String {
        self.until(&format!("a delivery to {name}"), async || {
            let source = self.secret(1, NAME);
            let note = source["metadata"]["annotations"][keys::ISSUED].as_str();
            let note = note.and_then(Issued::read);
            let held = self.target(name).as_ref().and_then(token);
            let of = |token: &String| TokenHash::of(token.as_bytes());
            let is_noted = note.is_some_and(|note| {
                note.target.is_some_and(|target| target.name.as_str() == name)
                    && held.as_ref().map(of) == Some(note.sha256)
            });
            match held {
                Some(token) if is_noted => Look::Done(token),
                held => Look::Waiting(format!("held: {}", held.is_some())),
            }
        })
        .await
    }
}

#[tokio::test]
async fn b7_the_token_goes_to_the_target_and_is_renewed_there() {
    let house = House::new().await;
    house.aim("target");
    let first = house.delivered("target").await;
    assert_eq!(house.shoot(1).authenticate(&first).as_deref(), Some("kube-system/kube-proxy"));
    assert_eq!(token(&house.secret(1, NAME)), None);
    house.clock.advance(Duration::from_secs(10 * 3_600));
    let second = house
        .until("a renewal in the target", async || match house.delivered("target").await {
            token if token != first => Look::Done(token),
            _ => Look::Waiting("still the first token".to_owned()),
        })
        .await;
    assert!(house.shoot(1).authenticate(&second).is_some());
    assert_eq!(token(&house.secret(1, NAME)), None);
}

#[tokio::test]
async fn b7_a_restart_of_all_services_costs_no_token() {
    let mut house = House::new().await;
    house.aim("target");
    let held = house.delivered("target").await;
    let before = house.counts();
    for role in [Role::TokenIssuer, Role::SecretWriter, Role::Scheduler] {
        house.restart(role).await;
    }
    house.all_fresh(2).await; // it, and the token-issuer's own
    assert_eq!(house.spent_since(&before).dear(), [0; 5]);
    assert_eq!(house.delivered("target").await, held);
}

#[tokio::test]
async fn b7_no_token_is_issued_for_a_target_that_is_not_ours_to_write() {
    let house = House::new().await;
    house.shoot(1).create(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"namespace": "kube-system", "name": "joining"},
    }));
    let before = house.counts();
    house.aim("joining");
    let said = |s: &perennial_proto::scheduler::v1::Schedule| s.detail.contains("of type");
    house.wait_for_schedule(1, NAME, "the refusal", said).await;
    assert_eq!(house.spent_since(&before).shoot(1).token_requests(), 0);
    assert!(house.target("joining").unwrap()["data"].is_null());

    house.edit(1, NAME, |secret| {
        secret["metadata"]["annotations"][keys::TARGET_NAME] = "ours".into();
    });
    house.delivered("ours").await;
}

#[tokio::test]
async fn b7_a_shoot_that_takes_no_secret_costs_one_token_and_no_storm() {
    let house = House::new().await;
    let before = house.counts();
    house.shoot(1).fail(On::call("patch", "secrets"), Fault::Hang);
    house.shoot(1).create(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"namespace": "kube-system", "name": "target"},
    }));
    house.aim("target");
    let failed = |s: &perennial_proto::scheduler::v1::Schedule| !s.detail.is_empty();
    house.wait_for_schedule(1, NAME, "the failure", failed).await;
    assert!(house.spent_since(&before).shoot(1).token_requests() <= 2);
    house.shoot(1).heal();
    house.clock.advance(Duration::from_secs(60));
    house.delivered("target").await;
}
