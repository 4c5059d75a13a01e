//! Something is wrong with the Secret itself.

use perennial_core::{
    inputs::Refusal,
    keys,
    record::{Held, Obstacle},
    storm::Memory,
};

use super::*;
use crate::fixtures::without_timestamp;

fn refused(reason: &str, key: &str, message: &str) -> Record {
    let refusal = Refusal {
        reason: reason.to_owned(),
        key: key.to_owned(),
        message: format!("annotation {key}{message}"),
    };
    Record { inputs: Err(refusal), ..bare(NAME) }
}

#[tokio::test]
async fn an_invalid_duration() {
    let message = " (\"soon\") is not a Go duration; write it like 12h or 1h30m";
    let record = refused("DURATION_INVALID", keys::TOKEN_LIFETIME, message);
    let stage = Stage::with(&record, &[reached()]);
    stage.at(HOUR);
    insta::assert_snapshot!(stage.trouble(State::Invalid).await);
}

#[tokio::test]
async fn a_missing_account_name() {
    let record = refused("ANNOTATION_MISSING", keys::ACCOUNT_NAME, " is missing; set it");
    let stage = Stage::with(&record, &[reached()]);
    stage.at(HOUR);
    insta::assert_snapshot!(stage.trouble(State::Invalid).await);
}

#[tokio::test]
async fn an_immutable_secret_that_is_overdue() {
    let record = Record { obstacle: Some(Obstacle::Immutable), ..held() };
    let stage = Stage::with(&record, &[reached()]);
    stage.at(LIFETIME * 81 / 100);
    assert!(stage.explain().await.schedule.unwrap().overdue);
    insta::assert_snapshot!(stage.trouble(State::Obstructed).await);
}

#[tokio::test]
async fn a_secret_that_a_finalizer_holds() {
    let record = Record { obstacle: Some(Obstacle::Terminating), ..held() };
    let stage = Stage::with(&record, &[reached()]);
    stage.at(HOUR);
    insta::assert_snapshot!(stage.trouble(State::Obstructed).await);
}

#[tokio::test]
async fn a_storm_because_somebody_else_writes_the_secret() {
    let record = without_timestamp(&held(), 4);
    let memory = Some(Memory { at: at(BEGIN), streak: 4 });
    let mut record = Record { memory, issued: None, ..record };
    if let Held::Token(claims) = &mut record.held {
        claims.account.name = "somebody-else".parse().unwrap();
    }
    let stage = Stage::with(&record, &[reached()]);
    stage.at(20);
    let explanation = stage.explain().await;
    let held_until = explanation.storm.unwrap().held_until.unwrap().seconds;
    assert_eq!(held_until, BEGIN + 80, "10 s × 2³");
    insta::assert_snapshot!(stage.trouble(State::Held).await);
}
