//! Shoots that hibernate: nothing is asked of them, nobody is alarmed, and they wake fast.

use std::time::Duration;

use perennial_core::{clock::Clock as _, keys};
use perennial_lab::poll::Look;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;
use perennial_testing::access_secret::AccessSecret;
use serde_json::json;
use tonic::Code;

use crate::house::{House, OWN, Setup, annotation, namespace};

/// Access Secrets whose tokens live 12 h: they are over when the shoot wakes.
const SHORT: usize = 16;
/// Access Secrets whose tokens live 48 h: they are due when it wakes, and can wait.
const LONG: usize = 16;
/// All, with that of the token-issuer itself.
const ALL: usize = SHORT + LONG + 1;
/// Orders for one shoot at once: who was among the first of them may be written last of them.
const AT_ONCE: usize = 8;

/// From the wake-up to the last token.
const WOKEN_MAX: Duration = Duration::from_secs(30);

fn annotate(house: &House, value: Option<&str>) {
    house.edit(1, OWN, |secret| {
        let annotations = secret["metadata"]["annotations"].as_object_mut().unwrap();
        match value {
            Some(value) => drop(annotations.insert(keys::HIBERNATED.to_owned(), json!(value))),
            None => drop(annotations.remove(keys::HIBERNATED)),
        }
    });
}

async fn wait_for_all(house: &House, state: State) {
    house
        .until(&format!("all Secrets {}", state.as_str_name()), async || {
            let schedules = house.schedules().await.unwrap();
            let others: Vec<_> = schedules.iter().filter(|s| s.state() != state).collect();
            match others.is_empty() {
                true => Look::Done(()),
                false => Look::Waiting(format!("{others:?}")),
            }
        })
        .await;
}

async fn house() -> (House, Vec<String>) {
    let house = House::settled(Setup::default()).await;
    // By name they would come first.
    for number in 0..LONG {
        let name = format!("a-long-{number}");
        let secret = AccessSecret::new(&namespace(1), &name, &name);
        house.make(secret.annotated(keys::TOKEN_LIFETIME, "48h"));
    }
    let short = (0..SHORT).map(|number| house.ask(1, &format!("short-{number}"))).collect();
    house.all_fresh(ALL).await;
    (house, short)
}

#[tokio::test]
async fn a_shoot_that_hibernates_costs_nothing_for_days_and_has_its_tokens_at_once_when_it_wakes() {
    let (house, short) = house().await;
    annotate(&house, Some("true"));
    // The watches there are closed before it is shut down, and so is what would notice.
    tokio::time::sleep(Duration::from_secs(1)).await;
    house.shoot(1).cut();
    let before = house.counts();
    for _ in 0..30 {
        house.clock.advance(Duration::from_secs(60 * 60));
        tokio::time::sleep(Duration::from_millis(100)).await; // for whatever would be tried
    }
    wait_for_all(&house, State::Hibernated).await;
    for schedule in house.schedules().await.unwrap() {
        assert!(!schedule.overdue && schedule.troubled_since.is_none(), "{schedule:?}");
        assert_eq!(schedule.failures, 0, "{schedule:?}");
        assert!(schedule.detail.contains("hibernates"), "{}", schedule.detail);
    }
    // After a jump of the clock the scheduler reads the Leases of its like before it takes requests.
    let refused = house
        .until("the answer to a request", async || {
            match house.renew_now(1, &short[0]).await.unwrap_err() {
                unready if unready.code() == Code::Unavailable => {
                    Look::Waiting(unready.to_string())
                }
                refused => Look::Done(refused),
            }
        })
        .await;
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("hibernates"), "{refused}");
    let spent = house.spent_since(&before);
    assert_eq!(spent.shoot(1).count(|_| true), 0, "calls in 30 h");
    assert_eq!(spent.dear(), [0; 5]);

    house.shoot(1).reconnect();
    annotate(&house, None);
    let woken = SystemClock.now();
    tokio::time::timeout(WOKEN_MAX, house.all_fresh(ALL)).await.expect("within 30 s");
    println!("all {ALL} tokens {:#} after the wake-up", SystemClock.now().duration_since(woken));
    let spent = house.spent_since(&before);
    assert_eq!(spent.dear()[0], ALL as u64, "one token each");
    most_urgent_first(&house, &short);
}

/// By the versions of the Secrets: its own credential, what had nothing usable, what could wait.
fn most_urgent_first(house: &House, short: &[String]) {
    let version = |name: &str| {
        let version = house.secret(1, name)["metadata"]["resourceVersion"].clone();
        version.as_str().unwrap().parse::<u64>().unwrap()
    };
    let own = version(OWN);
    let before_own = short.iter().filter(|name| version(name) < own).count();
    assert!(before_own < AT_ONCE, "{before_own} were written before its own");
    let last = short.iter().map(|name| version(name)).max().unwrap();
    let early = (0..LONG).filter(|n| version(&format!("a-long-{n}")) < last).count();
    assert!(early < AT_ONCE, "{early} that could wait were written before the last that could not");
}

#[tokio::test]
async fn an_annotation_that_is_no_bool_costs_nobody_a_token() {
    let (house, short) = house().await;
    annotate(&house, Some("yes, please"));
    house.clock.advance(Duration::from_secs(10 * 60 * 60));
    house.all_fresh(ALL).await;
    house.renew_now(1, &short[0]).await.unwrap();
    assert_eq!(annotation(&house.secret(1, OWN), keys::HIBERNATED), Some("yes, please"));
}

#[tokio::test]
async fn a_shoot_that_is_said_to_hibernate_and_answers_is_told_of() {
    let (house, short) = house().await;
    annotate(&house, Some("true"));
    let at_once = house.renew_now(1, &short[0]);
    let _ = at_once.await; // it may have been heard already or not
    house.clock.advance(Duration::from_secs(11 * 60 * 60));
    let forgotten = house
        .wait_for_schedule(1, &short[0], "word of it", |s| s.detail.contains("and answers"))
        .await;
    assert_eq!(forgotten.state(), State::Hibernated);
    annotate(&house, Some("false"));
    house.all_fresh(ALL).await;
}
