//! Target Secrets (contract, B7, and the row of section C about them), on real API servers.

mod crash;
mod moved;
mod spoilt;

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use perennial_core::{clock::Clock as _, issued::Issued, keys, name::SecretRef, token::TokenHash};
use perennial_lab::{
    access_secret::token,
    poll::{Look, until},
};
use perennial_process::clock::SystemClock;
use serde_json::json;

use crate::house::{House, MOMENT, access_secret, annotation};

const NAMESPACE: &str = "kube-system";
/// Longest time to a first token.
const FIRST_TOKEN_MAX: Duration = Duration::from_secs(2);

impl House {
    fn targets(&self) -> Api<Secret> {
        Api::namespaced(self.lab.shoot(1).client(), NAMESPACE)
    }

    /// Makes an access Secret whose token goes to a Secret of the shoot.
    async fn aim(&self, name: &str, target: &str, more: &[(&str, &str)]) {
        let named = [(keys::TARGET_NAMESPACE, NAMESPACE), (keys::TARGET_NAME, target)];
        let all: Vec<_> = named.into_iter().chain(more.iter().copied()).collect();
        self.create(1, access_secret(name, &all)).await;
    }

    /// The target, once it is as wanted.
    async fn wait_for_target(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Secret) -> bool,
    ) -> Secret {
        let targets = self.targets();
        let look = async || {
            Ok(match targets.get_opt(name).await? {
                Some(target) if wanted(&target) => Look::Done(target),
                Some(target) => Look::Waiting(format!("{:?}", keys_of(&target))),
                None => Look::Waiting("not there".to_owned()),
            })
        };
        until(&format!("target {name}: {what}"), MOMENT, look).await.unwrap()
    }

    /// Access Secret and target, once the note on the one is about the token in the other.
    async fn wait_delivered(&self, name: &str, target: &str) -> (Secret, Secret) {
        let (sources, targets) = (self.secrets(1), self.targets());
        let look = async || {
            let (source, held) = (sources.get(name).await?, targets.get_opt(target).await?);
            let noted = note(&source);
            let of = |held: &Secret| token(held).map(|token| TokenHash::of(token.as_bytes()));
            let is_noted = noted.as_ref().is_some_and(|note| {
                note.target == SecretRef::parse(NAMESPACE, target).ok()
                    && held.as_ref().and_then(of).as_ref() == Some(&note.sha256)
            });
            Ok(match held {
                Some(held) if is_noted => Look::Done((source, held)),
                held => Look::Waiting(format!("{noted:?}, {:?}", held.as_ref().map(keys_of))),
            })
        };
        until(&format!("{name} delivered to {target}"), MOMENT, look).await.unwrap()
    }

    async fn edit_target(&self, name: &str, data: serde_json::Value) {
        let patch = Patch::Merge(json!({"data": data}));
        self.targets().patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn token_requests(&self) -> u64 {
        self.counts().await.shoot.token_requests()
    }
}

fn keys_of(secret: &Secret) -> Vec<&str> {
    secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn note(secret: &Secret) -> Option<Issued> {
    annotation(secret, keys::ISSUED).and_then(Issued::read)
}

fn encoded(text: &str) -> serde_json::Value {
    json!(ByteString(text.as_bytes().to_vec()))
}

fn target(name: &str, data: &[(&str, &str)]) -> Secret {
    let data =
        data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    let mut secret = Secret { data: Some(data.collect::<BTreeMap<_, _>>()), ..Secret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret
}

#[tokio::test]
async fn b7_a_target_gets_a_token_that_works_and_the_source_keeps_none() {
    let house = House::start(1, &[]).await;
    let begin = SystemClock.now();
    house.aim("shoot-access-kube-proxy", "made", &[(keys::INJECT_CA, "true")]).await;
    let (source, made) = house.wait_delivered("shoot-access-kube-proxy", "made").await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    println!("first delivery after {took:?}");
    assert!(took < FIRST_TOKEN_MAX, "{took:?}");
    assert_eq!(house.user_of(1, &made).await, "system:serviceaccount:kube-system:kube-proxy");
    assert_eq!(keys_of(&made), [keys::DATA_BUNDLE, keys::DATA_TOKEN]);
    assert_eq!(keys_of(&source), [""; 0], "the source has no token");
    assert!(annotation(&source, keys::RENEW_TIMESTAMP).is_some(), "the timestamp stays there");

    // A renewal.
    house.annotate(1, "shoot-access-kube-proxy", keys::RENEW_TIMESTAMP, None).await;
    let before = token(&made);
    house.wait_for_target("made", "another token", |target| token(target) != before).await;
    let (_, renewed) = house.wait_delivered("shoot-access-kube-proxy", "made").await;
    assert_eq!(house.user_of(1, &renewed).await, "system:serviceaccount:kube-system:kube-proxy");

    // Without CA: a change that costs no token.
    let before = house.token_requests().await;
    house.annotate(1, "shoot-access-kube-proxy", keys::INJECT_CA, Some("false")).await;
    let bare = |target: &Secret| keys_of(target) == [keys::DATA_TOKEN];
    house.wait_for_target("made", "no CA", bare).await;
    house.annotate(1, "shoot-access-kube-proxy", keys::INJECT_CA, Some("true")).await;
    let full = |target: &Secret| keys_of(target) == [keys::DATA_BUNDLE, keys::DATA_TOKEN];
    house.wait_for_target("made", "the CA again", full).await;
    assert_eq!(house.token_requests().await - before, 0);
    house.end().await;
}

#[tokio::test]
async fn b7_a_target_that_is_there_keeps_what_is_not_ours() {
    let house = House::start(1, &[]).await;
    let document = "# made by hand\napiVersion: v1\nkind: Config\ncurrent-context: shoot\n\
        contexts:\n- name: shoot\n  context: {cluster: shoot, user: me}\n\
        clusters:\n- name: shoot\n  cluster: {server: 'https://api.example', odd: 0123}\n\
        users:\n- name: me\n  user:\n    token: \"\" # ours\n";
    let mut plain = target("plain", &[("password", "theirs"), (keys::DATA_TOKEN, "")]);
    plain.metadata.labels = Some([("app".to_owned(), "theirs".to_owned())].into());
    let in_kubeconfig = target("document", &[(keys::DATA_KUBECONFIG, document)]);
    for secret in [plain, in_kubeconfig] {
        house.targets().create(&PostParams::default(), &secret).await.unwrap();
    }
    house.aim("shoot-access-kube-proxy", "plain", &[]).await;
    house.aim("shoot-access-vpn", "document", &[]).await;
    let (_, plain) = house.wait_delivered("shoot-access-kube-proxy", "plain").await;
    assert_eq!(keys_of(&plain), ["password", keys::DATA_TOKEN]);
    assert_eq!(plain.metadata.labels.unwrap()["app"], "theirs");
    let (_, held) = house.wait_delivered("shoot-access-vpn", "document").await;
    assert_eq!(house.user_of(1, &held).await, "system:serviceaccount:kube-system:vpn");
    assert_eq!(keys_of(&held), [keys::DATA_KUBECONFIG]);
    let written = String::from_utf8(held.data.as_ref().unwrap()[keys::DATA_KUBECONFIG].0.clone());
    let token = token(&held).unwrap();
    assert_eq!(written.unwrap().replace(&format!("\"{token}\""), "\"\""), document);
    house.end().await;
}
