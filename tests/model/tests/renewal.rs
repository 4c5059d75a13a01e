//! The write, with every guard and without each.

use perennial_core::invariants::Invariant;
use perennial_model::{
    check,
    renewal::{Budget, Guards, Renewal},
};

const NONE: Budget =
    Budget { crashes: 0, losses: 0, lates: 0, reroutes: 0, aways: 0, edits: 0, wrongs: 0 };

fn size(schedulers: u8, writers: u8, budget: Budget) -> Renewal {
    let guards = Guards::ALL;
    Renewal {
        schedulers,
        writers,
        last: 2,
        in_target: false,
        begins_with_token: true,
        budget,
        guards,
    }
}

/// Two schedulers that both believe the Secret is theirs, and a process that dies at any moment.
fn two_owners() -> Renewal {
    size(2, 1, Budget { crashes: 2, lates: 1, ..NONE })
}

/// Orders go to two secret-writers, and one of them or a patch of theirs is late.
fn two_writers() -> Renewal {
    size(2, 2, Budget { reroutes: 1, lates: 1, crashes: 1, ..NONE })
}

/// Somebody edits the Secret, and an answer is lost.
fn edits() -> Renewal {
    size(1, 1, Budget { edits: 2, lates: 1, losses: 1, ..NONE })
}

/// The seed is away, once or twice.
fn seed_away() -> Renewal {
    size(2, 1, Budget { aways: 2, losses: 1, ..NONE })
}

/// A Secret that never had a token.
fn first_token() -> Renewal {
    let budget = Budget { edits: 1, crashes: 1, lates: 1, ..NONE };
    Renewal { begins_with_token: false, ..size(2, 1, budget) }
}

/// The token-issuer gives the wrong token.
fn wrong_token() -> Renewal {
    size(1, 1, Budget { wrongs: 1, losses: 1, ..NONE })
}

/// The token goes into the shoot.
fn target() -> Renewal {
    Renewal { in_target: true, ..size(2, 2, Budget { reroutes: 1, ..NONE }) }
}

/// The same, with one secret-writer that dies between shoot and seed.
fn target_and_crash() -> Renewal {
    Renewal { in_target: true, ..size(2, 1, Budget { crashes: 1, losses: 1, ..NONE }) }
}

fn without(what: &str, model: Renewal, guards: Guards, invariant: Invariant) {
    check::breaks(what, Renewal { guards, ..model }, invariant);
}

fn holds(what: &str, model: Renewal, states_min: usize) {
    check::holds(what, model, "a token is written", states_min);
}

#[test]
fn with_every_guard_nothing_breaks() {
    holds("two owners", two_owners(), 50_000);
    holds("two writers", two_writers(), 250_000);
    holds("edits", edits(), 300_000);
    holds("the seed is away", seed_away(), 6_000);
    holds("a wrong token", wrong_token(), 250);
}

#[test]
fn with_every_guard_a_first_token_comes() {
    holds("the first token", first_token(), 100_000);
}

#[test]
fn with_every_guard_a_target_holds_the_later_token() {
    holds("a target", target(), 50_000);
    holds("a target and a crash", target_and_crash(), 10_000);
}

#[test]
fn an_order_of_a_stale_view_asks_for_a_token_between_renewals() {
    let guards = Guards { digest: false, ..Guards::ALL };
    without("no digest", two_owners(), guards, Invariant::NoCallBetweenRenewals);
}

#[test]
fn two_renewals_of_one_secret_at_a_time_cost_a_token_without_a_cause() {
    let guards = Guards { one_at_a_time: false, ..Guards::ALL };
    without("two at a time", two_owners(), guards, Invariant::ExtraTokensWithinTheFailureTable);
}

#[test]
fn without_a_look_a_seed_that_is_away_costs_a_token_with_each_order() {
    let guards = Guards { look_in_doubt: false, ..Guards::ALL };
    without("no look", seed_away(), guards, Invariant::ExtraTokensWithinTheFailureTable);
}

#[test]
fn a_token_that_nobody_checks_replaces_one_that_fits() {
    let guards = Guards { check: false, ..Guards::ALL };
    let broken = Invariant::NoUsableTokenReplacedByOneThatDoesNotFit;
    without("no check", wrong_token(), guards, broken);
}

#[test]
fn a_patch_without_tests_replaces_what_it_did_not_see() {
    let guards = Guards { patch_tests: false, ..Guards::ALL };
    let broken = Invariant::NoUsableTokenReplacedByOneThatDoesNotFit;
    without("no tests", edits(), guards, broken);
    without("no tests, two writers", two_writers(), guards, broken);
}

#[test]
fn in_a_target_an_earlier_token_replaces_a_later_one_unless_that_wins() {
    let guards = Guards { later_wins: false, ..Guards::ALL };
    let broken = Invariant::NoUsableTokenReplacedByOneThatDoesNotFit;
    without("the last one wins", target(), guards, broken);
}

#[test]
fn a_patch_of_a_target_without_tests_replaces_a_later_token() {
    let guards = Guards { target_tests: false, ..Guards::ALL };
    let broken = Invariant::NoUsableTokenReplacedByOneThatDoesNotFit;
    without("no tests in the target", target(), guards, broken);
}
