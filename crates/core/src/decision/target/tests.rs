use super::*;
use crate::{
    ca::CaHash,
    decision::{Away, Decision, Policy, decide},
    fixtures::{SecretBuilder, at, jwt},
    inputs::Mode,
    keys,
    name::SecretRef,
    reason::Reason,
    shoot::{Reach, ShootStatus},
    target::TargetView,
};

const DAY: i64 = 24 * 3_600;

fn named() -> SecretBuilder {
    SecretBuilder::new()
        .annotated(keys::TARGET_NAMESPACE, "kube-system")
        .annotated(keys::TARGET_NAME, "target")
}

/// Delivered at 0 for a day: note and timestamp stand on the source, and no token.
fn delivered() -> (SecretBuilder, String) {
    let mut secret = named().renewed(0, DAY, DAY, 0.5);
    let token = secret.token.take().unwrap();
    (secret, token)
}

fn status(seen: Option<(TargetState, i64)>) -> ShootStatus {
    let target = SecretRef::parse("kube-system", "target").unwrap();
    let seen = seen.map(|(state, seconds)| (target, TargetSeen { state, at: at(seconds) }));
    ShootStatus {
        reach: Reach::Reachable,
        ca: Some(CaHash::of(b"CA")),
        targets: seen.into_iter().collect(),
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    }
}

fn decided(now: i64, secret: &SecretBuilder, seen: Option<(TargetState, i64)>) -> Decision {
    let status = status(seen);
    decide(at(now), &secret.record(), ShootView::Seen(&status), &Policy::default())
}

fn holding(token: &str) -> TargetState {
    TargetView { token: Some(token.as_bytes()), ..TargetView::default() }.state()
}

fn flipped(token: &str) -> String {
    token.replace("c2lnbmF0dXJl", "c2lnbmF0dXJm")
}

#[test]
fn b7_a_secret_that_names_a_target_gets_its_first_token_at_once() {
    assert_eq!(decided(0, &named(), None), Decision::Renew(Reason::NothingHeld));
}

#[test]
fn b7_the_note_counts_until_somebody_has_looked() {
    let (secret, token) = delivered();
    let kept = decided(100, &secret, None);
    assert!(matches!(kept, Decision::Keep { .. }), "{kept:?}");
    assert_eq!(decided(100, &secret, Some((holding(&token), 50))), kept);
    assert_eq!(
        decide(at(100), &secret.record(), ShootView::Unknown, &Policy::default()),
        kept,
        "a restart of the token-issuer"
    );
}

#[test]
fn c_whatever_happens_to_a_target_costs_one_token_at_once() {
    let (secret, token) = delivered();
    let other = jwt("kube-system", "other", 50, 50 + DAY);
    for (state, reason) in [
        (TargetState::Absent, Reason::NothingHeld),
        (TargetView::default().state(), Reason::NothingHeld),
        (holding(""), Reason::NothingHeld),
        (holding("garbage"), Reason::Unreadable),
        (holding(&flipped(&token)), Reason::Damaged),
        (holding(&other), Reason::OtherAccount),
    ] {
        let told = format!("{state:?}");
        assert_eq!(decided(100, &secret, Some((state, 99))), Decision::Renew(reason), "{told}");
    }
}

#[test]
fn c_what_was_seen_before_the_token_was_made_says_nothing_of_it() {
    let (secret, _) = delivered();
    let kept = decided(100, &secret, Some((TargetState::Absent, -10)));
    assert!(matches!(kept, Decision::Keep { .. }), "{kept:?}");
}

#[test]
fn c_in_the_first_moments_note_and_target_may_be_apart() {
    let (secret, _) = delivered();
    let absent = || Some((TargetState::Absent, 0));
    assert_eq!(decided(1, &secret, absent()), Decision::Keep { until: at(2) });
    assert_eq!(decided(2, &secret, absent()), Decision::Renew(Reason::NothingHeld));
}

#[test]
fn b7_another_target_needs_a_token_and_the_former_is_remembered() {
    let (secret, _) = delivered();
    let secret = secret.annotated(keys::TARGET_NAME, "elsewhere");
    assert_eq!(decided(100, &secret, None), Decision::Renew(Reason::InputsChanged));
    let left: Vec<_> = secret.record().left.iter().map(|left| left.secret.to_string()).collect();
    assert_eq!(left, ["kube-system/target"]);
}

#[test]
fn b7_a_target_that_is_no_longer_named_is_remembered_while_the_source_has_nothing() {
    let (secret, _) = delivered();
    let secret = secret.without(keys::TARGET_NAME);
    assert_eq!(decided(100, &secret, None), Decision::Renew(Reason::NothingHeld));
    assert_eq!(secret.record().left.len(), 1);
}

#[test]
fn b7_a_target_named_for_a_token_in_the_source_needs_another() {
    let secret = SecretBuilder::new().renewed(0, DAY, DAY, 0.5);
    let secret = secret
        .annotated(keys::TARGET_NAMESPACE, "kube-system")
        .annotated(keys::TARGET_NAME, "target");
    assert_eq!(decided(100, &secret, None), Decision::Renew(Reason::InputsChanged));
    assert!(secret.record().left.is_empty());
}

#[test]
fn b7_what_was_left_is_cleaned_once_the_new_place_has_its_token() {
    let (mut secret, token) = delivered();
    let mut note = secret.record().issued.unwrap();
    note.target = SecretRef::parse("kube-system", "former").ok();
    note.left = note.now_left(secret.record().inputs.unwrap().target.as_ref());
    note.target = secret.record().inputs.unwrap().target;
    secret = secret.annotated(keys::ISSUED, &note.to_line());
    let left = Decision::Renew(Reason::TargetLeft);
    assert_eq!(decided(100, &secret, Some((holding(&token), 50))), left);
    assert_eq!(decided(100, &secret, None), left);
    let lost = decided(100, &secret, Some((TargetState::Absent, 50)));
    assert_eq!(lost, Decision::Renew(Reason::NothingHeld), "the new place comes first");
    assert!(!Reason::TargetLeft.needs_token());
}

#[test]
fn b7_a_target_filled_by_the_reference_costs_no_token() {
    let taken_over = named().annotated(keys::RENEW_TIMESTAMP, "1970-01-01T12:00:00Z");
    assert_eq!(decided(100, &taken_over, None), Decision::Keep { until: at(43_200) });
    let token = jwt("kube-system", "kube-proxy", 0, DAY);
    let kept = decided(100, &taken_over, Some((holding(&token), 50)));
    assert!(matches!(kept, Decision::Keep { .. }), "{kept:?}");
    let lost = decided(100, &taken_over, Some((TargetState::Absent, 50)));
    assert_eq!(lost, Decision::Renew(Reason::NothingHeld));
}

#[test]
fn b7_the_ca_in_a_target_follows_that_of_the_shoot_without_a_token() {
    let mut secret = named().annotated(keys::INJECT_CA, "true").renewed(0, DAY, DAY, 0.5);
    let token = secret.token.take().unwrap();
    let with = |bundle: Option<&'static [u8]>| {
        let view = TargetView { token: Some(token.as_bytes()), kubeconfig: None, bundle };
        Some((view.state(), 50))
    };
    assert!(matches!(decided(100, &secret, with(Some(b"CA"))), Decision::Keep { .. }));
    for bundle in [None, Some(b"old".as_slice())] {
        assert_eq!(decided(100, &secret, with(bundle)), Decision::Renew(Reason::CaChanged));
    }
    assert!(matches!(decided(100, &secret, None), Decision::Keep { .. }), "not seen yet");
    let mut plain = secret.without(keys::INJECT_CA);
    plain.token = None;
    assert_eq!(decided(100, &plain, with(Some(b"CA"))), Decision::Renew(Reason::CaUnwanted));
}

#[test]
fn b12_a_fight_over_a_target_is_held_by_the_note() {
    let (secret, _) = delivered();
    let mut note = secret.record().issued.unwrap();
    (note.at, note.streak, note.spent) = (at(95), 2, crate::storm::AT_ONCE_MAX);
    let secret = secret.annotated(keys::ISSUED, &note.to_line());
    let held = decided(100, &secret, Some((TargetState::Absent, 99)));
    assert!(matches!(held, Decision::Hold { reason: Reason::NothingHeld, .. }), "{held:?}");
}

#[test]
fn b7_a_target_in_kubeconfig_mode_is_judged_by_the_token_of_its_current_user() {
    let (secret, token) = delivered();
    let document = |token: &str| {
        format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: \"https://s\"}}}}]\n\
             users:\n- name: u\n  user:\n    token: \"{token}\"\n"
        )
    };
    let seen = |text: &str| {
        let view = TargetView { kubeconfig: Some(text.as_bytes()), ..TargetView::default() };
        Some((view.state(), 50))
    };
    let status = status(seen(&document(&token)));
    let record = secret.record();
    let as_seen = as_seen(at(100), &record, ShootView::Seen(&status));
    assert_eq!(as_seen.record.inputs.as_ref().unwrap().mode, Mode::Kubeconfig);
    let decision = |text: &str| decided(100, &secret, seen(text));
    assert!(matches!(decision(&document(&token)), Decision::Keep { .. }));
    assert_eq!(decision(&document("")), Decision::Renew(Reason::NothingHeld));
    assert_eq!(decision(&document(&flipped(&token))), Decision::Renew(Reason::Damaged));
    assert_eq!(decision("["), Decision::Renew(Reason::Unreadable));
}

#[test]
fn a_shoot_that_is_away_is_waited_for() {
    let (secret, _) = delivered();
    let away = ShootStatus { reach: Reach::Unreachable, ..status(Some((TargetState::Absent, 50))) };
    let decision = decide(at(100), &secret.record(), ShootView::Seen(&away), &Policy::default());
    let waits = Decision::WaitForShoot { reason: Reason::NothingHeld, why: Away::Unreachable };
    assert_eq!(decision, waits);
}
