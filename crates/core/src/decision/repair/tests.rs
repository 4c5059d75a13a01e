use super::*;
use crate::{
    ca::CaHash,
    decision::{Away, Decision, Policy, decide, decide_requested},
    fixtures::{SecretBuilder, at},
    keys,
    shoot::{AccountSeen, Reach, ShootStatus},
};

const DAY: i64 = 24 * 3_600;

fn shoot(ca: &str) -> ShootStatus {
    ShootStatus {
        reach: Reach::Reachable,
        ca: Some(CaHash::of(ca.as_bytes())),
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    }
}

fn with_bundle(inject: &str, bundle: Option<&str>) -> SecretBuilder {
    let secret = SecretBuilder::new().annotated(keys::INJECT_CA, inject);
    let mut secret = secret.renewed(0, DAY, DAY, 0.5);
    secret.bundle = bundle.map(str::to_owned);
    secret
}

fn decided(secret: &SecretBuilder, shoot: &ShootStatus) -> Decision {
    decide(at(100), &secret.record(), ShootView::Seen(shoot), &Policy::default())
}

#[test]
fn c_another_ca_needs_a_write_and_no_token() {
    let secret = with_bundle("true", Some("old"));
    assert!(matches!(decided(&secret, &shoot("old")), Decision::Keep { .. }));
    assert_eq!(decided(&secret, &shoot("new")), Decision::Renew(Reason::CaChanged));
    assert!(!Reason::CaChanged.needs_token());
    let missing = with_bundle("true", None);
    assert_eq!(decided(&missing, &shoot("new")), Decision::Renew(Reason::CaChanged));
}

#[test]
fn b5_a_stale_bundle_is_taken_away() {
    let secret = with_bundle("false", Some("old"));
    assert_eq!(decided(&secret, &shoot("old")), Decision::Renew(Reason::CaUnwanted));
    assert!(matches!(decided(&with_bundle("false", None), &shoot("x")), Decision::Keep { .. }));
}

#[test]
fn a_secret_that_was_taken_over_is_not_written_before_its_renewal() {
    let secret = with_bundle("true", Some("old")).without(keys::ISSUED);
    assert!(matches!(decided(&secret, &shoot("new")), Decision::Keep { .. }));
}

#[test]
fn c_labels_and_automount_that_drifted_are_put_back() {
    let secret = SecretBuilder::new().annotated(keys::ACCOUNT_LABELS, r#"{"app":"x"}"#);
    let secret = secret.renewed(0, DAY, DAY, 0.5);
    let inputs = secret.record().inputs.unwrap();
    let decided_when = |automount_off, labels: &[(&str, &str)]| {
        let labels: std::collections::BTreeMap<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let uid = "uid-kube-proxy".into();
        let labels = LabelsHash::of(&labels);
        let state = AccountState::Present { uid, automount_off, labels };
        let seen = AccountSeen { state, at: at(50) };
        let accounts = [(inputs.account.clone(), seen)].into();
        decided(&secret, &ShootStatus { accounts, ..shoot("ca") })
    };
    let drifted = Decision::Renew(Reason::AccountDrifted);
    assert!(matches!(decided_when(true, &[("app", "x")]), Decision::Keep { .. }));
    assert_eq!(decided_when(false, &[("app", "x")]), drifted);
    assert_eq!(decided_when(true, &[("app", "y")]), drifted);
    assert_eq!(decided_when(true, &[]), drifted);
    assert_eq!(decided_when(true, &[("app", "x"), ("was", "there")]), drifted);
}

#[test]
fn an_operator_who_asks_for_a_token_gets_one_although_a_repair_is_due() {
    let (secret, shoot) = (with_bundle("true", Some("old")), shoot("new"));
    let view = ShootView::Seen(&shoot);
    let decision = decide_requested(at(100), &secret.record(), view, &Policy::default());
    assert_eq!(decision, Decision::Renew(Reason::Requested));
}

#[test]
fn a_repair_waits_for_its_shoot() {
    let away = ShootStatus { reach: Reach::Unreachable, ..shoot("new") };
    let waits = Decision::WaitForShoot { reason: Reason::CaChanged, why: Away::Unreachable };
    assert_eq!(decided(&with_bundle("true", Some("old")), &away), waits);
}

#[test]
fn b2_where_several_secrets_name_one_account_the_labels_of_one_of_them_count() {
    let secret = SecretBuilder::new().annotated(keys::ACCOUNT_LABELS, r#"{"app":"x"}"#);
    let secret = secret.renewed(0, DAY, DAY, 0.5);
    let record = secret.record();
    let account = record.inputs.unwrap().account;
    let mut status = shoot("x");
    let labels = LabelsHash::of(&std::collections::BTreeMap::new());
    let state = AccountState::Present { uid: "uid-kube-proxy".into(), automount_off: true, labels };
    status.accounts.insert(account.clone(), AccountSeen { state, at: at(50) });
    assert_eq!(decided(&secret, &status), Decision::Renew(Reason::AccountDrifted));
    status.speakers.insert(account.clone(), record.secret.name);
    assert_eq!(decided(&secret, &status), Decision::Renew(Reason::AccountDrifted));
    status.speakers.insert(account, "another".parse().unwrap());
    assert!(matches!(decided(&secret, &status), Decision::Keep { .. }));
}
