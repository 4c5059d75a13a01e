use super::*;
use crate::fixtures::{SecretBuilder, at};

const HOUR: i64 = 3_600;

fn record() -> Record {
    SecretBuilder::new().renewed(0, 12 * HOUR, 24 * HOUR, 0.5).record()
}

fn name(held: Result<(), Broken>) -> Option<Invariant> {
    held.err().map(|broken| broken.invariant)
}

#[test]
fn a_token_expires_at_its_exp_and_not_a_second_later() {
    let record = record();
    let claims = record.held.claims().unwrap();
    assert_eq!(no_expired_second(claims, at(12 * HOUR - 1)), Ok(()));
    let expired = no_expired_second(claims, at(12 * HOUR));
    assert_eq!(name(expired), Some(Invariant::NoExpiredSecond));
}

#[test]
fn a_usable_token_is_replaced_by_a_newer_one_of_the_same_account_only() {
    let record = record();
    let inputs = record.inputs.as_ref().unwrap();
    let held = record.held.claims().unwrap();
    let replaced = |put: &Claims, now| {
        name(no_usable_token_replaced_by_one_that_does_not_fit(Some(held), put, inputs, at(now)))
    };
    let newer = Claims { issued_at: at(HOUR), ..held.clone() };
    assert_eq!(replaced(&newer, HOUR), None);
    let broken = Some(Invariant::NoUsableTokenReplacedByOneThatDoesNotFit);
    let older = Claims { issued_at: at(-HOUR), ..held.clone() };
    assert_eq!(replaced(&older, HOUR), broken);
    let strange = Claims { account: "kube-system/other".parse().unwrap(), ..newer.clone() };
    assert_eq!(replaced(&strange, HOUR), broken);
    let dead = Claims { expires_at: at(HOUR), ..newer };
    assert_eq!(replaced(&dead, HOUR), broken);
    assert_eq!(replaced(&older, 12 * HOUR), None, "what has expired may be replaced by anything");
}

#[test]
fn a_token_is_asked_for_when_its_reason_holds() {
    let record = record();
    let planned = record.issued.as_ref().unwrap().renew_at;
    let zero = SignedDuration::ZERO;
    let second = SignedDuration::from_secs(1);
    assert_eq!(no_call_between_renewals(Reason::Due, &record, planned, zero), Ok(()));
    let early = no_call_between_renewals(Reason::Due, &record, planned - second, zero);
    assert_eq!(name(early), Some(Invariant::NoCallBetweenRenewals));
    assert_eq!(no_call_between_renewals(Reason::Due, &record, planned - second, second), Ok(()));
    for reason in [Reason::Expired, Reason::NothingHeld, Reason::TimestampRemoved] {
        let untrue = no_call_between_renewals(reason, &record, planned, zero);
        assert_eq!(name(untrue), Some(Invariant::NoCallBetweenRenewals), "{reason:?}");
    }
}

#[test]
fn counts_are_compared_and_the_message_names_the_invariant() {
    assert_eq!(limits_never_exceeded(8, 8), Ok(()));
    assert!(limits_never_exceeded(9, 8).is_err());
    assert_eq!(no_storm(STORM_TOKENS_MAX), Ok(()));
    assert!(no_storm(STORM_TOKENS_MAX + 1).is_err());
    assert!(every_overdue_secret_is_known_to_be_overdue(2, 1).is_err());
    let broken = extra_tokens_within_the_failure_table(1, 0).unwrap_err();
    assert!(broken.to_string().starts_with("extra_tokens_within_the_failure_table"), "{broken}");
}

#[test]
fn a_campaign_renews_each_token_once_and_is_done_when_all_are_written() {
    let span = SignedDuration::from_secs;
    assert_eq!(done_means_written(0), Ok(()));
    assert_eq!(name(done_means_written(1)), Some(Invariant::DoneMeansWritten));
    assert_eq!(renewed_once_for_a_campaign(span(3), span(3)), Ok(()));
    let twice = renewed_once_for_a_campaign(span(4), span(3));
    assert_eq!(name(twice), Some(Invariant::RenewedOnceForACampaign));
    assert_eq!(campaign_ends_in_time(CAMPAIGN_END_MAX), Ok(()));
    let late = campaign_ends_in_time(CAMPAIGN_END_MAX + span(1));
    assert_eq!(name(late), Some(Invariant::CampaignEndsInTime));
}

#[test]
fn what_is_handed_over_and_revoked_is_compared_with_what_was_promised() {
    assert_eq!(name(one_owner_at_a_time(2)), Some(Invariant::OneOwnerAtATime));
    assert_eq!(one_owner_at_a_time(1), Ok(()));
    assert_eq!(hand_over_in_time(HAND_OVER_MAX), Ok(()));
    let longer = HAND_OVER_MAX + SignedDuration::from_secs(1);
    assert_eq!(name(hand_over_in_time(longer)), Some(Invariant::HandOverInTime));
    assert_eq!(no_usable_token_revoked(1, Some(2)), Ok(()));
    assert_eq!(no_usable_token_revoked(1, None), Ok(()));
    assert_eq!(name(no_usable_token_revoked(2, Some(2))), Some(Invariant::NoUsableTokenRevoked));
    assert_eq!(grace_respected(1, at(9), at(9)), Ok(()));
    assert_eq!(name(grace_respected(1, at(8), at(9))), Some(Invariant::GraceRespected));
    let again = Some(Invariant::NoRevokedGenerationMadeAgain);
    assert_eq!(name(no_revoked_generation_made_again(1, 1)), again);
    assert_eq!(no_revoked_generation_made_again(2, 1), Ok(()));
    let due = Decision::Renew(Reason::Due);
    assert_eq!(name(every_secret_ends_up_renewed(&due)), Some(Invariant::EverySecretEndsUpRenewed));
    assert_eq!(every_secret_ends_up_renewed(&Decision::Keep { until: at(1) }), Ok(()));
}

#[test]
fn every_invariant_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Invariant::ALL.map(Invariant::as_str).into();
    assert_eq!(names.len(), Invariant::ALL.len());
}
