//! From the creation of a Secret to a token that works.

use std::time::Duration;

use perennial_core::{clock::Clock as _, issued::Issued, keys, window};
use perennial_lab::access_secret::token;
use perennial_process::clock::SystemClock;

use crate::house::{House, annotation, claims, kubeconfig_secret};

/// Upper bound of the issue for a first token.
const FIRST_TOKEN_MAX: Duration = Duration::from_secs(2);

#[tokio::test]
async fn b1_a_labelled_secret_gets_a_token_that_works_in_under_two_seconds() {
    let house = House::start(1, &[]).await;
    let mut waits = Vec::new();
    for account in ["kube-scheduler", "kube-proxy", "cluster-autoscaler"] {
        let name = format!("shoot-access-{account}");
        let begin = SystemClock.now();
        house.ask(1, &name, &[]).await;
        let secret = house.wait_for_token(1, &name).await;
        waits.push(SystemClock.now().duration_since(begin).unsigned_abs());
        let user = house.user_of(1, &secret).await;
        assert_eq!(user, format!("system:serviceaccount:kube-system:{account}"));

        let claims = claims(&secret).unwrap();
        let note = Issued::read(annotation(&secret, keys::ISSUED).unwrap()).unwrap();
        let stamp: jiff::Timestamp =
            annotation(&secret, keys::RENEW_TIMESTAMP).unwrap().parse().unwrap();
        assert_eq!(stamp, window::latest(&claims, window::BASIS_DEFAULT_SECONDS));
        assert_eq!(claims.granted_seconds(), 12 * 3_600);
        assert!(note.renew_at <= stamp, "planned {} after latest {stamp}", note.renew_at);
    }
    println!("first tokens after {waits:?}");
    assert!(waits.iter().all(|wait| *wait < FIRST_TOKEN_MAX), "{waits:?}");
    house.end().await;
}

#[tokio::test]
async fn b6_in_kubeconfig_mode_only_the_token_of_the_current_user_changes() {
    let house = House::start(1, &[]).await;
    let document = "# made by hand\napiVersion: v1\nkind: Config\ncurrent-context: shoot\n\
        contexts:\n- name: shoot\n  context: {cluster: shoot, user: me}\n\
        clusters:\n- name: shoot\n  cluster: {server: 'https://api.example', odd: 0123}\n\
        users:\n- name: other\n  user:\n    token: keep\n- name: me\n  user:\n    token: \"\" # ours\n";
    house.create(1, kubeconfig_secret("shoot-access-vpn", document)).await;
    house.annotate(1, "shoot-access-vpn", keys::ACCOUNT_NAME, Some("vpn")).await;
    let secret = house.wait_for_token(1, "shoot-access-vpn").await;
    assert_eq!(house.user_of(1, &secret).await, "system:serviceaccount:kube-system:vpn");
    let data = secret.data.as_ref().unwrap();
    assert!(!data.contains_key(keys::DATA_TOKEN));
    let written = String::from_utf8(data[keys::DATA_KUBECONFIG].0.clone()).unwrap();
    let token = token(&secret).unwrap();
    assert_eq!(written.replace(&format!("\"{token}\""), "\"\""), document);
    house.end().await;
}
