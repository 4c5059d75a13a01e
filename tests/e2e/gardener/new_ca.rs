//! Whoever made the shoot writes another CA bundle into the Secret that we reach it by.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use perennial_core::{clock::Clock as _, keys, kubeconfig};
use perennial_lab::{
    access_secret::token,
    kubeconfig::Credential,
    poll::{Look, until},
};
use perennial_process::clock::SystemClock;
use perennial_testing::certificates::Authority;
use serde_json::json;

use crate::house::{House, MOMENT, annotation, kubeconfig_secret};

const PLAIN: &str = "shoot-access-plain";
const IN_KUBECONFIG: &str = "shoot-access-in-kubeconfig";
const AIMED: &str = "shoot-access-aimed";
const TARGET: &str = "aimed";
const NONE_WANTED: &str = "shoot-access-none-wanted";

/// Within ten seconds, for one write each and no token; and who wants none keeps what it has.
pub(super) async fn reaches_all_who_want_it(own: &str, house: &House) {
    ask(house).await;
    let before = All::fetch(house).await;
    let first = house.lab.shoot(1).endpoint().ca.clone().into_bytes();
    assert!(before.all_trust(&first), "{:?}", before.bundles());

    let bundle = [first, Authority::new().pem().into_bytes()].concat();
    let counts = house.counts().await;
    let begin = SystemClock.now();
    change(own, &bundle, house).await;
    let look = async || {
        let all = All::fetch(house).await;
        Ok(match all.all_trust(&bundle) {
            true => Look::Done(all),
            false => Look::Waiting(format!("{:?} bytes, wanted {}", all.bundles(), bundle.len())),
        })
    };
    let after = until("the new CA in all three", MOMENT, look).await.unwrap();
    println!("the new CA is everywhere after {:.1?}", SystemClock.now().duration_since(begin));
    let spent = house.counts().await.since(&counts);
    assert_eq!(spent.shoot.token_requests(), 0, "{:?}", spent.shoot);
    assert_eq!(spent.shoot.writes("secrets"), 1, "the target: {:?}", spent.shoot);
    assert_eq!(spent.seed.writes("secrets"), 3, "ours, and two others: {:?}", spent.seed);
    assert_eq!(before.tokens(), after.tokens());
    for (before, after) in before.sources.iter().zip(&after.sources) {
        for key in [keys::RENEW_TIMESTAMP, keys::ISSUED] {
            assert_eq!(annotation(before, key), annotation(after, key), "{key}");
        }
    }
    assert_eq!(before.none_wanted, after.none_wanted, "not touched");
}

async fn ask(house: &House) {
    let wanted = (keys::INJECT_CA, "true");
    house.ask(1, PLAIN, &[wanted]).await;
    let document = house.lab.shoot(1).endpoint().kubeconfig("shoot", &Credential::None);
    let mut secret = kubeconfig_secret(IN_KUBECONFIG, &document);
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(wanted.0.to_owned(), wanted.1.to_owned());
    house.create(1, secret).await;
    let target = [(keys::TARGET_NAMESPACE, "kube-system"), (keys::TARGET_NAME, TARGET), wanted];
    house.ask(1, AIMED, &target).await;
    house.ask(1, NONE_WANTED, &[]).await;
    let stamped = |secret: &Secret| annotation(secret, keys::RENEW_TIMESTAMP).is_some();
    for name in [PLAIN, IN_KUBECONFIG, AIMED, NONE_WANTED] {
        house.wait(1, name, "a token", stamped).await;
    }
}

async fn change(own: &str, bundle: &[u8], house: &House) {
    let held = house.secrets(1).get(own).await.unwrap();
    let held = &held.data.as_ref().unwrap()[keys::DATA_KUBECONFIG].0;
    let document = ByteString(kubeconfig::with_ca(held, bundle).unwrap());
    let patch = Patch::Merge(json!({"data": {keys::DATA_KUBECONFIG: document}}));
    house.secrets(1).patch(own, &PatchParams::default(), &patch).await.unwrap();
}

/// What matters here, at one moment.
struct All {
    /// One with the token beside the CA, one with both in a kubeconfig, one with a target.
    sources: [Secret; 3],
    target: Secret,
    none_wanted: Secret,
}

impl All {
    async fn fetch(house: &House) -> Self {
        let secrets = house.secrets(1);
        let get = async |name| secrets.get(name).await.unwrap();
        let targets: Api<Secret> = Api::namespaced(house.lab.shoot(1).client(), "kube-system");
        Self {
            sources: [get(PLAIN).await, get(IN_KUBECONFIG).await, get(AIMED).await],
            target: targets.get(TARGET).await.unwrap(),
            none_wanted: get(NONE_WANTED).await,
        }
    }

    fn holders(&self) -> [&Secret; 3] {
        [&self.sources[0], &self.sources[1], &self.target]
    }

    fn all_trust(&self, bundle: &[u8]) -> bool {
        self.holders().iter().all(|holder| ca_of(holder).as_deref() == Some(bundle))
    }

    fn bundles(&self) -> [Option<usize>; 3] {
        self.holders().map(|holder| ca_of(holder).map(|bundle| bundle.len()))
    }

    fn tokens(&self) -> [Option<String>; 3] {
        self.holders().map(token)
    }
}

fn ca_of(secret: &Secret) -> Option<Vec<u8>> {
    let data = secret.data.as_ref()?;
    match data.get(keys::DATA_KUBECONFIG) {
        Some(document) => kubeconfig::current_ca(&document.0).unwrap(),
        None => data.get(keys::DATA_BUNDLE).map(|bundle| bundle.0.clone()),
    }
}
