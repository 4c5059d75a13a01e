//! Revocation (contract, section D), on real API servers: by the command, as an operator does.
//!
//! That consumers notice nothing of it with a grace is seen in `component`.

mod campaign;
mod crash;

use std::{process::Output, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use perennial_core::{
    clock::Clock as _, generation::Family, issued::Issued, keys, name::SecretRef,
};
use perennial_lab::{
    access_secret::token,
    kubeconfig::Credential,
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;

use crate::{
    house::{House, MOMENT, access_secret, annotation, claims, kubeconfig_secret},
    operator::{code, errors, perennial, text},
};

const REVOCABLE: (&str, &str) = (keys::REVOCABLE, "true");
/// From the command with grace 0 until the shoot refuses the token (contract, D).
const REFUSED_WITHIN: Duration = Duration::from_secs(20);
/// A generation that a stranger deleted (contract, C).
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

impl House {
    fn generations(&self) -> Api<Secret> {
        Api::namespaced(self.lab.shoot(1).client(), "kube-system")
    }

    /// Names of all generations of this access Secret that are there.
    pub(crate) async fn generations_of(&self, name: &str) -> Vec<u32> {
        let family = family(name);
        let all = self.generations().list(&ListParams::default()).await.unwrap();
        let names = all.items.into_iter().filter_map(|secret| secret.metadata.name);
        let mut numbers: Vec<_> = names.filter_map(|name| family.number(&name)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The Secret, once its token is one of that generation.
    async fn wait_for_generation(&self, name: &str, number: u32) -> Secret {
        let wanted = |secret: &Secret| generation(name, secret) == Some(number);
        self.wait(1, name, &format!("a token of generation {number}"), wanted).await
    }

    async fn takes(&self, token: &str) -> bool {
        let client = self.lab.shoot(1).client_with(&Credential::Token(token)).await.unwrap();
        match client.apiserver_version().await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 401 => false,
            Err(error) => panic!("neither taken nor refused: {error}"),
        }
    }

    pub(crate) async fn revoke(&self, name: &str, more: &[&str]) -> Output {
        let secret = format!("{}/{name}", namespace(1));
        perennial(self, &[&["revoke", &secret], more].concat()).await
    }

    /// Revokes without a grace; how long it took until the shoot refused the token.
    async fn revoke_at_once(&self, name: &str) -> Duration {
        let old = token(&self.secrets(1).get(name).await.unwrap()).unwrap();
        assert!(self.takes(&old).await, "{name}: the token works before");
        let begin = SystemClock.now();
        let refused = async {
            let look = async || {
                let taken = self.takes(&old).await;
                Ok(if taken { Look::Waiting("taken".to_owned()) } else { Look::Done(()) })
            };
            until("the old token being refused", MOMENT, look).await.unwrap();
            SystemClock.now().duration_since(begin).unsigned_abs()
        };
        let (refused, output) = tokio::join!(refused, self.revoke(name, &["--grace=0"]));
        let (out, err) = (text(&output), errors(&output));
        println!("{name}: refused after {refused:.1?}\n{out}{err}");
        assert_eq!(code(&output), 0, "{name}: {out}{err}");
        assert!(!self.takes(&old).await, "{name}: what the command says is so");
        refused
    }
}

fn family(name: &str) -> Family {
    let secret = SecretRef::parse(&namespace(1), name).unwrap();
    Family::new(&"kube-system".parse().unwrap(), &secret)
}

fn generation(name: &str, secret: &Secret) -> Option<u32> {
    family(name).number(&claims(secret)?.bound?.name)
}

#[tokio::test]
async fn d_without_a_grace_the_old_token_is_refused_within_twenty_seconds_of_the_command() {
    let house = House::start(1, &[]).await;
    let (plain, document) = ("shoot-access-plain", "shoot-access-document");
    house.ask(1, plain, &[REVOCABLE]).await;
    let mut secret = kubeconfig_secret(document, DOCUMENT);
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(REVOCABLE.0.to_owned(), REVOCABLE.1.to_owned());
    house.create(1, secret).await;
    for name in [plain, document] {
        house.wait_for_generation(name, 1).await;
    }

    // An ordinary renewal stays in its generation and costs one TokenRequest and nothing else.
    let before = house.counts().await;
    let first = token(&house.secrets(1).get(plain).await.unwrap());
    house.annotate(1, plain, keys::RENEW_TIMESTAMP, None).await;
    house.wait(1, plain, "another token", |secret| token(secret) != first).await;
    let spent = house.counts().await.since(&before);
    assert_eq!((spent.shoot.token_requests(), spent.shoot.writes("secrets")), (1, 0));
    assert_eq!(house.generations_of(plain).await, [1]);
    assert!(house.takes(&first.unwrap()).await, "both tokens of a generation live");

    let before = house.counts().await;
    for name in [plain, document] {
        let took = house.revoke_at_once(name).await;
        assert!(took < REFUSED_WITHIN, "{name}: {took:?}");
        let now = house.wait_for_generation(name, 2).await;
        assert_eq!(house.generations_of(name).await, [2]);
        let user = house.user_of(1, &now).await;
        assert!(user.starts_with("system:serviceaccount:kube-system:"), "{user}");
    }
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.token_requests(), 2, "{:?}", spent.shoot);
    assert_eq!(spent.shoot.token_reviews(), 0);
    house.end().await;
}

const DOCUMENT: &str = "apiVersion: v1\nkind: Config\ncurrent-context: shoot\n\
    contexts:\n- name: shoot\n  context: {cluster: shoot, user: me}\n\
    clusters:\n- name: shoot\n  cluster: {server: 'https://api.example'}\n\
    users:\n- name: me\n  user: {token: \"\"}\n";

#[tokio::test]
async fn d_who_cannot_be_revoked_is_told_why_and_what_else_there_is_and_strangers_are_noticed() {
    let house = House::start(1, &[]).await;
    let (bound, unbound, target) = ("shoot-access-bound", "shoot-access-unbound", "revocable");
    let aimed = "shoot-access-aimed";
    house.ask(1, bound, &[REVOCABLE]).await;
    house.ask(1, unbound, &[]).await;
    let named = [(keys::TARGET_NAMESPACE, "kube-system"), (keys::TARGET_NAME, target), REVOCABLE];
    house.create(1, access_secret(aimed, &named)).await;
    house.wait_for_generation(bound, 1).await;
    house.wait_for_token(1, unbound).await;

    let before = house.counts().await;
    let output = house.revoke(unbound, &[]).await;
    let told = errors(&output) + &text(&output);
    println!("{told}");
    assert_ne!(code(&output), 0);
    for part in [keys::REVOCABLE, "delete serviceaccount", "unbound", "401"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert_eq!(house.counts().await.since(&before).shoot.token_requests(), 0);

    // Whoever deletes a generation by hand revokes too.
    let old = house.secrets(1).get(bound).await.unwrap();
    let begin = SystemClock.now();
    let name = family(bound).name(1);
    house.generations().delete(name.as_str(), &DeleteParams::default()).await.unwrap();
    house.wait(1, bound, "another token", |secret| token(secret) != token(&old)).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    println!("a deleted generation is noticed and made good after {took:.1?}");
    assert!(took < NOTICED_WITHIN, "{took:?}");
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.tokens_granted(), 1, "{:?}", spent.shoot);

    // A token in a target is revoked there.
    let stamped = |secret: &Secret| annotation(secret, keys::ISSUED).is_some();
    house.wait(1, aimed, "a delivery", stamped).await;
    let old = token(&house.generations().get(target).await.unwrap()).unwrap();
    let output = house.revoke(aimed, &["--grace=0"]).await;
    println!("{}", text(&output));
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(!house.takes(&old).await);
    let new = token(&house.generations().get(target).await.unwrap()).unwrap();
    assert!(house.takes(&new).await);
    house.end().await;
}

fn note(secret: &Secret) -> Option<Issued> {
    annotation(secret, keys::ISSUED).and_then(Issued::read)
}
