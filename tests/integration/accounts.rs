//! ServiceAccounts that change in a shoot (contract, B2 and section C), against fakes that forget
//! and go away at will.

use perennial_core::{keys, token::Claims};
use perennial_lab::poll::Look;
use perennial_rpc::identity::Role;
use perennial_testing::access_secret::AccessSecret;
use serde_json::{Value, json};

use crate::house::{Counts, House, OWN, namespace, token};

const PROXY: &str = "kube-proxy";

fn proxy(house: &House) -> Option<Value> {
    house.shoot(1).get("serviceaccounts", "kube-system", PROXY)
}

fn uid(account: &Value) -> String {
    account["metadata"]["uid"].as_str().unwrap().to_owned()
}

/// As a stranger does.
fn make_anew(house: &House) -> String {
    house.shoot(1).delete("serviceaccounts", "kube-system", PROXY);
    uid(&house.shoot(1).create(json!({
        "kind": "ServiceAccount", "metadata": {"namespace": "kube-system", "name": PROXY},
    })))
}

async fn wait_for_uid(house: &House, name: &str, uid: &str) {
    let of_uid = |secret: &Value| {
        let claims = token(secret).and_then(|token| Claims::read(token.as_bytes()).ok());
        claims.and_then(|claims| claims.account_uid).as_deref() == Some(uid)
    };
    house.wait(1, name, &format!("a token of {uid}"), of_uid).await;
}

async fn wait_for_labels(house: &House, labels: Value) {
    let what = format!("{PROXY} with {labels}");
    house
        .until(&what, async || {
            let account = proxy(house).unwrap();
            let automount = &account["automountServiceAccountToken"];
            match account["metadata"]["labels"] == labels && *automount == json!(false) {
                true => Look::Done(()),
                false => Look::Waiting(account.to_string()),
            }
        })
        .await;
}

/// Waits until the accounts of the shoot are watched.
async fn watched(house: &House) {
    house
        .until("the watch of accounts", async || {
            match house.counts().shoot(1).of("watch", "serviceaccounts") {
                0 => Look::Waiting("none".to_owned()),
                _ => Look::Done(()),
            }
        })
        .await;
}

fn tokens_since(house: &House, before: &Counts) -> [u64; 2] {
    let spent = house.spent_since(before);
    [spent.shoot(1).token_requests(), spent.shoot(1).token_reviews()]
}

#[tokio::test]
async fn c_account_made_anew_costs_one_token_for_each_secret_that_names_it() {
    let house = House::new().await;
    house.ask(1, PROXY);
    house.make(AccessSecret::new(&namespace(1), "shoot-access-second", PROXY));
    let names = ["shoot-access-kube-proxy", "shoot-access-second"];
    for name in names {
        house.wait_for_token(1, name).await;
    }
    watched(&house).await;
    let before = house.counts();
    let uid = make_anew(&house);
    for name in names {
        wait_for_uid(&house, name, &uid).await;
    }
    wait_for_labels(&house, Value::Null).await;
    assert_eq!(tokens_since(&house, &before), [2, 0]);
}

#[tokio::test]
async fn c_account_deleted_is_noticed_by_a_watch_that_had_to_begin_anew() {
    let house = House::new().await;
    let name = house.ask(1, PROXY);
    house.wait_for_token(1, &name).await;
    watched(&house).await;
    let before = proxy(&house).unwrap();
    house.shoot(1).cut();
    house.shoot(1).delete("serviceaccounts", "kube-system", PROXY);
    house.shoot(1).forget_history();
    house.shoot(1).reconnect();
    house
        .until("another account", async || match proxy(&house) {
            Some(account) if uid(&account) != uid(&before) => Look::Done(()),
            account => Look::Waiting(format!("{account:?}")),
        })
        .await;
    wait_for_uid(&house, &name, &uid(&proxy(&house).unwrap())).await;
}

#[tokio::test]
async fn c_account_changes_while_a_service_is_down_are_noticed() {
    for role in [Role::TokenIssuer, Role::Scheduler] {
        let mut house = House::new().await;
        let name = house.ask(1, PROXY);
        house.wait_for_token(1, &name).await;
        watched(&house).await;
        house.stop(role).await;
        let uid = make_anew(&house);
        let before = house.counts();
        house.run(role).await;
        wait_for_uid(&house, &name, &uid).await;
        assert_eq!(tokens_since(&house, &before), [1, 0], "{role:?}");
    }
}

#[tokio::test]
async fn c_account_of_the_token_issuer_itself_is_made_anew_by_the_bootstrap_credential() {
    let house = House::new().await;
    watched(&house).await;
    let own = || house.shoot(1).get("serviceaccounts", "kube-system", "perennial-token-issuer");
    let before = uid(&own().unwrap());
    house.shoot(1).delete("serviceaccounts", "kube-system", "perennial-token-issuer");
    house
        .until("another account of ours", async || match own() {
            Some(account) if uid(&account) != before => Look::Done(()),
            account => Look::Waiting(format!("{account:?}")),
        })
        .await;
    wait_for_uid(&house, OWN, &uid(&own().unwrap())).await;
    let name = house.ask(1, PROXY);
    house.wait_for_token(1, &name).await;
}

#[tokio::test]
async fn c_account_drift_is_put_back_without_a_token_and_foreign_labels_stay() {
    let house = House::new().await;
    let labelled = AccessSecret::new(&namespace(1), "shoot-access-kube-proxy", PROXY)
        .annotated(keys::ACCOUNT_LABELS, r#"{"app":"proxy"}"#);
    house.make(labelled);
    house.wait_for_token(1, "shoot-access-kube-proxy").await;
    watched(&house).await;
    let before = house.counts();
    let edit = |change: fn(&mut Value)| {
        house.shoot(1).edit("serviceaccounts", "kube-system", PROXY, change);
    };
    edit(|account| account["metadata"]["labels"] = json!({"app": "other", "team": "x"}));
    wait_for_labels(&house, json!({"app": "proxy", "team": "x"})).await;
    edit(|account| account["metadata"]["labels"] = json!({"team": "x"}));
    wait_for_labels(&house, json!({"app": "proxy", "team": "x"})).await;
    edit(|account| account["automountServiceAccountToken"] = true.into());
    wait_for_labels(&house, json!({"app": "proxy", "team": "x"})).await;
    assert_eq!(tokens_since(&house, &before), [0, 0]);
}

#[tokio::test]
async fn b12_nothing_is_issued_while_an_account_is_terminating() {
    let house = House::new().await;
    let name = house.ask(1, PROXY);
    house.wait_for_token(1, &name).await;
    watched(&house).await;
    let edit = |finalizers: Value| {
        house.shoot(1).edit("serviceaccounts", "kube-system", PROXY, |account| {
            account["metadata"]["finalizers"] = finalizers;
        });
    };
    edit(json!(["example.org/wait"]));
    let before = house.counts();
    house.shoot(1).delete("serviceaccounts", "kube-system", PROXY);
    house
        .until("a Secret that waits", async || {
            let schedules = house.schedules().await.unwrap();
            let found = schedules.into_iter().find(|schedule| schedule.name == name);
            match found {
                Some(found) if found.detail.contains("finalizer") => Look::Done(()),
                found => Look::Waiting(format!("{found:?}")),
            }
        })
        .await;
    assert_eq!(tokens_since(&house, &before), [0, 0]);
    edit(json!([]));
    house
        .until("another account", async || match proxy(&house) {
            Some(account) if account["metadata"]["deletionTimestamp"].is_null() => Look::Done(()),
            account => Look::Waiting(format!("{account:?}")),
        })
        .await;
    wait_for_uid(&house, &name, &uid(&proxy(&house).unwrap())).await;
}
