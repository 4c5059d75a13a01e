//! Renewals: when, at what cost, and beside whom.

use std::time::Duration;

use perennial_core::{keys, token::Claims};
use perennial_proto::scheduler::v1::State;
use perennial_testing::{
    access_secret::AccessSecret,
    api_server::{Fault, On},
    kubeconfig::{self, Credential},
};
use tokio::{sync::watch, task::JoinSet};

use crate::house::{House, Setup, annotation, namespace, token};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// An access Secret in kubeconfig mode.
fn document_secret(house: &House, account: &str) -> String {
    let name = format!("shoot-access-{account}");
    let shoot = house.shoot(1);
    let document = kubeconfig::document(&shoot.url(), &shoot.ca_pem(), Credential::None);
    house.make(AccessSecret::new(&namespace(1), &name, account).with_kubeconfig(&document));
    name
}

#[tokio::test]
async fn b4_a_token_is_renewed_when_its_moment_comes_and_not_before() {
    let house = House::settled(Setup { basis: HOUR, ..Setup::default() }).await;
    let name = house.ask(1, "kube-proxy");
    let first = house.wait_for_token(1, &name).await;
    house.all_fresh(2).await;
    let before = house.counts();
    house.clock.advance(HOUR / 2); // the window begins at 72 % of the basis
    house.all_fresh(2).await;
    assert_eq!(house.spent_since(&before).dear(), [0; 5]);

    house.clock.advance(HOUR / 2 - HOUR * 20 / 100); // 80 %
    let second = house.wait_for_token_after(1, &name, &first).await;
    let issued_at = |token: &str| Claims::read(token.as_bytes()).unwrap().issued_at.as_second();
    let age = issued_at(&second) - issued_at(&first);
    assert!((72 * 36..=80 * 36 + 30).contains(&age), "renewed after {age} s");
    let schedule = house.wait_for_schedule(1, &name, "its renewal", |s| s.renewals >= 2).await;
    assert_eq!(schedule.last_renewal.unwrap().reason, "due");
    assert_eq!(house.shoot(1).authenticate(&first).as_deref(), Some("kube-system/kube-proxy"));
}

#[tokio::test]
async fn a_renewal_costs_one_token_request_and_one_patch_and_a_kubeconfig_one_get_more() {
    let house = House::new().await;
    let plain = house.ask(1, "plain");
    let document = document_secret(&house, "document");
    house.all_fresh(3).await;
    for (name, gets) in [(plain, 0), (document, 1)] {
        let before = house.counts();
        house.renew_now(1, &name).await.unwrap();
        house.all_fresh(3).await;
        let spent = house.spent_since(&before);
        assert_eq!(spent.dear(), [1, 0, 0, 1, gets], "{name}: {spent:?}");
    }
}

#[tokio::test]
async fn b6_a_kubeconfig_keeps_every_byte_but_the_token() {
    let house = House::new().await;
    let name = document_secret(&house, "document");
    let first = house.wait_for_token(1, &name).await;
    let text =
        |secret: &serde_json::Value| secret["data"]["kubeconfig"].as_str().unwrap().to_owned();
    let held = text(&house.secret(1, &name));
    house.clock.advance(12 * HOUR);
    let second = house.wait_for_token_after(1, &name, &first).await;
    assert_eq!(first.len(), second.len());
    assert_eq!(text(&house.secret(1, &name)).len(), held.len());
    assert!(house.secret(1, &name)["data"]["token"].is_null());
}

/// Strangers who never pause: each counts in an annotation of its own on every Secret.
struct Strangers {
    stop: watch::Sender<bool>,
    edits: JoinSet<(String, u64)>,
}

impl Strangers {
    fn at_work(house: &std::sync::Arc<House>, secrets: &[String]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut edits = JoinSet::new();
        for stranger in 0..4 {
            let (house, secrets, stopped) = (house.clone(), secrets.to_vec(), stopped.clone());
            let key = format!("stranger.example/{stranger}");
            edits.spawn(async move {
                let mut rounds = 0_u64;
                while !*stopped.borrow() {
                    rounds += 1;
                    for name in &secrets {
                        house.edit(1, name, |secret| {
                            secret["metadata"]["annotations"][&key] = rounds.to_string().into();
                        });
                        tokio::task::yield_now().await;
                    }
                }
                (key, rounds)
            });
        }
        Self { stop, edits }
    }

    async fn stop(self) -> Vec<(String, u64)> {
        self.stop.send_replace(true);
        self.edits.join_all().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_edits_of_strangers_during_renewals_lose_nothing_and_cost_no_token() {
    let house = std::sync::Arc::new(House::new().await);
    let names: Vec<String> = (0..8).map(|n| house.ask(1, &format!("component-{n}"))).collect();
    house.all_fresh(9).await;
    for name in &names {
        house.edit(1, name, |secret| {
            secret["data"]["strange"] = "a2VwdA==".into();
            secret["metadata"]["labels"]["stranger.example/label"] = "kept".into();
        });
    }
    let before = house.counts();
    let strangers = Strangers::at_work(&house, &names);
    for name in &names {
        house.renew_now(1, name).await.unwrap();
    }
    let edits = strangers.stop().await;
    let [token_requests, _, _, patches, gets] = house.spent_since(&before).dear();
    assert_eq!(token_requests, 8);
    // The first patch names the version that was seen; where a stranger was faster, the Secret is
    // read once and the second patch names what matters. Nobody hits the gap between those.
    assert!(patches <= 16 && gets <= 8, "{patches} patches, {gets} reads");
    for name in &names {
        let secret = house.secret(1, name);
        for (key, rounds) in &edits {
            assert!(*rounds > 0);
            assert_eq!(annotation(&secret, key), Some(rounds.to_string().as_str()), "{name}");
        }
        assert_eq!(secret["data"]["strange"], "a2VwdA==");
        assert_eq!(secret["metadata"]["labels"]["stranger.example/label"], "kept");
        assert!(house.shoot(1).authenticate(&token(&secret).unwrap()).is_some());
    }
}

#[tokio::test]
async fn b8_a_secret_that_asks_for_another_account_meanwhile_gets_no_token_of_the_old_one() {
    let house = House::new().await;
    house.shoot(1).fail_times(1, On::token_requests().named("old"), Fault::AnswerHeld);
    let name = house.ask(1, "old");
    house
        .wait_for_schedule(1, &name, "a renewal under way", |schedule| {
            schedule.state() == State::Renewing
        })
        .await;
    house.edit(1, &name, |secret| {
        secret["metadata"]["annotations"][keys::ACCOUNT_NAME] = "new".into();
    });
    house.shoot(1).heal();

    let token = house.wait_for_token(1, &name).await;
    assert_eq!(house.shoot(1).authenticate(&token).as_deref(), Some("kube-system/new"));
}

#[tokio::test]
async fn c_a_changed_input_a_blanked_and_a_strange_token_are_made_good_at_once() {
    let house = House::new().await;
    let names = ["changed", "blanked", "strange"].map(|account| house.ask(1, account));
    house.all_fresh(4).await;
    let [changed, blanked, strange] = &names;
    house.edit(1, changed, |secret| {
        secret["metadata"]["annotations"][keys::TOKEN_LIFETIME] = "2h".into();
    });
    house.edit(1, blanked, |secret| secret["data"]["token"] = "".into());
    house.edit(1, strange, |secret| secret["data"]["token"] = "Z2FyYmFnZQ==".into());

    for (name, reason) in
        [(changed, "inputs_changed"), (blanked, "nothing_held"), (strange, "unreadable")]
    {
        let schedule = house
            .wait_for_schedule(1, name, "its second token", |schedule| schedule.renewals == 2)
            .await;
        assert_eq!(schedule.last_renewal.unwrap().reason, reason);
        let held = token(&house.secret(1, name)).unwrap();
        assert!(house.shoot(1).authenticate(&held).is_some(), "{name}");
    }
    let held = token(&house.secret(1, changed)).unwrap();
    assert_eq!(Claims::read(held.as_bytes()).unwrap().granted_seconds(), 2 * 3_600);
}

#[tokio::test]
async fn an_answer_that_was_lost_costs_one_token_at_most() {
    let house = House::new().await;
    let before = house.counts();
    house.shoot(1).fail_times(1, On::token_requests().named("kube-proxy"), Fault::AnswerLost);
    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;
    house.all_fresh(2).await;
    let [token_requests, ..] = house.spent_since(&before).dear();
    assert!(token_requests <= 3, "refused without account, perhaps lost, good: {token_requests}");
}

#[tokio::test]
async fn a_patch_whose_answer_was_lost_is_seen_in_the_stream_and_not_made_again() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    house.all_fresh(2).await;
    let before = house.counts();
    house.seed.fail_times(1, On::call("patch", "secrets"), Fault::AnswerLost);
    house.clock.advance(10 * HOUR);
    house
        .wait_for_schedule(1, &name, "freshness", |schedule| {
            schedule.last_renewal.as_ref().is_some_and(|renewal| renewal.reason == "due")
                && schedule.state() == State::Fresh
        })
        .await;
    assert_eq!(house.spent_since(&before).dear(), [1, 0, 0, 1, 0]);
}

#[tokio::test]
async fn a_seed_that_asks_to_slow_down_for_one_secret_holds_up_no_other_of_its_shoot() {
    let house = House::new().await;
    let ten_minutes = Fault::FlowControl { retry_after: Duration::from_secs(600) };
    let patch = On::call("patch", "secrets").named("shoot-access-slow");
    house.seed.fail_times(1, patch, ten_minutes);
    let slow = house.ask(1, "slow");
    house.wait_for_schedule(1, &slow, "its pause", |s| s.state() == State::BackingOff).await;
    for (minutes, account) in [(0, "beside"), (9, "later")] {
        house.clock.advance(Duration::from_secs(minutes * 60));
        let name = house.ask(1, account);
        house.wait_for_token(1, &name).await;
    }
    assert_eq!(token(&house.secret(1, &slow)), None, "the seed is not asked meanwhile");

    house.clock.advance(Duration::from_secs(90));
    house.wait_for_token(1, &slow).await;
}
