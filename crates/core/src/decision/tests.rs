use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    fixtures::{SecretBuilder, at, jwt},
    keys,
    record::Record,
    storm::{AT_ONCE_MAX, Memory},
};

const HOUR: i64 = 3_600;
const POLICY: Policy = Policy { basis_seconds: 24 * HOUR };

fn decide_at(seconds: i64, record: &Record) -> Decision {
    decide(at(seconds), record, ShootView::Unknown, &POLICY)
}

fn renewed() -> SecretBuilder {
    SecretBuilder::new().renewed(0, 10 * HOUR, 24 * HOUR, 0.5)
}

#[test]
fn b1_a_secret_without_a_token_gets_one_at_once_whatever_its_timestamp_says() {
    let secret = SecretBuilder::new().annotated(keys::RENEW_TIMESTAMP, "2099-01-01T00:00:00Z");
    assert_eq!(decide_at(0, &secret.record()), Decision::Renew(Reason::NothingHeld));
}

#[test]
fn b4_a_token_is_left_alone_until_its_planned_moment() {
    let record = renewed().record();
    let planned = 7 * HOUR + 36 * 60; // the middle of 7 h 12 m and 8 h
    assert_eq!(decide_at(planned - 1, &record), Decision::Keep { until: at(planned) });
    assert_eq!(decide_at(planned, &record), Decision::Renew(Reason::Due));
}

#[test]
fn b4_a_timestamp_brings_a_renewal_forward_and_never_pushes_it_back() {
    let earlier = renewed().annotated(keys::RENEW_TIMESTAMP, "1970-01-01T01:00:00Z").record();
    assert_eq!(decide_at(HOUR - 1, &earlier), Decision::Keep { until: at(HOUR) });
    assert_eq!(decide_at(HOUR, &earlier), Decision::Renew(Reason::TimestampForward));
    let later = renewed().annotated(keys::RENEW_TIMESTAMP, "2099-01-01T00:00:00Z").record();
    assert_eq!(decide_at(8 * HOUR, &later), Decision::Renew(Reason::Due));
}

#[test]
fn b4_a_lower_basis_takes_effect_on_tokens_that_are_already_there() {
    let policy = Policy { basis_seconds: 8 };
    let decision = decide(at(6), &renewed().record(), ShootView::Unknown, &policy);
    assert_eq!(decision, Decision::Renew(Reason::Due));
}

#[test]
fn removing_the_timestamp_forces_a_renewal() {
    let record = renewed().without(keys::RENEW_TIMESTAMP).record();
    assert_eq!(decide_at(10, &record), Decision::Renew(Reason::TimestampRemoved));
}

#[test]
fn what_the_token_says_of_itself_decides() {
    let with_token = |token: &str| {
        let mut secret = renewed();
        secret.token = Some(token.to_owned());
        decide_at(100, &secret.record())
    };
    assert_eq!(with_token(""), Decision::Renew(Reason::NothingHeld));
    assert_eq!(with_token("garbage"), Decision::Renew(Reason::Unreadable));
    let other = jwt("kube-system", "other", 0, 10 * HOUR);
    assert_eq!(with_token(&other), Decision::Renew(Reason::Damaged), "same times, other bytes");
    let other = jwt("kube-system", "other", 1, 10 * HOUR);
    assert_eq!(with_token(&other), Decision::Renew(Reason::OtherAccount));
    let expired = jwt("kube-system", "kube-proxy", -HOUR, 50);
    let mut secret = SecretBuilder::new().annotated(keys::RENEW_TIMESTAMP, "1970-01-01T00:00:10Z");
    secret.token = Some(expired);
    assert_eq!(decide_at(100, &secret.record()), Decision::Renew(Reason::Expired));
}

#[test]
fn changed_inputs_and_audiences_ask_for_another_token() {
    let lifetime = renewed().annotated(keys::TOKEN_LIFETIME, "1h").record();
    assert_eq!(decide_at(1, &lifetime), Decision::Renew(Reason::InputsChanged));
    let audiences = renewed().annotated(keys::AUDIENCES, "kubernetes").record();
    assert_eq!(decide_at(1, &audiences), Decision::Renew(Reason::OtherAudiences));
    let same = jwt("kube-system", "kube-proxy", 0, 10 * HOUR);
    let mut taken_over = SecretBuilder::new()
        .annotated(keys::AUDIENCES, "gardener")
        .annotated(keys::TOKEN_LIFETIME, "1h")
        .annotated(keys::RENEW_TIMESTAMP, "1970-01-01T08:00:00Z");
    taken_over.token = Some(same);
    let kept = decide_at(1, &taken_over.record());
    assert_eq!(kept, Decision::Keep { until: at(8 * HOUR) }, "its lifetime is not questioned");
}

#[test]
fn b4_the_timestamp_of_the_reference_is_honoured_to_its_84_percent() {
    let mut secret = SecretBuilder::new().annotated(keys::RENEW_TIMESTAMP, "1970-01-01T09:59:00Z");
    secret.token = Some(jwt("kube-system", "kube-proxy", 0, 10 * HOUR));
    let until = at(8 * HOUR + 24 * 60);
    assert_eq!(decide_at(8 * HOUR, &secret.record()), Decision::Keep { until });
    let sooner = secret.annotated(keys::RENEW_TIMESTAMP, "1970-01-01T01:00:00Z").record();
    assert_eq!(decide_at(HOUR, &sooner), Decision::Renew(Reason::Due));
}

#[test]
fn b11_what_cannot_be_written_is_left_alone() {
    let mut record = SecretBuilder::new().record();
    record.obstacle = Some(Obstacle::Immutable);
    assert_eq!(decide_at(0, &record), Decision::Obstructed(Obstacle::Immutable));
}

#[test]
fn b12_the_first_correction_comes_at_once_and_the_next_ones_wait() {
    let mut record = renewed().without(keys::RENEW_TIMESTAMP).record();
    assert_eq!(decide_at(1, &record), Decision::Renew(Reason::TimestampRemoved));
    record.memory = Some(Memory { spent: AT_ONCE_MAX, ..Memory::new(at(0), 3) });
    let hold = Decision::Hold { until: at(40), reason: Reason::TimestampRemoved };
    assert_eq!(decide_at(1, &record), hold);
    assert_eq!(decide_at(40, &record), Decision::Renew(Reason::TimestampRemoved));
}

#[test]
fn a_shoot_that_is_away_is_waited_for_and_an_unknown_state_holds_nobody_up() {
    let record = SecretBuilder::new().record();
    let mut status = ShootStatus {
        reach: Reach::Unreachable,
        clock_offset: None,
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    };
    let decide_with = |view: ShootView<'_>| decide(at(0), &record, view, &POLICY);
    let waiting = |why| Decision::WaitForShoot { reason: Reason::NothingHeld, why };
    assert_eq!(decide_with(ShootView::Seen(&status)), waiting(Away::Unreachable));
    assert_eq!(decide_with(ShootView::Missing), waiting(Away::NotKnown));
    status.reach = Reach::Unknown;
    assert_eq!(decide_with(ShootView::Seen(&status)), Decision::Renew(Reason::NothingHeld));
}

#[test]
fn a_hibernated_shoot_is_waited_for_whatever_else_is_known_of_it() {
    let mut status =
        ShootStatus { hibernated: true, ..ShootStatus::unseen("shoot--lab--1".parse().unwrap()) };
    let waiting = |reason| Decision::WaitForShoot { reason, why: Away::Hibernated };
    let due = renewed().record();
    let mut held = renewed().without(keys::RENEW_TIMESTAMP).record();
    held.memory = Some(Memory { spent: AT_ONCE_MAX, ..Memory::new(at(0), 3) });
    for reach in [Reach::Unknown, Reach::Reachable, Reach::Unreachable, Reach::Refused] {
        status.reach = reach;
        let decide_at =
            |seconds, record| decide(at(seconds), record, ShootView::Seen(&status), &POLICY);
        assert_eq!(decide_at(9 * HOUR, &due), waiting(Reason::Due), "{reach:?}");
        assert_eq!(
            decide_at(1, &held),
            waiting(Reason::TimestampRemoved),
            "no storm is waited for"
        );
        assert!(matches!(decide_at(1, &due), Decision::Keep { .. }), "its token is good");
        let own = decide_own(at(9 * HOUR), &due, ShootView::Seen(&status), &POLICY);
        assert_eq!(own, waiting(Reason::Due), "not even its own");
    }
}

#[test]
fn f_an_own_token_that_the_shoot_refuses_is_replaced_and_no_other_one_for_it() {
    let record = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5).record();
    let issued_at = record.held.claims().unwrap().issued_at;
    let own = |reach, own_refused| {
        let status = ShootStatus {
            reach,
            own_refused,
            ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
        };
        decide_own(at(60), &record, ShootView::Seen(&status), &POLICY)
    };
    let later = at(issued_at.as_second() + 1);
    let is_kept = |decision| matches!(decision, Decision::Keep { .. });
    assert!(is_kept(own(Reach::Reachable, None)));
    assert!(is_kept(own(Reach::Reachable, Some(later))), "another token than this one");
    let renewed = Decision::Renew(Reason::OwnRefused);
    assert_eq!(own(Reach::Reachable, Some(issued_at)), renewed);
    assert_eq!(own(Reach::Refused, Some(issued_at)), renewed, "so that somebody is told");
    let away = own(Reach::Unreachable, Some(issued_at));
    assert!(matches!(away, Decision::WaitForShoot { .. }), "one probe suffices");
}

#[test]
fn the_shoots_clock_decides_about_the_shoots_token() {
    let record = renewed().record();
    let mut status = ShootStatus {
        reach: Reach::Reachable,
        clock_offset: Some(SignedDuration::from_hours(-13)),
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    };
    let our_now = at(14 * HOUR); // it is 01:00 there
    let planned_here = at(7 * HOUR + 36 * 60 + 13 * HOUR);
    let decision = decide(our_now, &record, ShootView::Seen(&status), &POLICY);
    assert_eq!(decision, Decision::Keep { until: planned_here });
    status.clock_offset = Some(SignedDuration::ZERO);
    let decision = decide(our_now, &record, ShootView::Seen(&status), &POLICY);
    assert_eq!(decision, Decision::Renew(Reason::Expired));
}

#[test]
fn c_clock_before_the_first_look_at_a_shoot_no_token_is_due_by_our_own_clock() {
    let secret = renewed();
    let mut status = ShootStatus {
        reach: Reach::Unknown,
        clock_offset: None,
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    };
    let decide_at = |seconds, secret: &SecretBuilder, status: &ShootStatus| {
        decide(at(seconds), &secret.record(), ShootView::Seen(status), &POLICY)
    };
    for (hours, reason) in [(9, Reason::Due), (13, Reason::Expired)] {
        let waits = Decision::WaitForShoot { reason, why: Away::NotLookedAt };
        assert_eq!(decide_at(hours * HOUR, &secret, &status), waits);
    }
    let removed = secret.clone().without(keys::RENEW_TIMESTAMP);
    let decision = decide_at(HOUR, &removed, &status);
    assert_eq!(decision, Decision::Renew(Reason::TimestampRemoved), "no clock is needed for that");

    (status.reach, status.clock_offset) = (Reach::Reachable, Some(SignedDuration::from_hours(-13)));
    assert!(matches!(decide_at(14 * HOUR, &secret, &status), Decision::Keep { .. }));
    status.clock_offset = None;
    assert_eq!(decide_at(9 * HOUR, &secret, &status), Decision::Renew(Reason::Due), "no Date");
}

#[test]
fn before_the_shoots_clock_is_known_exp_alone_expires_nothing() {
    let record = renewed().annotated(keys::RENEW_TIMESTAMP, "2099-01-01T00:00:00Z").record();
    let decision = decide_at(11 * HOUR, &record);
    assert_eq!(decision, Decision::Renew(Reason::Due), "planned, but not called expired");
}

#[test]
fn an_operator_may_ask_sooner_but_not_for_a_storm_or_the_impossible() {
    let requested = |record: &Record| decide_requested(at(1), record, ShootView::Unknown, &POLICY);
    let mut record = renewed().record();
    assert_eq!(requested(&record), Decision::Renew(Reason::Requested));
    record.memory = Some(Memory::new(at(0), 1));
    let stood = Decision::Hold { until: at(2), reason: Reason::Requested };
    assert_eq!(requested(&record), stood, "it is no ask on the Secret");
    record.memory = Some(Memory { spent: AT_ONCE_MAX, ..Memory::new(at(0), 1) });
    let hold = Decision::Hold { until: at(10), reason: Reason::Requested };
    assert_eq!(requested(&record), hold);
    let wrong = renewed().annotated(keys::TOKEN_LIFETIME, "soon").record();
    assert!(matches!(requested(&wrong), Decision::Invalid(_)));
}

proptest! {
    #[test]
    fn whatever_the_clock_says_a_renewal_never_comes_later_than_latest(
        lifetime in 600_i64..1_000_000, basis in 8_i64..200_000, place in 0.0_f64..=1.0,
        now in -1_000_000_i64..10_000_000, offset in -100_000_i64..100_000,
    ) {
        let record = SecretBuilder::new().renewed(0, lifetime, basis, place).record();
        let status = ShootStatus {
            reach: Reach::Reachable,
            clock_offset: Some(SignedDuration::from_secs(offset)),
            ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
        };
        let policy = Policy { basis_seconds: basis };
        let latest = window::latest(record.held.claims().unwrap(), basis);
        match decide(at(now), &record, ShootView::Seen(&status), &policy) {
            Decision::Keep { until } => {
                prop_assert!(until.as_second() + offset <= latest.as_second());
                prop_assert!(until > at(now), "a moment to come");
            }
            Decision::Renew(_) => prop_assert!(now + offset >= latest.as_second() * 30 / 80),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_decision_is_the_same_however_often_it_is_made_and_a_renewal_stays_one(
        lifetime in 600_i64..1_000_000, now in 0_i64..1_000_000, later in 0_i64..1_000_000,
    ) {
        let record = SecretBuilder::new().renewed(0, lifetime, 24 * HOUR, 0.5).record();
        prop_assert_eq!(decide_at(now, &record), decide_at(now, &record));
        if matches!(decide_at(now, &record), Decision::Renew(_)) {
            prop_assert!(matches!(decide_at(now + later, &record), Decision::Renew(_)));
        }
    }
}
