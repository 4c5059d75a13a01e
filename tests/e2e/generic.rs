//! The generic kubeconfig (contract, section E) on real API servers.

use std::{collections::BTreeMap, process::Output};

use k8s_openapi::api::{authentication::v1::SelfSubjectReview, core::v1::Secret};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{
    Options,
    access_secret::token,
    counts::RequestCounts,
    kubeconfig::{Credential, Endpoint},
    projected,
    shoot::{ACCESS_SECRET, namespace},
};
use perennial_process::clock::SystemClock;
use perennial_testing::certificates::Authority;

use crate::house::{House, QUIET};

const NAME: &str = "generic-kubeconfig";
const COMPONENT: &str = "shoot-access-kube-scheduler";
/// A shoot behind a proxy: another address leads to the same API server.
const PROXIED: usize = 2;
const OTHER_ADDRESS: usize = 3;

#[tokio::test]
async fn e_a_generic_kubeconfig_is_filled_followed_used_and_otherwise_left_alone() {
    let house = House::start_with(Options { proxied_shoots: 2, ..Options::default() }).await;
    for shoot in [1, PROXIED] {
        let begin = SystemClock.now();
        house.create(shoot, empty()).await;
        let secret = filled(&house, shoot, "filled", |text| text.contains("tokenFile")).await;
        let took = SystemClock.now().duration_since(begin).unsigned_abs();
        println!("shoot {shoot}: filled {took:.1?} after it was made");
        assert_eq!(document(&secret).unwrap(), printed(&house, shoot, &[]).await);
        assert_eq!(secret.data.as_ref().unwrap().len(), 1, "nothing else");
        assert_eq!(secret.metadata.annotations, None);
    }
    a_component_works_with_it(&house).await;
    it_follows_another_ca(&house).await;
    it_follows_another_address(&house).await;
    nothing_is_written_in_the_calm(&house).await;
    the_command_ends_with_its_codes(&house).await;
    house.end().await;
}

fn empty() -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = Some(NAME.to_owned());
    let label = (keys::GENERIC.to_owned(), keys::GENERIC_KUBECONFIG.to_owned());
    secret.metadata.labels = Some(BTreeMap::from([label]));
    secret
}

fn document(secret: &Secret) -> Option<String> {
    let held = secret.data.as_ref()?.get(keys::DATA_GENERIC)?;
    Some(String::from_utf8(held.0.clone()).unwrap())
}

async fn filled(house: &House, shoot: usize, what: &str, wanted: impl Fn(&str) -> bool) -> Secret {
    house.wait(shoot, NAME, what, |secret| document(secret).is_some_and(|text| wanted(&text))).await
}

/// What `perennial kubeconfig` prints.
async fn printed(house: &House, shoot: usize, more: &[&str]) -> String {
    let namespace = namespace(shoot);
    let ended = perennial(house, &[&["kubeconfig", namespace.as_str()], more].concat()).await;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

async fn perennial(house: &House, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new("perennial");
    command.args(arguments).envs(house.lab.environment().unwrap()).output().await.unwrap()
}

/// The files are projected as a kubelet does it; only the path of the token is one of this machine.
async fn a_component_works_with_it(house: &House) {
    house.ask(PROXIED, COMPONENT, &[]).await;
    let access = house.wait_for_token(PROXIED, COMPONENT).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |text: String| [("token".to_owned(), text)];
    projected::write(folder.path(), &file(token(&access).unwrap())).unwrap();
    let path = folder.path().join("token");
    let kubeconfig = printed(house, PROXIED, &["--token-file", path.to_str().unwrap()]).await;
    let held = document(&house.secrets(PROXIED).get(NAME).await.unwrap()).unwrap();
    let default = perennial_core::kubeconfig::TokenFile::DEFAULT;
    assert_eq!(kubeconfig, held.replace(default, path.to_str().unwrap()), "but for the path");

    let parsed = Kubeconfig::from_yaml(&kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await;
    let mut config = config.unwrap();
    config.proxy_url = None; // of the machine's environment
    let reviews: Api<SelfSubjectReview> = Api::all(Client::try_from(config).unwrap());
    let review = SelfSubjectReview::default();
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    let user = answer.status.unwrap().user_info.unwrap().username.unwrap();
    assert_eq!(user, "system:serviceaccount:kube-system:kube-scheduler");
}

/// Changes the connection as the maker of the shoot does: in the own Secret, beside our token.
async fn connect_to(house: &House, shoot: usize, endpoint: &Endpoint) {
    let held = house.secrets(shoot).get(ACCESS_SECRET).await.unwrap();
    let held = token(&held).expect("the token-issuer has its own token");
    let document = endpoint.kubeconfig("shoot", &Credential::Token(&held));
    let patch = serde_json::json!({"stringData": {keys::DATA_KUBECONFIG: document}});
    let patch = kube::api::Patch::Merge(patch);
    house.secrets(shoot).patch(ACCESS_SECRET, &Default::default(), &patch).await.unwrap();
}

fn endpoint(house: &House, shoot: usize) -> Endpoint {
    let proxied = house.lab.proxied();
    proxied.iter().find(|proxied| proxied.number() == shoot).unwrap().endpoint().clone()
}

async fn it_follows_another_ca(house: &House) {
    let endpoint = endpoint(house, PROXIED);
    let both = Endpoint { ca: endpoint.ca.clone() + &Authority::new().pem(), ..endpoint };
    let before = house.secrets(PROXIED).get(NAME).await.unwrap();
    let begin = SystemClock.now();
    connect_to(house, PROXIED, &both).await;
    let old = document(&before).unwrap();
    let after = filled(house, PROXIED, "one CA more", |text| text != old).await;
    println!("another CA: followed after {:.1?}", since(begin));
    assert!(document(&after).unwrap().len() > old.len());
    assert_eq!(document(&after).unwrap(), printed(house, PROXIED, &[]).await);
}

async fn it_follows_another_address(house: &House) {
    let other = endpoint(house, OTHER_ADDRESS);
    let begin = SystemClock.now();
    connect_to(house, PROXIED, &other).await;
    let server = format!("server: {}\n", other.url);
    let secret = filled(house, PROXIED, "the other address", |text| text.contains(&server)).await;
    println!("another address: followed after {:.1?}", since(begin));
    let text = document(&secret).unwrap();
    assert!(text.contains("tls-server-name: localhost\n"), "{text}");
}

fn since(begin: jiff::Timestamp) -> std::time::Duration {
    SystemClock.now().duration_since(begin).unsigned_abs()
}

/// Ten looks of the desk without a call about it.
async fn nothing_is_written_in_the_calm(house: &House) {
    let versions = async || {
        let mut versions = Vec::new();
        for shoot in [1, PROXIED] {
            versions.push(house.secrets(shoot).get(NAME).await.unwrap().metadata.resource_version);
        }
        versions
    };
    let before = versions().await;
    let first = house.counts().await;
    tokio::time::sleep(QUIET * 15).await;
    let spent = house.counts().await.since(&first);
    let secrets = |counts: &RequestCounts| counts.writes("secrets");
    assert_eq!((secrets(&spent.seed), spent.gets()), (0, 0), "in the calm");
    assert_eq!(versions().await, before);
}

async fn the_command_ends_with_its_codes(house: &House) {
    let shoot = namespace(1);
    for (arguments, expected, told) in [
        (vec!["kubeconfig", "shoot--lab--99"], 66, "no token-issuer knows a shoot"),
        (vec!["kubeconfig", "Shoot"], 64, "lower-case"),
        (vec!["kubeconfig", &shoot, "--token-file=token"], 64, "not an absolute path"),
        (vec!["kubeconfig", &shoot, "--token-issuer-addr=127.0.0.1:1"], 69, "the token-issuer 127"),
    ] {
        let ended = perennial(house, &arguments).await;
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(expected), "{arguments:?}: {errors}");
        assert!(errors.contains(told), "{arguments:?}: {errors}");
    }
}
