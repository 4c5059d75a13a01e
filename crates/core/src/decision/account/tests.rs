use super::*;
use crate::{
    decision::{Away, Decision, Policy, decide},
    fixtures::{SecretBuilder, at},
    inputs::LabelsHash,
    shoot::Reach,
};

const DAY: i64 = 24 * 3_600;

/// The decision at `now` about a token issued at 0 for `uid-kube-proxy`, when its account was
/// last seen like this.
fn decided(now: i64, state: AccountState, seen_at: i64) -> Decision {
    let secret = SecretBuilder::new().renewed(0, DAY, DAY, 0.5);
    let record = secret.record();
    let inputs = record.inputs.as_ref().unwrap();
    let seen = AccountSeen { state, at: at(seen_at) };
    let status = ShootStatus {
        reach: Reach::Reachable,
        accounts: [(inputs.account.clone(), seen)].into(),
        ..ShootStatus::unseen("shoot--lab--1".parse().unwrap())
    };
    decide(at(now), &record, ShootView::Seen(&status), &Policy::default())
}

fn present(uid: &str) -> AccountState {
    let labels = LabelsHash::of(&Default::default());
    AccountState::Present { uid: uid.into(), automount_off: true, labels }
}

#[test]
fn c_an_account_that_is_as_it_was_changes_nothing() {
    assert!(matches!(decided(100, present("uid-kube-proxy"), 50), Decision::Keep { .. }));
}

#[test]
fn c_an_account_made_anew_costs_one_token_at_once() {
    let decision = decided(100, present("another"), 50);
    assert_eq!(decision, Decision::Renew(Reason::AccountReplaced));
}

#[test]
fn c_an_account_that_is_gone_is_made_anew_with_its_token() {
    assert_eq!(decided(100, AccountState::Absent, 50), Decision::Renew(Reason::AccountGone));
}

#[test]
fn c_nothing_is_issued_for_an_account_that_is_terminating() {
    let waits =
        Decision::WaitForShoot { reason: Reason::AccountGone, why: Away::AccountTerminating };
    assert_eq!(decided(100, AccountState::Terminating, 50), waits);
}

#[test]
fn c_what_was_seen_before_the_token_was_made_says_nothing_of_it() {
    assert!(matches!(decided(100, present("another"), -10), Decision::Keep { .. }));
    assert!(matches!(decided(100, AccountState::Absent, -10), Decision::Keep { .. }));
}

#[test]
fn c_in_the_first_moments_the_two_streams_may_be_apart() {
    assert_eq!(decided(1, present("another"), 0), Decision::Keep { until: at(2) });
    assert_eq!(decided(2, present("another"), 0), Decision::Renew(Reason::AccountReplaced));
    // Our clock was set back by an hour since the token was written.
    assert_eq!(decided(-3_600, present("another"), 0), Decision::Renew(Reason::AccountReplaced));
}
