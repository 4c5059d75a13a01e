//! Pauses of shoots in their ConfigMap.

use futures::{StreamExt as _, future::join_all, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use perennial_core::{
    name::Namespace,
    pause::{NAME, PAUSES_MAX, Pause, Pauses},
    stop::NO_REASON,
};
use perennial_kube::own_namespace::{Change, Made, OwnNamespace};
use serde_json::{Value, json};

use super::seed::Seed;

impl Seed {
    fn own(&self) -> OwnNamespace {
        OwnNamespace::new(self.secrets.clone().into_client(), self.namespace.parse().unwrap())
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.secrets.clone().into_client(), &self.namespace)
    }

    async fn keys(&self) -> Vec<String> {
        let data = self.maps().get(NAME).await.unwrap().data.unwrap_or_default();
        data.into_keys().collect()
    }

    async fn by_hand(&self, data: Value) {
        let map = json!({"metadata": {"name": NAME}, "data": data});
        let map = serde_json::from_value(map).unwrap();
        self.maps().create(&PostParams::default(), &map).await.unwrap();
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn shoot(number: usize) -> Namespace {
    format!("shoot--lab--{number}").parse().unwrap()
}

fn pause(reason: &str, lasting: Option<i64>) -> Pause {
    let lasting = lasting.map(SignedDuration::from_secs);
    Pause::new(reason.parse().unwrap(), "spiffe://x".to_owned(), at(100), lasting)
}

#[tokio::test]
async fn sixteen_who_pause_at_once_lose_none_and_the_end_of_one_leaves_the_others() {
    let seed = Seed::new().await;
    let own = seed.own();
    let pausing = (1..=16).map(|number| {
        let own = own.clone();
        async move { own.pause(&shoot(number), &pause("x", None), at(100)).await }
    });
    let made: Vec<_> = join_all(pausing).await.into_iter().map(Result::unwrap).collect();
    assert_eq!((made.len(), seed.keys().await.len()), (16, 16));
    assert!(made.iter().all(|made| *made == Made::New));

    assert_eq!(seed.own().resume_shoot(&shoot(7)).await.unwrap(), Some(pause("x", None)));
    assert_eq!(seed.own().resume_shoot(&shoot(7)).await.unwrap(), None);
    assert_eq!(seed.keys().await.len(), 15);
}

#[tokio::test]
async fn the_first_pause_stays_and_one_that_is_over_is_replaced() {
    let seed = Seed::new().await;
    let make = async |reason, now| {
        seed.own().pause(&shoot(1), &pause(reason, Some(60)), at(now)).await.unwrap()
    };
    assert_eq!(make("first", 100).await, Made::New);
    assert_eq!(make("second", 159).await, Made::Before(pause("first", Some(60))));
    assert_eq!(make("third", 160).await, Made::New);
    assert_eq!(seed.own().resume_shoot(&shoot(1)).await.unwrap().unwrap().reason, "third");
}

#[tokio::test]
async fn a_key_made_by_hand_is_a_pause_and_is_ended_like_any_other() {
    let seed = Seed::new().await;
    seed.by_hand(json!({"shoot--lab--1": ""})).await;
    let Made::Before(before) =
        seed.own().pause(&shoot(1), &pause("ours", None), at(100)).await.unwrap()
    else {
        panic!("it is paused")
    };
    assert_eq!(before.reason, NO_REASON);
    assert_eq!(seed.own().resume_shoot(&shoot(1)).await.unwrap(), Some(before));
    assert_eq!(
        seed.own().pause(&shoot(2), &pause("ours", None), at(100)).await.unwrap(),
        Made::New
    );
}

#[tokio::test]
async fn there_is_a_most_and_what_has_been_over_for_an_hour_makes_room() {
    let seed = Seed::new().await;
    let old = pause("over", Some(60)).value();
    let mut data: serde_json::Map<_, _> =
        (1..PAUSES_MAX).map(|number| (shoot(number).to_string(), json!(""))).collect();
    data.insert("shoot--old".to_owned(), json!(old));
    seed.by_hand(Value::Object(data)).await;
    let make = async |number, now| {
        seed.own().pause(&shoot(number), &pause("ours", None), at(now)).await.unwrap()
    };
    assert_eq!(make(1_000, 160 + 3_599).await, Made::New);
    assert_eq!(seed.keys().await.len(), PAUSES_MAX + 1, "the one that is over is still there");
    assert_eq!(make(1_001, 160 + 3_600).await, Made::TooMany);
    seed.own().resume_shoot(&shoot(1)).await.unwrap();
    assert_eq!(make(1_001, 160 + 3_600).await, Made::New);
    assert_eq!(seed.keys().await.len(), PAUSES_MAX);
}

#[tokio::test]
async fn whoever_watches_is_told_of_all_of_them_at_once_and_of_each_change() {
    let seed = Seed::new().await;
    let own = seed.own();
    let mut changes = std::pin::pin!(own.watch_pauses(stream::empty()));
    let mut next = async || match changes.next().await.unwrap() {
        Change::Known(pauses) => pauses,
        Change::Trouble(error) => panic!("{error}"),
    };
    assert_eq!(next().await, Pauses::new(), "no ConfigMap");
    seed.own().pause(&shoot(1), &pause("x", None), at(100)).await.unwrap();
    assert_eq!(next().await, Pauses::from([(shoot(1), pause("x", None))]));
    let by_hand = Patch::Merge(json!({"data": {"shoot--lab--2": "by hand"}}));
    seed.maps().patch(NAME, &PatchParams::default(), &by_hand).await.unwrap();
    assert_eq!(next().await.get(&shoot(2)).unwrap().reason, "by hand");
    seed.maps().delete(NAME, &DeleteParams::default()).await.unwrap();
    assert_eq!(next().await, Pauses::new());
}
