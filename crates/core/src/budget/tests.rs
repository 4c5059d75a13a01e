use proptest::prelude::*;

use super::*;
use crate::window::{self, BASIS_DEFAULT_SECONDS};

const HOUR: i64 = 3_600;

fn survive(seconds: i64) -> Budget {
    let shoot = Some(Duration::from_secs(seconds.unsigned_abs()));
    Budget { shoot, ..Budget::default() }
}

#[test]
fn without_a_budget_nothing_is_changed_and_every_token_holds() {
    let budget = Budget::default();
    assert_eq!(budget.basis(BASIS_DEFAULT_SECONDS, 600), Ok(BASIS_DEFAULT_SECONDS));
    let life =
        Life { granted: 600, asked: 600, left_at_renewal: 0, is_overdue: false, is_ours: true };
    assert_eq!(budget.judge(life), Verdict::Holds);
}

#[test]
fn six_hours_of_twelve_are_had_by_a_basis_of_seven() {
    let basis = survive(6 * HOUR).basis(BASIS_DEFAULT_SECONDS, 12 * HOUR).unwrap();
    // 12 h less 6 h and 10 min are 5 h 50 min, which is 80 % of 7 h 17 min 30 s.
    assert_eq!(basis, 7 * HOUR + 17 * 60 + 30);
    assert!((window::latest_offset(12 * HOUR, basis) - 21_000.0).abs() < 1.0);
    let price = renewals_per_day(12 * HOUR, basis);
    assert!((price - 86_400.0 / 21_000.0).abs() < 0.01, "{price}");
    assert_eq!(survive(2 * HOUR).basis(5 * HOUR, 12 * HOUR), Ok(5 * HOUR), "short enough already");
}

#[test]
fn what_cannot_be_had_is_refused_with_the_arithmetic() {
    let refused = survive(12 * HOUR).basis(BASIS_DEFAULT_SECONDS, 12 * HOUR).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "--survive-shoot-outage 12h00m cannot be survived: a token lives 12h00m where its Secret says nothing \
         else; less 12h00m and 10m00s until all is back and every consumer has read its new token, none are \
         left to renew it in, and at least 10m00s are needed; survive at most 11h40m, or ask for tokens of at \
         least 12h20m (annotation serviceaccount.resources.gardener.cloud/token-expiration-duration) and say \
         so with --survive-lifetime"
    );
    let seed = Budget { seed: Some(Duration::from_secs(86_400)), ..survive(60) };
    let refused = seed.basis(BASIS_DEFAULT_SECONDS, 12 * HOUR).unwrap_err().to_string();
    assert!(refused.starts_with("--survive-seed-outage 1d"), "{refused}");
}

#[test]
fn a_token_that_does_not_hold_has_a_reason() {
    let budget = survive(6 * HOUR);
    let life = |granted, asked, left, is_overdue| Life {
        granted,
        asked,
        left_at_renewal: left,
        is_overdue,
        is_ours: true,
    };
    let needed = 6 * HOUR + 600;
    assert_eq!(budget.judge(life(12 * HOUR, 12 * HOUR, needed, false)), Verdict::Holds);
    assert_eq!(budget.judge(life(12 * HOUR, 12 * HOUR, needed, true)), Verdict::Overdue);
    assert_eq!(budget.judge(life(HOUR, 12 * HOUR, 720, false)), Verdict::GrantedLess);
    assert_eq!(budget.judge(life(HOUR, HOUR, 720, false)), Verdict::LifetimeTooShort);
    let theirs = Life { is_ours: false, ..life(12 * HOUR, 12 * HOUR, 2 * HOUR, false) };
    assert_eq!(budget.judge(theirs), Verdict::TakenOver);
}

proptest! {
    /// The promise: whatever is to be survived, where it is not refused, a token that is renewed by the
    /// rules has so much life left at every place of its window.
    #[test]
    fn a_token_renewed_by_the_basis_survives_the_outage(
        asked in 0..40 * HOUR,
        lifetime in 600..48 * HOUR,
        basis in 2..30 * 24 * HOUR,
        place in 0.0..=1.0,
    ) {
        let budget = survive(asked);
        let Ok(basis) = budget.basis(basis, lifetime) else {
            prop_assert!(lifetime - asked - 600 < LATEST_MIN_SECONDS);
            return Ok(());
        };
        for window in [window::Window::ORDINARY, window::Window::MASS_START] {
            let moments = window.moments(lifetime, basis);
            let planned = *moments.start() + ((*moments.end() - *moments.start()) as f64 * place) as i64;
            let left = lifetime - planned;
            prop_assert!(left >= asked + 600, "{left} s left of {lifetime} s, renewed after {planned} s");
            let life = Life { granted: lifetime, asked: lifetime, left_at_renewal: left, is_overdue: false, is_ours: true };
            prop_assert_eq!(budget.judge(life), Verdict::Holds);
        }
    }

    #[test]
    fn the_life_that_is_recommended_is_enough(asked in 60..20 * HOUR, basis in 600..24 * HOUR) {
        let budget = survive(asked);
        let lifetime = budget.lifetime_needed(basis);
        let left = lifetime as f64 - window::latest_offset(lifetime, basis);
        prop_assert!(left + 1.0 >= (asked + 600) as f64, "{left} s left of {lifetime} s");
    }
}
