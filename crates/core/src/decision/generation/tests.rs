use std::time::Duration;

use super::*;
use crate::{
    decision::Policy,
    fixtures::{SecretBuilder, at, jwt_bound},
    generation::{End, Ends, Generation},
    keys,
    shoot::{Reach, ShootStatus},
};

const HOUR: i64 = 3_600;
const POLICY: Policy = Policy { basis_seconds: 24 * HOUR };
const SECRET: &str = "shoot-access-kube-proxy";

fn family() -> Family {
    Family { namespace: "kube-system".parse().unwrap(), secret: SECRET.parse().unwrap() }
}

/// A revocable Secret with a token of that generation, written at 0.
fn held(number: Number) -> Record {
    let token = jwt_bound(family().name(number).as_str(), &format!("uid-{number}"), 0, 10 * HOUR);
    SecretBuilder::new().annotated(keys::REVOCABLE, "true").holding(token, 0).record()
}

fn shoot(present: &[(Number, &str)], seen_at: i64) -> ShootStatus {
    let generation = |(number, uid): &(Number, &str)| Generation {
        number: *number,
        uid: (*uid).into(),
        grace: Some(Duration::from_secs(60)),
        made: None,
    };
    let present = present.iter().map(generation).collect();
    let mut status = ShootStatus {
        reach: Reach::Reachable,
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    };
    status.generations.insert(family(), GenerationsSeen { present, at: at(seen_at) });
    status
}

fn decided(now: i64, record: &Record, status: &ShootStatus) -> Decision {
    decide(at(now), record, ShootView::Seen(status), &POLICY)
}

#[test]
fn d_a_token_whose_generation_is_there_is_kept() {
    let ordinary = decide(at(10), &held(1), ShootView::Unknown, &POLICY);
    assert!(matches!(ordinary, Decision::Keep { .. }), "{ordinary:?}");
    assert_eq!(decided(10, &held(1), &shoot(&[(1, "uid-1")], 5)), ordinary);
}

#[test]
fn d_a_token_without_a_generation_of_its_own_family_is_replaced_where_one_is_wanted() {
    let plain = SecretBuilder::new().renewed(0, 10 * HOUR, 24 * HOUR, 0.5);
    let revocable = plain.clone().annotated(keys::REVOCABLE, "true").record();
    let decision = decide(at(10), &revocable, ShootView::Unknown, &POLICY);
    assert_eq!(decision, Decision::Renew(Reason::InputsChanged));
    let taken_over = plain.annotated(keys::REVOCABLE, "true").without(keys::ISSUED).record();
    let decision = decide(at(10), &taken_over, ShootView::Unknown, &POLICY);
    assert_eq!(decision, Decision::Renew(Reason::InputsChanged));

    let other = Family { secret: "other".parse().unwrap(), ..family() };
    let token = jwt_bound(other.name(1).as_str(), "uid-1", 0, 10 * HOUR);
    let strange = SecretBuilder::new().annotated(keys::REVOCABLE, "true").holding(token, 0);
    let decision = decide(at(10), &strange.record(), ShootView::Unknown, &POLICY);
    assert_eq!(decision, Decision::Renew(Reason::InputsChanged));
}

#[test]
fn c_d_a_generation_that_a_stranger_deleted_or_made_anew_costs_a_token_at_once() {
    let gone = Decision::Renew(Reason::GenerationGone);
    assert_eq!(decided(10, &held(1), &shoot(&[], 5)), gone);
    assert_eq!(decided(10, &held(1), &shoot(&[(1, "another")], 5)), gone);
    assert_eq!(decided(10, &held(1), &shoot(&[(2, "uid-2")], 5)), gone);
}

#[test]
fn d_what_was_seen_before_the_token_was_made_says_nothing_of_it() {
    let decision = decided(10, &held(1), &shoot(&[], -10));
    assert!(matches!(decision, Decision::Keep { .. }), "{decision:?}");
    let decision = decided(1, &held(1), &shoot(&[], 0));
    assert_eq!(decision, Decision::Keep { until: at(2) }, "the streams may be apart");
}

#[test]
fn d_a_newer_generation_means_that_a_revocation_was_begun_and_is_resumed() {
    let both = shoot(&[(1, "uid-1"), (2, "uid-2")], 5);
    assert_eq!(decided(10, &held(1), &both), Decision::Renew(Reason::Revoked));
    assert_eq!(generation_wanted(&held(1), ShootView::Seen(&both), None), 2);
}

#[test]
fn d_a_token_that_was_on_its_way_when_a_revocation_was_begun_does_not_end_it() {
    let both = shoot(&[(1, "uid-1"), (2, "uid-2")], -10);
    assert_eq!(decided(10, &held(1), &both), Decision::Renew(Reason::Revoked));
    let at_once = decided(1, &held(1), &both);
    assert_eq!(at_once, Decision::Keep { until: at(2) }, "the streams may be apart");
}

#[test]
fn d_older_generations_go_when_the_noted_grace_is_over() {
    let both = shoot(&[(1, "uid-1"), (2, "uid-2")], 5);
    let mut record = held(2);
    let note = record.issued.as_mut().unwrap();
    note.generation.as_mut().unwrap().older_until = Some(at(240));
    assert_eq!(decided(239, &record, &both), Decision::Keep { until: at(240) });
    assert_eq!(decided(240, &record, &both), Decision::Renew(Reason::GenerationLeft));
    let gone = decided(240, &record, &shoot(&[(2, "uid-2")], 241));
    assert!(matches!(gone, Decision::Keep { until } if until > at(HOUR)), "{gone:?}");
}

#[test]
fn d_without_a_noted_end_the_grace_of_the_generation_counts_from_the_note() {
    let both = shoot(&[(1, "uid-1"), (2, "uid-2")], 5);
    assert_eq!(decided(59, &held(2), &both), Decision::Keep { until: at(60) });
    assert_eq!(decided(60, &held(2), &both), Decision::Renew(Reason::GenerationLeft));
}

#[test]
fn d_who_asks_to_revoke_gets_a_token_of_the_next_generation_and_no_second_one() {
    let one = shoot(&[(1, "uid-1")], 5);
    let both = shoot(&[(1, "uid-1"), (2, "uid-2")], 5);
    let revoked = |record: &Record, status: &ShootStatus, at_once| {
        let end = End { up_to: 1, until: at(if at_once { 10 } else { 60 }) };
        let asked = Ends::from_iter([end]);
        decide_revoked(at(10), record, ShootView::Seen(status), &POLICY, (1, &asked))
    };
    assert_eq!(revoked(&held(1), &one, false), Decision::Renew(Reason::Revoked));
    assert_eq!(generation_wanted(&held(1), ShootView::Seen(&one), Some(1)), 2);
    assert_eq!(revoked(&held(2), &both, false), Decision::Keep { until: at(60) });
    assert_eq!(revoked(&held(2), &both, true), Decision::Renew(Reason::GenerationLeft));
    let done = revoked(&held(2), &shoot(&[(2, "uid-2")], 5), true);
    assert!(matches!(done, Decision::Keep { .. }), "{done:?}");
}

#[test]
fn d_a_secret_that_is_not_revocable_is_not_judged_by_generations() {
    let token = jwt_bound(family().name(1).as_str(), "uid-1", 0, 10 * HOUR);
    let record = SecretBuilder::new().holding(token, 0).record();
    let decision = decided(10, &record, &shoot(&[], 5));
    assert!(matches!(decision, Decision::Keep { .. }), "{decision:?}");
}

#[test]
fn d_each_older_generation_goes_by_its_own_end() {
    let three = shoot(&[(1, "uid-1"), (2, "uid-2"), (3, "uid-3")], 5);
    let mut record = held(3);
    let noted = record.issued.as_mut().unwrap().generation.as_mut().unwrap();
    noted.older_until = Some(at(240));
    noted.sooner = Ends::from_iter([End { up_to: 1, until: at(100) }]);
    assert_eq!(decided(99, &record, &three), Decision::Keep { until: at(100) });
    assert_eq!(decided(100, &record, &three), Decision::Renew(Reason::GenerationLeft));
    let two = shoot(&[(2, "uid-2"), (3, "uid-3")], 101);
    assert_eq!(decided(102, &record, &two), Decision::Keep { until: at(240) });
}

#[test]
fn d_an_end_that_is_sooner_than_the_noted_one_is_noted_once() {
    let both = shoot(&[(1, "uid-1"), (2, "uid-2")], 5);
    let asked = Ends::from_iter([End { up_to: 1, until: at(30) }]);
    let revoked = |record: &Record, status: &ShootStatus| {
        decide_revoked(at(10), record, ShootView::Seen(status), &POLICY, (1, &asked))
    };
    let mut record = held(2);
    assert_eq!(revoked(&record, &both), Decision::Renew(Reason::GraceShortened));
    let gone = revoked(&record, &shoot(&[(2, "uid-2")], 5));
    assert!(matches!(gone, Decision::Keep { .. }), "{gone:?}");
    record.issued.as_mut().unwrap().generation.as_mut().unwrap().older_until = Some(at(30));
    assert_eq!(revoked(&record, &both), Decision::Keep { until: at(30) });
}
