//! Nothing is wrong, or nothing that this Secret suffers from.

use perennial_core::{inputs::Mode, record::Stamp, shoot::Credential};

use super::*;

#[tokio::test]
async fn a_good_secret_needs_nothing() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(4 * HOUR);
    let verdict = stage.explain().await.verdict.unwrap();
    assert_eq!(verdict.remedy, "");
    insta::assert_snapshot!(stage.shown(State::Fresh).await);
}

#[tokio::test]
async fn a_renewal_under_way_is_the_newest_attempt() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(PLANNED);
    stage.fail(&fault(Kind::TimedOut, "API_SERVER_TIMED_OUT", "no answer within 10 s"));
    stage.at(PLANNED + 2);
    stage.order();
    stage.at(PLANNED + 3);
    let explanation = stage.explain().await;
    let outcomes: Vec<_> = explanation.attempts.iter().map(|a| a.outcome.as_str()).collect();
    assert_eq!(outcomes, ["under_way", "timed_out"]);
    insta::assert_snapshot!(stage.shown(State::Renewing).await);
}

#[tokio::test]
async fn a_strangers_token_that_was_taken_over_obeys_its_own_timestamp() {
    let timestamp = Stamp::At(at(BEGIN + LIFETIME * 82 / 100));
    let record = Record { issued: None, memory: None, stamp: timestamp, ..held() };
    let stage = Stage::with(&record, &[reached()]);
    stage.at(HOUR);
    let explanation = stage.explain().await;
    assert_eq!(explanation.window.unwrap().from, None, "nothing was drawn for it");
    insta::assert_snapshot!(stage.shown(State::Fresh).await);
}

#[tokio::test]
async fn a_timestamp_brings_a_renewal_forward() {
    let mut record = Record { stamp: Stamp::At(at(BEGIN + 2 * HOUR)), ..held() };
    record.inputs.as_mut().unwrap().mode = Mode::Kubeconfig;
    let stage = Stage::with(&record, &[reached()]);
    stage.at(HOUR);
    let explanation = stage.explain().await;
    assert_eq!(explanation.next.unwrap().at.unwrap().seconds, BEGIN + 2 * HOUR);
    insta::assert_snapshot!(stage.shown(State::Fresh).await);
}

#[tokio::test]
async fn clocks_that_are_hours_apart_are_told_first_also_of_a_good_secret() {
    let offset = Some(jiff::SignedDuration::from_hours(-3));
    let stage = Stage::with(&held(), &[ShootStatus { clock_offset: offset, ..reached() }]);
    stage.at(4 * HOUR);
    insta::assert_snapshot!(stage.trouble(State::Fresh).await);
}

#[tokio::test]
async fn a_withdrawn_key_and_a_borrowed_credential_are_pointed_out() {
    let shoot = ShootStatus {
        credential: Credential::Bootstrap,
        key_ids: vec!["key-2".to_owned(), "key-3".to_owned()],
        ..reached()
    };
    let stage = Stage::with(&held(), &[shoot]);
    stage.at(HOUR);
    let explanation = stage.explain().await;
    assert_eq!(explanation.shoot.unwrap().signing_key_published, Some(false));
    insta::assert_snapshot!(stage.trouble(State::Fresh).await);
}
