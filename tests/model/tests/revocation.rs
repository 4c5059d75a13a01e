//! The revocation, with every guard and without each.

use perennial_core::invariants::Invariant;
use perennial_model::{
    check,
    revocation::{Budget, Guards, Revoking, Wish},
};

const NONE: Budget = Budget {
    crashes: 0,
    losses: 0,
    lates: 0,
    reroutes: 0,
    aways: 0,
    strangers: 0,
    edits: 0,
    interrupts: 0,
    lags: 0,
    stolen: 0,
};

/// All tokens up to that generation, 0 for the present one, with a grace of so many ticks.
const fn wish(generation: u8, grace: u8) -> Wish {
    Wish { generation, grace: Some(grace) }
}

/// The present one, and nothing is said of a grace.
const USUAL: Wish = Wish { generation: 0, grace: None };

fn size(schedulers: u8, writers: u8, wishes: &[Wish], budget: Budget) -> Revoking {
    let (guards, wishes) = (Guards::ALL, wishes.to_vec());
    Revoking { schedulers, writers, last: 3, begins_due: false, wishes, budget, guards }
}

/// Two schedulers that both believe the shoot is theirs, and nothing fails.
fn two_owners() -> Revoking {
    size(2, 1, &[wish(0, 1)], NONE)
}

/// The same, and a process dies at any moment, and an order or a patch is late.
fn two_owners_and_a_crash() -> Revoking {
    size(2, 1, &[wish(0, 1)], Budget { crashes: 1, lates: 1, ..NONE })
}

/// An order goes to the other secret-writer, and something is late.
fn two_writers() -> Revoking {
    let budget = Budget { reroutes: 1, lates: 1, ..NONE };
    Revoking { last: 2, ..size(2, 2, &[wish(0, 0)], budget) }
}

/// Nobody is there any more who asked, and a process died.
fn nobody_asks_again() -> Revoking {
    size(1, 1, &[wish(0, 1)], Budget { crashes: 1, interrupts: 1, ..NONE })
}

/// A token is due in the moment in which it is revoked, and what is written is late.
fn due_and_late() -> Revoking {
    Revoking { begins_due: true, ..size(1, 1, &[wish(0, 0)], Budget { lates: 1, ..NONE }) }
}

/// Somebody has a token renewed in the grace.
fn renewed_in_the_grace() -> Revoking {
    let budget = Budget { edits: 1, crashes: 1, interrupts: 1, ..NONE };
    Revoking { last: 4, ..size(1, 1, &[wish(0, 1)], budget) }
}

/// A second revocation in the grace of the first.
fn second() -> Revoking {
    let budget = Budget { crashes: 1, interrupts: 1, ..NONE };
    Revoking { last: 4, ..size(1, 1, &[wish(0, 1), wish(2, 2)], budget) }
}

/// The first one at once, and the second, at the other scheduler, with a grace.
fn second_elsewhere() -> Revoking {
    let wishes = [wish(0, 0), Wish { generation: 2, ..USUAL }];
    Revoking { last: 2, ..size(2, 1, &wishes, Budget { losses: 1, ..NONE }) }
}

/// A long grace, which another command shortens.
fn shortened() -> Revoking {
    let budget = Budget { crashes: 1, interrupts: 1, ..NONE };
    Revoking { last: 4, ..size(1, 1, &[wish(0, 3), wish(1, 1)], budget) }
}

/// A long grace, and whoever takes it up finds nothing but what stands in the shoot.
fn long() -> Revoking {
    let budget = Budget { crashes: 2, interrupts: 1, ..NONE };
    Revoking { last: 4, ..size(1, 1, &[wish(0, 3)], budget) }
}

/// The usual grace, and a longer one that another command asks for.
fn longer() -> Revoking {
    Revoking { last: 4, ..size(1, 1, &[USUAL, wish(0, 3)], NONE) }
}

/// Answers are lost, and an operator asks anew.
fn lost_answers() -> Revoking {
    size(1, 1, &[wish(0, 1), wish(0, 0)], Budget { losses: 2, interrupts: 1, ..NONE })
}

/// Seed or shoot is away, twice.
fn away() -> Revoking {
    size(2, 1, &[wish(0, 1)], Budget { aways: 2, losses: 1, ..NONE })
}

/// A stranger deletes a generation.
fn stranger() -> Revoking {
    size(1, 1, &[wish(0, 0)], Budget { strangers: 1, ..NONE })
}

/// The same, and a process dies.
fn stranger_and_a_crash() -> Revoking {
    size(1, 1, &[wish(0, 1)], Budget { strangers: 1, crashes: 1, ..NONE })
}

/// A stream is behind by more than the product doubts it.
fn behind() -> Revoking {
    size(2, 1, &[wish(0, 1)], Budget { lags: 1, crashes: 1, ..NONE })
}

/// A scheduler was stolen.
fn stolen() -> Revoking {
    size(1, 1, &[wish(0, 1)], Budget { stolen: 1, ..NONE })
}

fn without(what: &str, model: Revoking, guards: Guards, invariant: Invariant) {
    check::breaks(what, Revoking { guards, ..model }, invariant);
}

fn holds(what: &str, model: Revoking, states_min: usize) {
    check::holds(what, model, "a generation is revoked", states_min);
}

#[test]
fn with_every_guard_one_revocation_comes_to_its_end() {
    holds("two owners", two_owners(), 500);
    holds("two owners and a crash", two_owners_and_a_crash(), 100_000);
    holds("two writers", two_writers(), 150_000);
    holds("nobody asks again", nobody_asks_again(), 1_000);
    holds("due and late", due_and_late(), 4_000);
    holds("renewed in the grace", renewed_in_the_grace(), 30_000);
    holds("a stream is behind", behind(), 40_000);
}

#[test]
fn with_every_guard_each_generation_goes_when_it_was_promised_to() {
    holds("a second one", second(), 100_000);
    holds("a second one elsewhere", second_elsewhere(), 100_000);
    holds("shortened", shortened(), 50_000);
    holds("a long grace", long(), 40_000);
    holds("a longer one", longer(), 400);
}

#[test]
fn with_every_guard_what_is_away_lost_or_taken_is_made_good() {
    holds("lost answers", lost_answers(), 200_000);
    holds("seed or shoot is away", away(), 40_000);
    holds("a stranger", stranger(), 1_500);
    holds("a stranger and a crash", stranger_and_a_crash(), 30_000);
    holds("a stolen scheduler", stolen(), 200);
}

#[test]
fn an_order_of_a_stale_view_costs_a_token_without_a_cause() {
    let guards = Guards { digest: false, ..Guards::ALL };
    without("no digest", two_owners(), guards, Invariant::ExtraTokensWithinTheFailureTable);
}

#[test]
fn two_orders_of_one_secret_at_a_time_cost_a_token_without_a_cause() {
    let guards = Guards { one_at_a_time: false, ..Guards::ALL };
    without("two at a time", two_owners(), guards, Invariant::ExtraTokensWithinTheFailureTable);
}

#[test]
fn a_late_patch_without_tests_brings_a_token_back_that_was_revoked() {
    let guards = Guards { patch_tests: false, ..Guards::ALL };
    without("no tests", due_and_late(), guards, Invariant::NoUsableTokenRevoked);
}

#[test]
fn what_nobody_takes_up_who_did_not_begin_it_is_never_done() {
    let guards = Guards { resumes: false, ..Guards::ALL };
    without("not taken up", nobody_asks_again(), guards, Invariant::EverySecretEndsUpRenewed);
}

#[test]
fn who_counts_only_what_is_there_makes_a_revoked_generation_again() {
    let guards = Guards { least: false, ..Guards::ALL };
    without("no least", stranger(), guards, Invariant::NoRevokedGenerationMadeAgain);
}

#[test]
fn a_deletion_that_does_not_say_up_to_where_takes_what_has_a_grace() {
    let guards = Guards { up_to: false, ..Guards::ALL };
    without("all older ones", second(), guards, Invariant::GraceRespected);
}

#[test]
fn a_stolen_scheduler_has_the_token_revoked_that_stands_unless_it_is_kept() {
    let guards = Guards { keeps_own: false, ..Guards::ALL };
    without("its own too", stolen(), guards, Invariant::NoUsableTokenRevoked);
}

#[test]
fn a_note_that_forgets_what_was_promised_prolongs_it() {
    let guards = Guards { keeps_ends: false, ..Guards::ALL };
    without("one end for all", second(), guards, Invariant::EverySecretEndsUpRenewed);
}

#[test]
fn who_takes_it_up_and_does_not_find_the_grace_in_the_shoot_cuts_it_short() {
    let guards = Guards { grace_on_generation: false, ..Guards::ALL };
    without("no grace in the shoot", long(), guards, Invariant::GraceRespected);
}

#[test]
fn a_grace_of_an_older_generation_cuts_that_of_a_newer_one_short() {
    let guards = Guards { grace_of_its_own: false, ..Guards::ALL };
    without("any grace", second_elsewhere(), guards, Invariant::GraceRespected);
}

#[test]
fn a_longer_grace_prolongs_the_usual_one_unless_the_shortest_wins() {
    let guards = Guards { shortest_wins: false, ..Guards::ALL };
    without("the last one wins", longer(), guards, Invariant::EverySecretEndsUpRenewed);
}
