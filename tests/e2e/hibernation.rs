//! A shoot that is put to sleep and woken: nothing is tried, nobody is alarmed, and its tokens are
//! there soon after, most urgent first.

use std::{collections::BTreeMap, fs, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt as _, api::ListParams};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{
    poll::{Look, until},
    shoot::{ACCESS_SECRET, namespace},
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;

use crate::{
    events::events,
    house::{House, MOMENT, claims},
    operator::{code, json, perennial, text},
};

/// The one that sleeps; the other one goes on.
const ASLEEP: usize = 1;
/// Access Secrets that are due when it wakes, and hold a usable token.
const DUE: usize = 12;
/// Access Secrets that are made while it sleeps, and hold none.
const NEW: usize = 12;
/// Orders for one shoot at once, by default.
const AT_ONCE: usize = 8;
/// From an API server that answers to the last token.
const WOKEN_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shoot_that_hibernates_costs_nothing_and_has_its_tokens_within_30_s_of_its_wake_up() {
    let house = House::start(2, &["--renewal-basis=20s"]).await;
    let name = |kind: &str, number: usize| format!("shoot-access-{kind}-{number}");
    let due: Vec<_> = (0..DUE).map(|number| name("due", number)).collect();
    let new: Vec<_> = (0..NEW).map(|number| name("new", number)).collect();
    for name in &due {
        house.ask(ASLEEP, name, &[]).await;
    }
    house.ask(2, "shoot-access-elsewhere", &[]).await;
    for name in &due {
        house.wait_for_token(ASLEEP, name).await;
    }

    house.annotate(ASLEEP, ACCESS_SECRET, keys::HIBERNATED, Some("true")).await;
    shows_as_hibernated(&house).await;
    let quiet = Quiet::begin(&house).await;
    house.lab.shoot(ASLEEP).process().stop().await.unwrap();
    for name in &new {
        house.ask(ASLEEP, name, &[]).await;
    }
    all_wait(&house, 1 + DUE + NEW).await;
    is_well(&house).await;
    let refused = house.renew_now(ASLEEP, &due[0]).await.unwrap_err();
    assert!(refused.message().contains("hibernates"), "{refused}");
    quiet.is_kept(&house).await;

    house.lab.shoot(ASLEEP).process().start().await.unwrap();
    house.lab.shoot(ASLEEP).wait_ready().await.unwrap();
    let woken = SystemClock.now();
    house.annotate(ASLEEP, ACCESS_SECRET, keys::HIBERNATED, None).await;
    let versions = all_renewed(&house, woken, 1 + DUE + NEW).await;
    let took = SystemClock.now().duration_since(woken).unsigned_abs();
    println!("all {} tokens {took:.1?} after the wake-up", versions.len());
    assert!(took <= WOKEN_MAX, "{took:?}");
    most_urgent_first(&versions, &new);
    house.end().await;
}

async fn shows_as_hibernated(house: &House) {
    let look = async || {
        let status = json(&perennial(house, &["status", "-o", "json"]).await);
        let shoot = &status["shoots"][0];
        let done = shoot["hibernated"] == true && shoot["namespace"] == namespace(ASLEEP).as_str();
        Ok(if done { Look::Done(()) } else { Look::Waiting(shoot.to_string()) })
    };
    until("a shoot that hibernates", MOMENT, look).await.unwrap();
}

/// Each Secret of the shoot has fallen due, and waits for its shoot without a failure.
async fn all_wait(house: &House, count: usize) {
    let look = async || {
        let mut schedules = house.schedules().await;
        schedules.retain(|schedule| schedule.namespace == namespace(ASLEEP));
        let asleep = |state: State, failures: u32| state == State::Hibernated && failures == 0;
        let waiting = schedules.iter().filter(|s| asleep(s.state(), s.failures)).count();
        let state = || format!("{waiting} of {count} wait");
        Ok(if waiting == count { Look::Done(()) } else { Look::Waiting(state()) })
    };
    until("Secrets that wait for a shoot that hibernates", MOMENT, look).await.unwrap();
}

async fn is_well(house: &House) {
    let status = perennial(house, &["status"]).await;
    let said = text(&status);
    assert!(code(&status) == 0 && said.contains("1 shoot reached, 1 hibernated"), "{said}");
    let troubled = perennial(house, &["list", "--troubled"]).await;
    assert_eq!(text(&troubled), "", "none is in trouble");
}

/// What was said and tried up to some moment.
struct Quiet {
    logs: BTreeMap<&'static str, usize>,
    events: usize,
    looks: String,
}

impl Quiet {
    async fn begin(house: &House) -> Self {
        let logs =
            ["token-issuer", "scheduler"].map(|service| (service, log(house, service).len()));
        Self {
            logs: logs.into(),
            events: events(house).await.len(),
            looks: failed_looks(house).await,
        }
    }

    async fn is_kept(&self, house: &House) {
        let about = namespace(ASLEEP);
        for (service, begin) in &self.logs {
            let since = log(house, service).split_off(*begin);
            let loud = |line: &&str| {
                line.contains(&about) && (line.contains("WARN") || line.contains("ERROR"))
            };
            let lines: Vec<_> = since.lines().filter(loud).collect();
            assert_eq!(lines, [""; 0], "{service}");
        }
        assert_eq!(failed_looks(house).await, self.looks, "nobody looked");
        assert_eq!(events(house).await.len(), self.events, "no Event");
    }
}

fn log(house: &House, service: &str) -> String {
    fs::read_to_string(house.lab.dir().log(service)).unwrap()
}

async fn failed_looks(house: &House) -> String {
    let metrics = house.lab.service("token-issuer").metrics().await.unwrap();
    let line = metrics.lines().find(|line| {
        line.starts_with("perennial_token_issuer_probes_total{outcome=\"not_reached\"}")
    });
    line.unwrap_or_default().to_owned()
}

/// The versions of the Secrets once each holds a token that was issued after `woken`.
async fn all_renewed(house: &House, woken: Timestamp, count: usize) -> BTreeMap<String, u64> {
    let since = woken.as_second() - 1; // of a token: whole seconds
    let is_new = |secret: &Secret| {
        claims(secret).is_some_and(|claims| claims.issued_at.as_second() >= since)
    };
    let secrets = house.secrets(ASLEEP);
    let labelled = format!("{}={}", keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR);
    let look = async || {
        let listed = secrets.list(&ListParams::default().labels(&labelled)).await?.items;
        let renewed: Vec<_> = listed.iter().filter(|secret| is_new(secret)).collect();
        if renewed.len() < count {
            return Ok(Look::Waiting(format!("{} of {count} renewed", renewed.len())));
        }
        let version = |secret: &&Secret| secret.resource_version().unwrap().parse().unwrap();
        Ok(Look::Done(renewed.iter().map(|secret| (secret.name_any(), version(secret))).collect()))
    };
    until("a token of each Secret", 2 * WOKEN_MAX, look).await.unwrap()
}

/// By the order of writes: its own credential, what has nothing usable, what can wait.
fn most_urgent_first(versions: &BTreeMap<String, u64>, new: &[String]) {
    let before = |version: u64| versions.values().filter(|other| **other < version).count();
    let own = before(versions[ACCESS_SECRET]);
    let last = new.iter().map(|name| before(versions[name])).max().unwrap();
    println!("its own was written as number {}, the last new one as number {}", own + 1, last + 1);
    assert!(own < AT_ONCE, "its own came behind {own}");
    assert!(last < 1 + NEW + AT_ONCE - 1, "the last that had nothing came behind {last}");
}
