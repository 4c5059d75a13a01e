//! A signing key that leaves the key set of a shoot (contract, section C).

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use perennial_lab::{
    Options,
    poll::{Look, until},
    shoot::ACCESS_SECRET,
};

use crate::{
    house::{House, claims},
    maker::{act, is_taken},
};

const NAMES: [&str; 4] = ["etcd", "kube-scheduler", "machine-controller", "vpn"];
/// Three looks, two seconds apart, and 90 s over which the renewals are spread; twice that on a
/// machine under load.
const BOUND: Duration = Duration::from_secs(200);

fn key(secret: &Secret) -> String {
    claims(secret).unwrap().key_id.unwrap().to_string()
}

#[tokio::test]
async fn c_every_token_of_a_key_that_is_withdrawn_is_replaced_once() {
    let arguments = ["--probe-interval=2s", "--key-withdrawn-after=6s"];
    let issuer_args = arguments.map(str::to_owned).into();
    let mut house = House::start_with(Options { issuer_args, ..Options::default() }).await;
    for name in NAMES {
        house.ask(1, name, &[]).await;
        house.wait_for_token(1, name).await;
    }
    act(&mut house, 1, "rotate-key").await;
    house.ask(1, "late", &[]).await;
    let late = house.wait_for_token(1, "late").await;
    let follows = |own: &Secret| key(own) == key(&late);
    house.wait(1, ACCESS_SECRET, "the own token under the new key", follows).await;
    act(&mut house, 1, "rotate-key --drop-old").await;

    let renewed = async || {
        let mut old = Vec::new();
        for name in NAMES {
            let secret = house.secrets(1).get(name).await?;
            if key(&secret) != key(&late) {
                old.push(name);
            }
        }
        Ok(if old.is_empty() { Look::Done(()) } else { Look::Waiting(format!("old: {old:?}")) })
    };
    until("tokens of the key that is left", BOUND, renewed).await.unwrap();
    for name in NAMES {
        let secret = house.secrets(1).get(name).await.unwrap();
        assert!(is_taken(&house, 1, &secret).await, "{name}");
    }
    let schedules = house.schedules().await;
    let reasons = schedules.iter().filter(|schedule| NAMES.contains(&schedule.name.as_str()));
    let reasons: Vec<_> =
        reasons.map(|schedule| schedule.last_renewal.clone().unwrap().reason).collect();
    assert_eq!(reasons, ["key_withdrawn"; NAMES.len()]);
    // Its counts begin with its start under the new keys.
    let granted = house.counts().await.shoot.tokens_granted();
    assert_eq!(granted, NAMES.len() as u64);
    house.end().await;
}
