//! Hand-over between replicas of the scheduler, with every guard and without each.

use perennial_core::invariants::Invariant;
use perennial_model::{
    check,
    handover::{Budget, Guards, HandOver},
};

const NONE: Budget = Budget { crashes: 0, starts: 0, pauses: 0, aways: 0 };

fn size(replicas: u8, running: u8, budget: Budget) -> HandOver {
    HandOver { replicas, running, budget, guards: Guards::ALL }
}

/// One dies, and starts again.
fn crash() -> HandOver {
    size(2, 2, Budget { crashes: 1, starts: 1, ..NONE })
}

/// One joins, and one stands still meanwhile.
fn join_and_pause() -> HandOver {
    let running = size(2, 2, Budget { pauses: 1, crashes: 1, starts: 1, ..NONE });
    HandOver { running: 2, ..running }
}

/// Two start at once, where nobody was.
fn both_start() -> HandOver {
    size(2, 0, Budget { starts: 3, crashes: 1, ..NONE })
}

/// The seed is away for a time, and one dies meanwhile or starts.
fn seed_away() -> HandOver {
    size(2, 2, Budget { aways: 1, crashes: 1, starts: 1, ..NONE })
}

fn without(what: &str, model: HandOver, guards: Guards, invariant: Invariant) {
    check::breaks(what, HandOver { guards, ..model }, invariant);
}

fn holds(what: &str, model: HandOver, states_min: usize) {
    check::holds(what, model, "another one serves", states_min);
}

#[test]
fn with_every_guard_one_replica_orders_and_soon_another() {
    holds("one dies and starts again", crash(), 100);
    holds("one stands still", join_and_pause(), 100);
    holds("both start", both_start(), 100);
    holds("the seed is away", seed_away(), 100);
}

#[test]
fn a_joiner_that_does_not_settle_orders_beside_who_has_not_seen_it() {
    let guards = Guards { settles: false, ..Guards::ALL };
    without("no settling", both_start(), guards, Invariant::OneOwnerAtATime);
}

#[test]
fn who_stood_still_and_does_not_look_anew_orders_beside_who_took_over() {
    let guards = Guards { rereads: false, ..Guards::ALL };
    without("no look anew", join_and_pause(), guards, Invariant::OneOwnerAtATime);
}

#[test]
fn a_loser_that_goes_on_orders_beside_the_winner() {
    let guards = Guards { stops: false, ..Guards::ALL };
    without("no stopping", both_start(), guards, Invariant::OneOwnerAtATime);
}

#[test]
fn a_dead_replica_that_is_not_counted_out_keeps_its_shoots() {
    let guards = Guards { counts_out: false, ..Guards::ALL };
    without("no counting out", crash(), guards, Invariant::HandOverInTime);
}
