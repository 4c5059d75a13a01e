//! How the token-issuer reaches a shoot, and goes on reaching it (contract, section F).

use std::time::Duration;

use perennial_lab::poll::Look;
use perennial_proto::issuer::v1::{
    Credential as InUse, ListShootsRequest, Reach, Shoot, token_issuer_client::TokenIssuerClient,
};
use perennial_rpc::identity::Role;
use perennial_testing::kubeconfig::{self, Credential};

use crate::house::{BOOTSTRAP, House, OWN, Setup, bootstrap_secret, is_stamped, namespace, token};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const OWN_ACCOUNT: &str = "kube-system/perennial-token-issuer";

/// The only shoot as the token-issuer sees it.
async fn shoot(house: &House) -> Shoot {
    let mut issuer = TokenIssuerClient::new(house.channel(Role::Operator, Role::TokenIssuer));
    let answer = issuer.list_shoots(ListShootsRequest::default()).await.unwrap().into_inner();
    answer.shoots.into_iter().next().unwrap()
}

async fn wait_for_credential(house: &House, wanted: InUse) {
    house
        .until(&format!("{} in use", wanted.as_str_name()), async || {
            let shoot = shoot(house).await;
            if shoot.credential() == wanted && shoot.reach() == Reach::Reachable {
                return Look::Done(());
            }
            Look::Waiting(format!("{} {}", shoot.credential().as_str_name(), shoot.detail))
        })
        .await;
}

fn remove_bootstrap(house: &House) {
    house.seed.delete("secrets", &namespace(1), BOOTSTRAP);
}

#[tokio::test]
async fn f_from_the_bootstrap_credential_to_an_own_one_that_was_proved() {
    let house = House::new().await;
    let own = token(&house.secret(1, OWN)).unwrap();
    assert_eq!(house.shoot(1).authenticate(&own).as_deref(), Some(OWN_ACCOUNT));
    let proofs = house.shoot(1).calls().of("create", "selfsubjectaccessreviews");
    assert_eq!(proofs, 1, "proved before the timestamp was written");
    wait_for_credential(&house, InUse::Own).await;
}

#[tokio::test]
async fn f_without_the_bootstrap_credential_everything_goes_on() {
    let house = House::new().await;
    remove_bootstrap(&house);
    house.shoot(1).take_certificates(false);

    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;
    let own = token(&house.secret(1, OWN)).unwrap();
    house.clock.advance(DAY);
    house.wait_for_token_after(1, OWN, &own).await;
    wait_for_credential(&house, InUse::Own).await;
}

#[tokio::test]
async fn f_a_new_own_token_that_may_not_do_our_work_is_not_written() {
    let house = House::start(Setup { proofs_hold: false, ..Setup::default() }).await;
    let refused = house
        .wait_for_schedule(1, OWN, "a failed attempt", |schedule| schedule.last_failure.is_some())
        .await;
    let message = refused.last_failure.unwrap().message;
    assert!(message.contains("serviceaccounts/token, see deploy/shoot"), "{message}");
    assert!(!is_stamped(&house.secret(1, OWN)));

    house.shoot(1).allow_in_reviews(true);
    house.wait(1, OWN, "a token once it is allowed", is_stamped).await;
}

#[tokio::test]
async fn f_where_the_shoot_refuses_the_own_token_the_bootstrap_credential_takes_over() {
    let house = House::new().await;
    wait_for_credential(&house, InUse::Own).await;
    let own = token(&house.secret(1, OWN)).unwrap();
    house.shoot(1).refuse_issued_tokens();

    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;
    wait_for_credential(&house, InUse::Bootstrap).await;

    house.clock.advance(DAY);
    let renewed = house.wait_for_token_after(1, OWN, &own).await;
    assert_eq!(house.shoot(1).authenticate(&renewed).as_deref(), Some(OWN_ACCOUNT));
    wait_for_credential(&house, InUse::Own).await;
}

#[tokio::test]
async fn f_without_any_credential_that_holds_it_says_so_and_a_new_bootstrap_heals_it() {
    let house = House::new().await;
    remove_bootstrap(&house);
    house.shoot(1).take_certificates(false);
    house.shoot(1).refuse_issued_tokens();
    let name = house.ask(1, "kube-proxy");
    let stuck = house
        .wait_for_schedule(1, &name, "word of what is missing", |schedule| {
            schedule.detail.contains(BOOTSTRAP)
        })
        .await;
    assert_eq!(stuck.reason, "nothing_held");

    let own = house
        .wait_for_schedule(1, OWN, "a failed attempt", |schedule| schedule.last_failure.is_some())
        .await;
    assert_eq!(own.reason, "own_refused");
    let event = house.until("an Event on the own Secret", async || {
        let events = house.seed.list("events", &namespace(1));
        let about_own = |event: &&serde_json::Value| {
            event["regarding"]["name"] == OWN || event["involvedObject"]["name"] == OWN
        };
        events
            .iter()
            .find(about_own)
            .cloned()
            .map_or_else(|| Look::Waiting(format!("{events:?}")), Look::Done)
    });
    let event = event.await;
    assert_eq!(event["reason"], "ShootWithoutCredential");
    assert_eq!(shoot(&house).await.reach(), Reach::Refused);

    house.shoot(1).accept_token("of-whoever-made-the-shoot");
    let credential = Credential::Token("of-whoever-made-the-shoot");
    house.seed.create(bootstrap_secret(1, house.shoot(1), credential));
    house.wait_for_token(1, &name).await;
    // The bootstrap credential is short-lived: the own one is there again before that ends.
    wait_for_credential(&house, InUse::Own).await;
}

#[tokio::test]
async fn f_a_token_that_the_shoot_refuses_is_replaced_at_once_while_the_bootstrap_credential_holds()
{
    let house = House::new().await;
    let old = token(&house.secret(1, OWN)).unwrap();
    house.shoot(1).refuse_issued_tokens();
    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;

    let before = house.counts();
    let new = house.wait_for_token_after(1, OWN, &old).await;
    assert_eq!(house.shoot(1).authenticate(&new).as_deref(), Some(OWN_ACCOUNT));
    wait_for_credential(&house, InUse::Own).await;
    assert!(house.spent_since(&before).shoot(1).token_requests() <= 1, "one token settles it");
}

#[tokio::test]
async fn f_what_does_not_hold_is_read_once_more_where_the_watch_says_nothing() {
    let house = House::new().await;
    remove_bootstrap(&house);
    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;
    house.shoot(1).take_certificates(false);
    house.seed.stall_watches(true);
    house.shoot(1).refuse_issued_tokens();
    house.shoot(1).accept_token("of-whoever-made-the-shoot");
    let credential = Credential::Token("of-whoever-made-the-shoot");
    house.seed.create(bootstrap_secret(1, house.shoot(1), credential));
    // Within a minute the shoot is looked at again.
    house.clock.advance(Duration::from_secs(60));
    wait_for_credential(&house, InUse::Bootstrap).await;
    house.seed.stall_watches(false);
    wait_for_credential(&house, InUse::Own).await;
}

#[tokio::test]
async fn f_on_a_gardener_seed_the_secret_that_is_already_there_is_the_own_one() {
    let own = ("gardener-internal", "gardener-internal");
    let house = House::settled(Setup { own, ..Setup::default() }).await;
    wait_for_credential(&house, InUse::Own).await;
    let held = token(&house.secret(1, own.0)).unwrap();
    let account = "kube-system/gardener-internal";
    assert_eq!(house.shoot(1).authenticate(&held).as_deref(), Some(account));

    let name = house.ask(1, "kube-proxy");
    house.wait_for_token(1, &name).await;
    // It is cluster-admin of the shoot: nobody else gets its token by naming it.
    let thief = house.ask(1, own.1);
    let refused = house
        .wait_for_schedule(1, &thief, "a refusal", |schedule| schedule.last_failure.is_some())
        .await;
    assert_eq!(refused.last_failure.unwrap().code, "POLICY_OWN_ACCOUNT");
}

#[tokio::test]
async fn f_a_kubeconfig_that_would_run_a_program_is_refused_with_the_reason() {
    let house = House::new().await;
    remove_bootstrap(&house);
    let (url, ca) = (house.shoot(1).url(), house.shoot(1).ca_pem());
    let plain = kubeconfig::document(&url, &ca, Credential::None);
    let exec = plain.replace("user: {}", "user: {exec: {command: /bin/true}}");
    assert_ne!(exec, plain);
    house.edit(1, OWN, |secret| {
        secret["stringData"]["kubeconfig"] = exec.into();
    });
    house
        .until("the refusal", async || match shoot(&house).await {
            shoot if shoot.detail.contains("exec") => Look::Done(()),
            shoot => Look::Waiting(shoot.detail),
        })
        .await;
}
