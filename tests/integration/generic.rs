//! The generic kubeconfig (contract, section E): filled, followed, and otherwise left alone.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use perennial_core::{keys, kubeconfig::TokenFile};
use perennial_lab::poll::Look;
use perennial_testing::{
    certificates::Authority,
    kubeconfig::{Credential, document},
};
use serde_json::{Value, json};

use crate::house::{House, OWN, Setup, namespace, token};

const NAME: &str = "generic-kubeconfig";

/// What whoever makes a shoot creates, with things of its own beside.
fn make(house: &House, shoot: usize) {
    house.seed.create(json!({
        "kind": "Secret",
        "metadata": {"namespace": namespace(shoot), "name": NAME,
            "labels": {keys::GENERIC: keys::GENERIC_KUBECONFIG, "app": "mine"},
            "annotations": {"example.com/note": "mine"}},
        "data": {"mine": "eA=="},
    }));
}

fn held(secret: &Value) -> Option<Value> {
    let text = STANDARD.decode(secret["data"][keys::DATA_GENERIC].as_str()?).unwrap();
    let text = String::from_utf8(text).unwrap();
    let user = text.lines().rev().find(|line| line.contains("tokenFile")).unwrap_or_default();
    assert!(!text.contains("token:") && !user.is_empty(), "no credential: {text}");
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
        line.map(str::to_owned)
    };
    let ca = STANDARD.decode(value("certificate-authority-data").unwrap()).unwrap();
    Some(json!({"server": value("server"), "tokenFile": value("tokenFile"),
        "ca": String::from_utf8(ca).unwrap()}))
}

/// The kubeconfig in the Secret of a shoot, once it is as wanted.
async fn wait(house: &House, shoot: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    house
        .until(what, async || {
            let secret = house.secret(shoot, NAME);
            match held(&secret) {
                Some(held) if wanted(&held) => Look::Done(secret),
                held => Look::Waiting(format!("{held:?}")),
            }
        })
        .await
}

fn expected(house: &House, shoot: usize) -> Value {
    let fake = house.shoot(shoot);
    json!({"server": fake.url(), "ca": fake.ca_pem(), "tokenFile": TokenFile::DEFAULT})
}

/// Gets and patches of generic kubeconfigs so far.
fn calls(house: &House) -> [u64; 2] {
    ["get", "patch"]
        .map(|verb| house.seed.calls().count(|call| call.verb == verb && call.name == NAME))
}

/// Changes the connection as the maker of the shoot does: in the own Secret, beside our token.
fn move_to(house: &House, shoot: usize, server: &str, ca_pem: &str) {
    let held = token(&house.secret(shoot, OWN)).unwrap();
    let document = document(server, ca_pem, Credential::Token(&held));
    house.edit(shoot, OWN, |secret| {
        secret["data"][keys::DATA_KUBECONFIG] = STANDARD.encode(&document).into();
    });
}

#[tokio::test]
async fn e_a_labelled_secret_gets_address_ca_and_token_path_and_keeps_what_is_not_ours() {
    let house = House::settled(Setup { shoots: 2, ..Setup::default() }).await;
    for shoot in [1, 2] {
        make(&house, shoot);
        let right = expected(&house, shoot);
        let secret = wait(&house, shoot, "a generic kubeconfig", |held| *held == right).await;
        assert_eq!(secret["data"]["mine"], "eA==");
        assert_eq!(secret["metadata"]["labels"]["app"], "mine");
        assert_eq!(secret["metadata"]["annotations"], json!({"example.com/note": "mine"}));
    }
    assert_eq!(calls(&house), [2, 2], "one GET and one PATCH each");
}

#[tokio::test]
async fn e_it_follows_address_and_ca_with_one_write_each() {
    let house = House::new().await;
    make(&house, 1);
    let right = expected(&house, 1);
    wait(&house, 1, "a generic kubeconfig", |held| *held == right).await;

    let both = house.shoot(1).ca_pem() + &Authority::new().pem();
    move_to(&house, 1, &house.shoot(1).url(), &both);
    wait(&house, 1, "one CA more", |held| held["ca"] == both.as_str()).await;
    assert_eq!(calls(&house)[1], 2);

    let elsewhere = house.shoot(1).url() + "/";
    move_to(&house, 1, &elsewhere, &both);
    wait(&house, 1, "the other address", |held| held["server"] == elsewhere.as_str()).await;
    assert_eq!(calls(&house)[1], 3);
}

#[tokio::test]
async fn e_an_address_that_does_not_answer_changes_nothing() {
    let house = House::new().await;
    make(&house, 1);
    let right = expected(&house, 1);
    wait(&house, 1, "a generic kubeconfig", |held| *held == right).await;
    let before = calls(&house);

    move_to(&house, 1, "https://127.0.0.1:1", &house.shoot(1).ca_pem());
    // Served by the bootstrap credential, so the token-issuer has tried the new address.
    let name = house.ask(1, "component");
    house.wait_for_token(1, &name).await;
    assert_eq!(held(&house.secret(1, NAME)), Some(right));
    assert_eq!(calls(&house), before);
}

#[tokio::test]
async fn e_in_the_calm_nothing_is_asked_and_a_restart_writes_nothing() {
    let mut house = House::new().await;
    make(&house, 1);
    let right = expected(&house, 1);
    wait(&house, 1, "a generic kubeconfig", |held| *held == right).await;
    let before = calls(&house);
    for role in House::SERVICES {
        house.restart(role).await;
    }
    house.clock.advance(Duration::from_secs(60));
    // A Secret made now is filled by whoever woke up: so the first one was looked at too.
    house.seed.create(json!({"kind": "Secret", "metadata": {"namespace": namespace(1),
        "name": "another", "labels": {keys::GENERIC: keys::GENERIC_KUBECONFIG}}}));
    house
        .until("another generic kubeconfig", async || match held(&house.secret(1, "another")) {
            Some(held) if held == right => Look::Done(()),
            held => Look::Waiting(format!("{held:?}")),
        })
        .await;
    assert_eq!(calls(&house), before, "it was right already");
}

#[tokio::test]
async fn e_what_a_stranger_puts_there_is_put_right() {
    let house = House::new().await;
    make(&house, 1);
    let right = expected(&house, 1);
    wait(&house, 1, "a generic kubeconfig", |held| *held == right).await;
    for change in [json!({"mine": "eA=="}), json!({"mine": "eA==", keys::DATA_GENERIC: "eA=="})] {
        house.edit(1, NAME, |secret| secret["data"] = change);
        house
            .until("the right one again", async || {
                let secret = house.secret(1, NAME);
                match secret["data"][keys::DATA_GENERIC].as_str() {
                    Some(text) if text != "eA==" => Look::Done(()),
                    text => Look::Waiting(format!("{text:?}")),
                }
            })
            .await;
        assert_eq!(held(&house.secret(1, NAME)), Some(right.clone()));
    }
}

#[tokio::test]
async fn e_an_immutable_secret_gets_an_event_and_no_write() {
    let house = House::new().await;
    house.seed.create(json!({"kind": "Secret", "immutable": true, "metadata": {
        "namespace": namespace(1), "name": NAME,
        "labels": {keys::GENERIC: keys::GENERIC_KUBECONFIG}}}));
    let event = house
        .until("an Event", async || {
            let events = house.seed.list("events", &namespace(1));
            let told = |event: &&Value| event["involvedObject"]["name"] == NAME;
            match events.iter().find(told) {
                Some(event) => Look::Done(event.clone()),
                None => Look::Waiting(format!("{events:?}")),
            }
        })
        .await;
    assert_eq!(event["reason"], "SecretImmutable");
    assert_eq!(calls(&house), [0, 0]);
}
