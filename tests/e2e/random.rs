//! A thousand random Secrets that are right among a thousand that are wrong (B10), on real API
//! servers. Their maker is `tests/fuzz`; the same numbers make the same Secrets.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Event, Secret, ServiceAccount};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use perennial_core::{clock::Clock as _, issued::Issued, keys};
use perennial_fuzz::samples::{Sample, WRONG_ACCOUNT};
use perennial_lab::{
    poll::{Look, until},
    shoot::{ACCESS_SECRET, namespace},
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    ExplainScheduleRequest, ListSchedulesRequest, Schedule, State,
};
use serde_json::Value;

use crate::{
    events::events,
    house::{House, annotation, claims},
};

/// Of each kind.
const EACH: u64 = 1_000;
/// Requests of ours at once.
const AT_ONCE: usize = 16;
/// Of the wrong ones so many are corrected in the end, and so many explained.
const CORRECTED: u64 = 50;
const EXPLAINED: u64 = 20;
/// A thousand Events at 25 a second take 40 s; the rest is for a machine that does other things too.
const LONG: Duration = Duration::from_secs(150);
const SERVICES: [&str; 3] = ["token-issuer", "secret-writer", "scheduler"];

fn right(number: u64) -> String {
    format!("right-{number}")
}

fn wrong(number: u64) -> String {
    format!("wrong-{number}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_a_thousand_right_secrets_are_served_among_a_thousand_wrong_ones_each_told_of_once() {
    let house = House::start(1, &[]).await;
    house.wait_for_token(1, ACCESS_SECRET).await;
    let before = house.counts().await;
    let pids = pids(&house);
    let begin = SystemClock.now();
    let versions = make_all(&house).await;
    println!("{} Secrets made after {:.1?}", 2 * EACH, SystemClock.now().duration_since(begin));
    let written = "perennial_secret_writer_renewals_total{";
    wait_for_metric(&house, written, "outcome=\"written\"", EACH + 1).await; // and the issuer's own
    println!("{EACH} served after {:.1?}", SystemClock.now().duration_since(begin));
    let made = "perennial_secret_writer_events_total{";
    wait_for_metric(&house, made, "outcome=\"made\"", EACH).await;
    println!("{EACH} Events after {:.1?}", SystemClock.now().duration_since(begin));

    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.tokens_granted(), EACH, "{:?}", spent.shoot);
    assert_eq!(spent.shoot.token_reviews(), 0);
    assert_eq!(spent.seed.writes("secrets"), 3 * EACH, "each made, the right ones written once");
    assert_eq!(accounts_of_wrong_ones(&house).await, [""; 0]);

    let secrets = all_secrets(&house).await;
    (0..EACH).for_each(|number| is_served(&Sample::right(number), &secrets[&right(number)]));
    for (name, version) in &versions {
        let now = secrets[name].metadata.resource_version.as_ref();
        assert!(name.starts_with("right") || now == Some(version), "{name} was written");
    }
    each_wrong_one_is_told_of_once(&house).await;
    is_served_once_corrected(&house).await;
    assert_eq!(self::pids(&house), pids, "no process restarts");
    println!("all after {:.1?}", SystemClock.now().duration_since(begin));
    house.end().await;
}

fn pids(house: &House) -> Vec<Option<i32>> {
    SERVICES.iter().map(|name| house.lab.service(name).pid().unwrap()).collect()
}

/// Makes them by turns; returns the version that each was made in.
async fn make_all(house: &House) -> BTreeMap<String, String> {
    let secrets = house.secrets(1);
    let both =
        |number| [(right(number), Sample::right(number)), (wrong(number), Sample::wrong(number))];
    let make = stream::iter((0..EACH).flat_map(both)).map(async |(name, sample): (_, Sample)| {
        let object = object(sample.manifest(&namespace(1), &name));
        let made = secrets.create(&PostParams::default(), &object).await;
        made.map(|made| (name, made.metadata.resource_version.unwrap()))
    });
    make.buffer_unordered(AT_ONCE).try_collect().await.unwrap()
}

fn object(json: Value) -> Secret {
    serde_json::from_value(json).unwrap()
}

/// Waits until what the secret-writer counted under `name` and `label` is this.
async fn wait_for_metric(house: &House, name: &str, label: &str, count: u64) {
    let look = async || {
        let metrics = house.lab.service("secret-writer").metrics().await?;
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        let sum: u64 = values.sum();
        Ok(if sum >= count { Look::Done(()) } else { Look::Waiting(format!("{sum}")) })
    };
    until(&format!("{count} of {name}{label}}}"), LONG, look).await.unwrap();
}

/// ServiceAccounts in the shoot that only a wrong Secret asks for.
async fn accounts_of_wrong_ones(house: &House) -> Vec<String> {
    let accounts: Api<ServiceAccount> = Api::all(house.lab.shoot(1).client());
    let accounts = accounts.list(&ListParams::default()).await.unwrap().items;
    let names = accounts.into_iter().filter_map(|account| account.metadata.name);
    names.filter(|name| name.starts_with(WRONG_ACCOUNT)).collect()
}

async fn all_secrets(house: &House) -> BTreeMap<String, Secret> {
    let all = house.secrets(1).list(&ListParams::default()).await.unwrap().items;
    all.into_iter().map(|secret| (secret.metadata.name.clone().unwrap(), secret)).collect()
}

/// A token for its own account stands where it belongs, with our note; foreign keys are as they were.
fn is_served(sample: &Sample, secret: &Secret) {
    let asked = |key: &str| sample.annotations.get(key).map(String::as_str);
    let claims = claims(secret).unwrap_or_else(|| panic!("no token: {sample:?}"));
    assert_eq!(Some(claims.account.name.as_str()), asked(keys::ACCOUNT_NAME));
    assert_eq!(Some(claims.account.namespace.as_str()), asked(keys::ACCOUNT_NAMESPACE));
    assert!(annotation(secret, keys::ISSUED).and_then(Issued::read).is_some());
    let ours = [keys::ISSUED, keys::RENEW_TIMESTAMP];
    for (key, value) in sample.annotations.iter().filter(|(key, _)| !ours.contains(&key.as_str())) {
        assert_eq!(annotation(secret, key), Some(value.as_str()), "{key}");
    }
}

async fn each_wrong_one_is_told_of_once(house: &House) {
    let mut told: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events(house).await {
        told.entry(event.involved_object.name.clone().unwrap()).or_default().push(event);
    }
    let schedules = all_schedules(house).await;
    for number in 0..EACH {
        assert!(!told.contains_key(&right(number)), "{:?}", told.get(&right(number)));
        assert_eq!(schedules[&right(number)].state(), State::Fresh);
        let (sample, events) = (Sample::wrong(number), &told[&wrong(number)]);
        assert_eq!(events.len(), 1, "{events:?}");
        let (event, schedule) = (&events[0], &schedules[&wrong(number)]);
        let (message, reason) = (event.message.clone().unwrap(), event.reason.clone().unwrap());
        let named = sample
            .mistakes
            .iter()
            .any(|mistake| mistake.event_reason() == reason && message.contains(mistake.key));
        assert!(named, "{reason}: {message} of {:?}", sample.mistakes);
        assert_eq!(event.count, Some(1));
        assert_eq!((schedule.state(), &schedule.detail), (State::Invalid, &message));
        if number < EXPLAINED {
            let request = ExplainScheduleRequest { namespace: namespace(1), name: wrong(number) };
            let explained = house.scheduler().explain_schedule(request).await.unwrap();
            let explained = format!("{:?}", explained.into_inner());
            let debugged = format!("{message:?}");
            assert!(explained.contains(debugged.trim_matches('"')), "{message}\n{explained}");
        }
    }
    assert_eq!(told.len() as u64, EACH);
}

async fn all_schedules(house: &House) -> BTreeMap<String, Schedule> {
    let (mut all, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let request = ListSchedulesRequest { page_token, ..ListSchedulesRequest::default() };
        let page = house.scheduler().list_schedules(request).await.unwrap().into_inner();
        all.extend(page.schedules.into_iter().map(|schedule| (schedule.name.clone(), schedule)));
        if page.next_page_token.is_empty() {
            return all;
        }
        page_token = page.next_page_token;
    }
}

/// Some of the wrong ones, once they are as their samples without the mistakes.
async fn is_served_once_corrected(house: &House) {
    let secrets = house.secrets(1);
    for number in 0..CORRECTED {
        let right = Sample::corrected(number).manifest(&namespace(1), &wrong(number));
        let params = PostParams::default();
        secrets.replace(&wrong(number), &params, &object(right)).await.unwrap();
    }
    let begin = SystemClock.now();
    for number in 0..CORRECTED {
        let secret = house
            .wait(1, &wrong(number), "a token once corrected", |secret| {
                annotation(secret, keys::ISSUED).and_then(Issued::read).is_some()
            })
            .await;
        is_served(&Sample::corrected(number), &secret);
    }
    println!(
        "{CORRECTED} served {:.1?} after the correction",
        SystemClock.now().duration_since(begin)
    );
}
