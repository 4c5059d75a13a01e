//! Something is wrong with the Secret itself.

use perennial_core::{
    inputs::Refusal,
    keys,
    reason::Reason,
    record::{Held, Obstacle},
    storm::{AT_ONCE_MAX, Memory},
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
    let memory = Some(Memory::new(at(BEGIN), 4).spoilt());
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

/// So many tokens in a row, the last one for this reason.
fn streak_of(reason: Reason) -> Record {
    let mut record = held();
    let memory = Memory { spent: AT_ONCE_MAX, ..Memory::new(at(BEGIN), 3) };
    if let Some(note) = &mut record.issued {
        (note.reason, note.streak) = (reason, memory.streak);
    }
    Record { memory: Some(memory), ..record }
}

#[tokio::test]
async fn an_operator_who_asks_without_end_is_named() {
    let stage = Stage::with(&streak_of(Reason::Requested), &[reached()]);
    stage.at(10);
    let shown = stage.trouble(State::Fresh).await;
    assert!(!shown.contains("who else") && !shown.contains("clocks"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn a_timestamp_that_is_removed_without_end_is_named_and_the_clocks_are_well() {
    let record = without_timestamp(&streak_of(Reason::TimestampRemoved), 3);
    let stage = Stage::with(&record, &[reached()]);
    stage.at(10);
    let shown = stage.trouble(State::Held).await;
    assert!(!shown.contains("who else") && !shown.contains("clocks"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn clocks_are_compared_only_where_that_of_the_shoot_may_be_wrong() {
    let changed = Record {
        stamp: perennial_core::record::Stamp::At(at(BEGIN)),
        ..streak_of(Reason::TimestampForward)
    };
    for (offset, compared) in [(Some(0), false), (Some(3_600), true), (None, true)] {
        let clock_offset = offset.map(jiff::SignedDuration::from_secs);
        let stage = Stage::with(&changed, &[ShootStatus { clock_offset, ..reached() }]);
        stage.at(10);
        let detail = stage.explain().await.schedule.unwrap().detail;
        assert_eq!(detail.contains("compare the clocks"), compared, "{offset:?}: {detail}");
    }
}
