//! Another controller that wants another audience on the same Secret (B12), for real.
//!
//! `make storm` plays the whole twenty minutes; as a test of CI it is the first 75 seconds.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{Config, watcher},
    },
};
use perennial_core::clock::Clock as _;
use perennial_lab::{access_secret::token, shoot::ACCESS_SECRET};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;

use crate::{events::wait_for_event, house::House};

const NAME: &str = "shoot-access-kube-scheduler";
const STRANGER: &str = "another-controller";
/// Seconds of the fight; 1,200 in `make storm`.
const SECONDS: &str = "PERENNIAL_STORM_SECONDS";
const SECONDS_DEFAULT: u64 = 75;
/// When tokens come at the earliest, in seconds: at once, then at pauses that double from 10 s.
const EARLIEST: [u64; 8] = [0, 0, 10, 30, 70, 150, 310, 630];

#[tokio::test]
async fn b12_a_stranger_who_rewrites_the_token_each_time_gets_no_storm_and_is_named() {
    let seconds = std::env::var(SECONDS).map_or(SECONDS_DEFAULT, |text| text.parse().unwrap());
    let house = House::start(1, &[]).await;
    house.wait_for_token(1, ACCESS_SECRET).await;
    let before = house.counts().await;
    house.ask(1, NAME, &[]).await;
    let first = house.wait_for_token(1, NAME).await;
    let life = Duration::from_secs(3_600);
    let shoot = house.lab.shoot(1);
    let theirs = shoot.token("kube-system", "kube-scheduler", life).await.unwrap();
    assert_ne!(token(&first), Some(theirs.clone()));

    let written = fight(&house, &theirs, Duration::from_secs(seconds)).await;
    println!("in {seconds} s the stranger wrote its token at {written:?}");
    let spent = house.counts().await.since(&before);
    let ours = spent.shoot.tokens_granted() - 1; // that of the stranger
    let most = EARLIEST.iter().filter(|earliest| **earliest <= seconds).count() as u64;
    println!("{ours} tokens of ours in {seconds} s, at most {most}");
    assert!((most - 1..=most).contains(&ours), "{:?}", spent.shoot);
    assert_eq!(written.len() as u64, ours, "each was replaced once");
    assert_eq!(spent.seed.writes("events"), 1, "{:?}", spent.seed);

    let schedules = house.schedules().await;
    let schedule = schedules.iter().find(|schedule| schedule.name == NAME).unwrap();
    println!("{}: {}", schedule.state().as_str_name(), schedule.detail);
    assert_eq!((schedule.state(), schedule.reason.as_str()), (State::Held, "other_audiences"));
    assert!(schedule.detail.contains(STRANGER), "{}", schedule.detail);
    let event = wait_for_event(&house, NAME).await;
    println!("{}: {}", event.reason.clone().unwrap(), event.message.clone().unwrap());
    assert_eq!(event.reason.as_deref(), Some("RenewalHeld"));
    assert!(event.message.unwrap().contains(STRANGER));
    house.end().await;
}

/// Puts `theirs` back as soon as another token stands there. Returns the seconds at which.
async fn fight(house: &House, theirs: &str, how_long: Duration) -> Vec<f64> {
    let secrets: Api<Secret> = house.secrets(1);
    let begin = SystemClock.now();
    let mut written = Vec::new();
    let config = Config::default().fields(&format!("metadata.name={NAME}"));
    let changes = watcher(secrets.clone(), config).applied_objects();
    let rewrite = changes.map_err(|error| panic!("{error}")).for_each(|secret| {
        let is_theirs = token(&secret.unwrap()).as_deref() == Some(theirs);
        if !is_theirs {
            written.push(SystemClock.now().duration_since(begin).as_secs_f64().round());
        }
        let write = (!is_theirs).then(|| put(&secrets, theirs));
        async move {
            if let Some(write) = write {
                write.await;
            }
        }
    });
    let _ = tokio::time::timeout(how_long, rewrite).await; // a watch never ends by itself
    written
}

async fn put(secrets: &Api<Secret>, token: &str) {
    let data = serde_json::json!({"data": {"token": ByteString(token.as_bytes().to_vec())}});
    let params = PatchParams { field_manager: Some(STRANGER.to_owned()), ..PatchParams::default() };
    secrets.patch(NAME, &params, &Patch::Merge(data)).await.unwrap();
}
