//! Many renewals forced at once, while strangers edit the same Secrets without pause.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{ListParams, PartialObjectMeta},
};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{
    access_secret,
    poll::{Look, until},
    shoot::ACCESS_SECRET,
};
use perennial_process::clock::SystemClock;

use crate::{
    house::House,
    strangers::{STRANGERS, Strangers},
    witness::Witness,
};

const SECRETS: usize = 500;
/// They share this many ServiceAccounts.
const ACCOUNTS: usize = 20;
/// Requests of ours at once.
const AT_ONCE: usize = 16;
/// Longest wait for 500 tokens, also on a machine that does other things too.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_five_hundred_forced_renewals_beside_eight_strangers_cost_five_hundred_token_requests() {
    let house = House::start(1, &[]).await;
    let begin = SystemClock.now();
    let names: Vec<_> = (0..SECRETS).map(|n| format!("shoot-access-component-{n}")).collect();
    let make = stream::iter(names.iter().enumerate()).for_each_concurrent(AT_ONCE, |(n, name)| {
        let account = format!("account-{}", n % ACCOUNTS);
        house.create(1, access_secret::build(name, &account, &[]))
    });
    make.await;
    wait_for_timestamps(&house).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    println!("{SECRETS} first tokens in {took:.1?}");

    let before = house.counts().await;
    let witness = Witness::begin(house.lab.seed().client()).await;
    let tokens = witness.tokens();
    let secrets = witness.secrets();
    let strangers = Strangers::begin(&secrets, &house.lab.seed().client());
    let begin = SystemClock.now();
    let force = stream::iter(&names)
        .for_each_concurrent(AT_ONCE, |name| house.annotate(1, name, keys::RENEW_TIMESTAMP, None));
    force.await;
    wait_for_timestamps(&house).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    let edits = strangers.stop().await;
    let after = house.counts().await;
    let spent = after.since(&before);
    println!(
        "{SECRETS} forced renewals in {took:.1?} ({:.0}/s) beside {} edits of {STRANGERS} strangers: \
         {} TokenRequests",
        SECRETS as f64 / took.as_secs_f64(),
        edits.count,
        spent.shoot.token_requests(),
    );
    assert_eq!(spent.shoot.token_requests(), SECRETS as u64, "{:?}", spent.shoot);
    let look = async || {
        let seen = witness.tokens() - tokens;
        let all = seen == SECRETS as u64;
        Ok(if all { Look::Done(()) } else { Look::Waiting(format!("{seen} tokens seen")) })
    };
    until("every token seen", LONG, look).await.unwrap();
    assert_eq!(witness.wrongs(), [""; 0]);
    let all: Api<Secret> = house.secrets(1);
    let lost = edits.lost(&all.list(&ListParams::default()).await.unwrap().items);
    assert!(lost.is_empty(), "{lost:?}");
    house.end().await;
}

/// Waits until every Secret has a renew timestamp, which a forced one has lost.
async fn wait_for_timestamps(house: &House) {
    let secrets = house.secrets(1);
    let params = ListParams::default().labels(&format!("{}={}", keys::CLASS, keys::CLASS_SHOOT));
    let has = |secret: &PartialObjectMeta<Secret>| {
        let annotations = secret.metadata.annotations.as_ref();
        annotations.is_some_and(|all| all.contains_key(keys::RENEW_TIMESTAMP))
            && secret.metadata.name.as_deref() != Some(ACCESS_SECRET)
    };
    let look = async || {
        let all = secrets.list_metadata(&params).await?;
        let stamped = all.items.iter().filter(|secret| has(secret)).count();
        let state = format!("{stamped} of {SECRETS} have a timestamp");
        Ok(if stamped == SECRETS { Look::Done(()) } else { Look::Waiting(state) })
    };
    until("a token in each Secret", LONG, look).await.unwrap();
}
