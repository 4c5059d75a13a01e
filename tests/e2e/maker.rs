//! What whoever made a shoot does to it while it runs (`perennial-lab shoot N …`), and how soon
//! Perennial goes on with it.

use std::process::Stdio;

use k8s_openapi::api::{authentication::v1::SelfSubjectReview, core::v1::Secret};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use perennial_core::kubeconfig;
use perennial_lab::{
    Options,
    access_secret::token,
    kubeconfig::Credential,
    poll::{Look, until},
    proxied, repo,
    shoot::{ACCESS_SECRET, BOOTSTRAP_SECRET},
};
use perennial_proto::issuer::v1::{
    Credential as InUse, ListShootsRequest, Reach, Shoot, token_issuer_client::TokenIssuerClient,
};
use tokio::process::Command;

use crate::{
    house::{House, MOMENT, claims},
    sockets::sources_to,
};

/// An access Secret that is there before anything happens.
const EARLY: &str = "shoot-access-kube-scheduler";
/// Of two shoots with an API server of their own the one that no proxy leads to.
const REAL: usize = 2;
/// The one behind a proxy, so that nobody but the token-issuer connects to its address.
const PROXIED: usize = 3;

/// `perennial-lab shoot N ACTION`, as COMMAND would call it. Says what it printed.
pub(crate) async fn act(house: &mut House, number: usize, action: &str) -> String {
    let lab = repo::folder_with(&["perennial-lab"]).unwrap().join("perennial-lab");
    let command = Command::new(lab)
        .args(["shoot", &number.to_string()])
        .args(action.split(' '))
        .env("LAB_DIR", house.lab.dir().root())
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(4 * MOMENT, command).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{action}: {said}");
    print!("{said}");
    for shoot in 1..=house.lab.shoots().len() {
        house.lab.reload_shoot(shoot).await.unwrap();
    }
    said
}

/// Whether the shoot takes the token of this Secret.
pub(crate) async fn is_taken(house: &House, shoot: usize, secret: &Secret) -> bool {
    let token = token(secret).expect("the Secret has a token");
    let client = house.lab.shoot(shoot).client_with(&Credential::Token(&token)).await.unwrap();
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    match reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 401 => false,
        Err(error) => panic!("neither yes nor no: {error}"),
    }
}

/// The shoot as the token-issuer sees it, once it is so.
pub(crate) async fn wait_for_shoot(
    house: &House,
    number: usize,
    what: &str,
    wanted: impl Fn(&Shoot) -> bool,
) -> Shoot {
    let shoots = vec![perennial_lab::shoot::namespace(number)];
    let look = async || {
        let mut issuer = TokenIssuerClient::new(house.channel("operator", "token-issuer"));
        let answer = issuer
            .list_shoots(ListShootsRequest { shoots: shoots.clone(), with_connection: false })
            .await?;
        let shoot = answer.into_inner().shoots.into_iter().next();
        Ok(match shoot {
            Some(shoot) if wanted(&shoot) => Look::Done(shoot),
            other => Look::Waiting(format!("{other:?}")),
        })
    };
    until(&format!("shoot {number}: {what}"), MOMENT, look).await.unwrap()
}

fn is_reached_with(credential: InUse) -> impl Fn(&Shoot) -> bool {
    move |shoot| shoot.reach() == Reach::Reachable && shoot.credential() == credential
}

fn server(secret: &Secret) -> String {
    let document = &secret.data.as_ref().unwrap()["kubeconfig"].0;
    kubeconfig::connection(document).unwrap().server
}

/// `LAB_SHOOT_KUBECONFIG_…` as kubectl would use it.
async fn kubeconfig_works(house: &House, number: usize) {
    let path = house.lab.dir().kubeconfig(&proxied::name(number));
    let options = KubeConfigOptions::default();
    let read = Kubeconfig::read_from(path).unwrap();
    let mut config = Config::from_custom_kubeconfig(read, &options).await.unwrap();
    config.proxy_url = None;
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::all(Client::try_from(config).unwrap());
    accounts.list(&ListParams::default().limit(1)).await.unwrap();
}

/// A new access Secret, once it has a token.
async fn served(house: &House, shoot: usize, name: &str) -> Secret {
    let name = format!("shoot-access-{name}");
    house.ask(shoot, &name, &[]).await;
    house.wait_for_token(shoot, &name).await
}

async fn renewed(house: &House, shoot: usize, name: &str) -> Secret {
    house.renew_now(shoot, name).await.unwrap();
    house.secrets(shoot).get(name).await.unwrap()
}

#[tokio::test]
async fn c_tokens_of_the_old_signing_key_work_until_it_is_dropped_and_those_of_the_new_one_on() {
    let mut house = House::start(1, &[]).await;
    house.ask(1, EARLY, &[]).await;
    let old = house.wait_for_token(1, EARLY).await;

    act(&mut house, 1, "rotate-key").await;
    assert!(is_taken(&house, 1, &old).await, "the old key is still accepted");
    let new = served(&house, 1, "late").await;
    let key = |secret: &Secret| claims(secret).unwrap().key_id.unwrap().to_string();
    assert_ne!(key(&new), key(&old));
    assert!(is_taken(&house, 1, &new).await);
    // Our own follows by itself, so that nothing depends on a bootstrap credential any more.
    let follows = |own: &Secret| claims(own).is_some() && key(own) == key(&new);
    house.wait(1, ACCESS_SECRET, "the own token under the new key", follows).await;
    house.secrets(1).delete(BOOTSTRAP_SECRET, &DeleteParams::default()).await.unwrap();

    let said = act(&mut house, 1, "rotate-key --drop-old").await;
    assert!(said.contains(&key(&new)), "the key that signs stays: {said}");
    assert!(!is_taken(&house, 1, &old).await, "the old key has left the key set");
    assert!(is_taken(&house, 1, &new).await);
    let again = renewed(&house, 1, EARLY).await;
    assert_eq!(key(&again), key(&new));
    assert!(is_taken(&house, 1, &again).await);
    kubeconfig_works(&house, 1).await;
    house.end().await;
}

#[tokio::test]
async fn f_a_shoot_with_a_new_ca_or_address_is_reached_over_new_connections_only() {
    let options = Options { shoots: 2, proxied_shoots: 1, ..Options::default() };
    let mut house = House::start_with(options).await;
    for shoot in [REAL, PROXIED] {
        house.ask(shoot, EARLY, &[]).await;
        house.wait_for_token(shoot, EARLY).await;
    }
    let proxy = house.lab.proxied()[0].endpoint().url.clone();

    let mut before = sources_to(&proxy);
    assert!(!before.is_empty(), "the token-issuer holds on to its connection");
    for action in ["rotate-ca", "rotate-ca --drop-old"] {
        act(&mut house, 1, action).await;
        before = new_connections(&house, &before, &proxy, &proxy, action).await;
        served(&house, PROXIED, &action.replace(' ', "")).await;
        kubeconfig_works(&house, 1).await;
    }

    // The proxy keeps what is open at its old address: whoever leaves it does so by itself.
    act(&mut house, PROXIED, "new-address").await;
    let own = house.secrets(PROXIED).get(ACCESS_SECRET).await.unwrap();
    let moved = server(&own);
    assert_ne!(moved, proxy);
    new_connections(&house, &before, &proxy, &moved, "new-address").await;
    assert!(sources_to(&proxy).is_empty(), "nobody is left at the old address");
    served(&house, PROXIED, "moved").await;
    kubeconfig_works(&house, PROXIED).await;

    let old = house.lab.shoot(REAL).url().to_owned();
    act(&mut house, REAL, "new-address").await;
    let address = house.lab.shoot(REAL).url().to_owned();
    assert_ne!(address, old);
    wait_for_shoot(&house, REAL, "its new address", |shoot| {
        shoot.address == address && is_reached_with(InUse::Own)(shoot)
    })
    .await;
    assert!(is_taken(&house, REAL, &renewed(&house, REAL, EARLY).await).await);
    house.end().await;
}

/// Waits until those of before are gone and others are there; says which.
async fn new_connections(
    house: &House,
    before: &std::collections::BTreeSet<u16>,
    old: &str,
    new: &str,
    why: &str,
) -> std::collections::BTreeSet<u16> {
    wait_for_shoot(house, PROXIED, "own credential", |shoot| {
        shoot.address == new && is_reached_with(InUse::Own)(shoot)
    })
    .await;
    let look = async || {
        let (left, now) = (sources_to(old), sources_to(new));
        let gone = left.is_disjoint(before);
        Ok(if gone && !now.is_empty() {
            Look::Done(now)
        } else {
            Look::Waiting(format!("{left:?} {now:?}"))
        })
    };
    until(&format!("{why}: other connections than {before:?}"), MOMENT, look).await.unwrap()
}

#[tokio::test]
async fn f_where_address_or_ca_of_the_own_secret_do_not_hold_those_of_the_bootstrap_secret_do() {
    let mut house = House::start(1, &[]).await;
    for (number, action) in
        ["rotate-ca --drop-old --tell bootstrap", "new-address --tell bootstrap"]
            .into_iter()
            .enumerate()
    {
        act(&mut house, 1, action).await;
        // A connection that is open goes on whatever CA signed since: end it.
        act(&mut house, 1, "stop").await;
        act(&mut house, 1, "start").await;
        let late = served(&house, 1, &format!("late-{number}")).await;
        assert!(is_taken(&house, 1, &late).await, "{action}");
        wait_for_shoot(&house, 1, "bootstrap credential", is_reached_with(InUse::Bootstrap)).await;
        // Its maker comes back to it: with the right address and CA the own token is good as ever.
        let before = claims(&house.secrets(1).get(ACCESS_SECRET).await.unwrap());
        act(&mut house, 1, if number == 0 { "rotate-ca" } else { "new-address" }).await;
        wait_for_shoot(&house, 1, "own credential", is_reached_with(InUse::Own)).await;
        let after = claims(&house.secrets(1).get(ACCESS_SECRET).await.unwrap());
        assert_eq!(before, after, "{action}: a token that was never refused is not replaced");
    }
    house.secrets(1).delete(BOOTSTRAP_SECRET, &DeleteParams::default()).await.unwrap();
    renewed(&house, 1, ACCESS_SECRET).await;
    house.end().await;
}
