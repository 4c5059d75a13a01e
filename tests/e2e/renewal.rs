//! Natural renewals, watched from the seed for as long as the lab runs.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    runtime::{
        WatchStreamExt as _,
        watcher::{Config, watcher},
    },
};
use perennial_core::{clock::Clock as _, keys, token::Claims};
use perennial_lab::access_secret::token;
use perennial_process::clock::SystemClock;

use crate::house::{House, annotation};

/// How long renewals are watched; with a basis of 8 s each Secret is renewed three times at least.
const WATCHED: Duration = Duration::from_secs(22);
const SECRETS: usize = 20;

#[tokio::test]
async fn renewals_go_on_and_nobody_ever_finds_an_expired_or_empty_token() {
    let house = House::start(1, &["--renewal-basis=8s"]).await;
    for number in 0..SECRETS {
        house.ask(1, &format!("shoot-access-component-{number}"), &[]).await;
    }
    for number in 0..SECRETS {
        house.wait_for_token(1, &format!("shoot-access-component-{number}")).await;
    }

    let secrets: Api<Secret> = house.secrets(1);
    let config = Config::default().labels("resources.gardener.cloud/class=shoot");
    let events = watcher(secrets, config).applied_objects();
    let mut tokens: BTreeMap<String, Vec<Claims>> = BTreeMap::new();
    let watch = events.map_err(|error| panic!("{error}")).for_each(|secret| {
        look(&mut tokens, &secret.unwrap());
        std::future::ready(())
    });
    let _ = tokio::time::timeout(WATCHED, watch).await; // a watch never ends by itself

    let renewals: usize = tokens.values().map(|tokens| tokens.len() - 1).sum();
    println!("{renewals} renewals of {} Secrets in {WATCHED:?}", tokens.len());
    assert_eq!(tokens.len(), SECRETS + 1, "the token-issuer's own is one more");
    for (name, tokens) in &tokens {
        assert!(tokens.len() > 3, "{name} was renewed only {} times", tokens.len() - 1);
        for pair in tokens.windows(2) {
            let age = pair[1].issued_at.as_second() - pair[0].issued_at.as_second();
            assert!((5..=8).contains(&age), "{name}: renewed after {age} s");
        }
    }
    house.end().await;
}

fn look(tokens: &mut BTreeMap<String, Vec<Claims>>, secret: &Secret) {
    let name = secret.metadata.name.clone().unwrap();
    let token = token(secret).unwrap_or_else(|| panic!("{name} has no token"));
    let claims = Claims::read(token.as_bytes()).unwrap();
    assert!(claims.expires_at > SystemClock.now(), "{name} holds an expired token");
    let stamp: jiff::Timestamp =
        annotation(secret, keys::RENEW_TIMESTAMP).unwrap().parse().unwrap();
    assert_eq!(stamp.as_second(), claims.issued_at.as_second() + 6, "80 % of 8 s, whole seconds");
    let seen = tokens.entry(name).or_default();
    if seen.last() != Some(&claims) {
        seen.push(claims);
    }
}
