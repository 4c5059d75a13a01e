//! No storm (B12): each known way into a loop, played for twenty minutes by the clock.
//!
//! Scheduler and secret-writer are the real ones, fleet and renewals, without a network between
//! them ([`world`]); seed and shoot are a few lines each ([`ground`]). A scheduler that orders without end is
//! played in the secret-writer's own tests, because a real one does not.

mod ground;
mod world;

use perennial_core::{keys, name::SecretRef};

use self::{
    ground::stranger_token,
    world::{Watch, World},
};

/// Most tokens for one Secret in twenty minutes where somebody strikes back at once (B12).
const TOKENS_MAX: usize = 8;
/// Most with any other rhythm, or where another token is asked for on the Secret: an allowance of
/// eight comes at once beside them.
const TOKENS_MAX_WITH_ALLOWANCE: usize = 8 + TOKENS_MAX;
const MINUTES: i64 = 20;
/// How far off a clock is, in seconds.
const THIRTEEN_HOURS: i64 = 13 * 60 * 60;
/// When it jumps, in seconds from the begin.
const JUMP_AT: i64 = 5 * 60;

/// Plays the twenty minutes and returns the seconds at which tokens were issued.
async fn play(world: &mut World, act: impl FnMut(&mut World, i64)) -> Vec<i64> {
    play_from(0, world, act).await
}

/// The same behind a calm of so many seconds, which `act` ends; the token of the calm is one more.
async fn play_from(calm: i64, world: &mut World, mut act: impl FnMut(&mut World, i64)) -> Vec<i64> {
    for half in 0..(calm + MINUTES * 60) * 2 {
        world.advance_to(half);
        act(world, half);
        world.settle().await;
    }
    world.issued()
}

#[track_caller]
fn no_storm(what: &str, issued: &[i64]) {
    assert!(issued.len() <= TOKENS_MAX, "{what}: {} tokens, at {issued:?}", issued.len());
}

#[tokio::test]
async fn b12_another_controller_with_another_audience_gets_no_storm_whatever_its_rhythm() {
    for period in [0, 1, 2, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 200, 300, 600] {
        for removes_note in [false, true] {
            let mut world = World::new();
            let issued = play(&mut world, |world, half| {
                let its_turn = period == 0 || half % (period * 2) == 0;
                if its_turn && world.holds_ours() {
                    world.edit(|object| {
                        object.token = Some(stranger_token());
                        if removes_note {
                            object.annotations.remove(keys::ISSUED);
                        }
                    });
                }
            })
            .await;
            let what = format!("every {period} s, removes the note: {removes_note}");
            assert!(issued.len() > 1, "it is a fight; {what}: {issued:?}");
            if period == 0 {
                no_storm(&what, &issued);
            }
            let most = TOKENS_MAX_WITH_ALLOWANCE;
            assert!(issued.len() <= most, "{what}: {} tokens, at {issued:?}", issued.len());
        }
    }
}

#[tokio::test]
async fn b12_restarts_during_a_fight_reset_nothing() {
    let mut world = World::new();
    let issued = play(&mut world, |world, half| {
        if half % 40 == 0 {
            world.restart();
        }
        if world.holds_ours() {
            world.edit(|object| object.token = Some(stranger_token()));
        }
    })
    .await;
    no_storm("a restart every 20 s", &issued);
    assert!(issued.len() > 4, "{issued:?}");
}

#[tokio::test]
async fn b12_a_clock_that_is_thirteen_hours_off_makes_no_storm() {
    for skew in [THIRTEEN_HOURS, -THIRTEEN_HOURS] {
        for known in [true, false] {
            let mut world = World::new();
            world.skew(skew);
            world.shows_its_clock(known);
            let issued = play(&mut world, |_, _| {}).await;
            let what = format!("our clock {skew} s ahead of the shoot's, known: {known}");
            // Each token seems to be at its end and stands: nothing tells that from a new cause.
            assert!(issued.len() <= TOKENS_MAX_WITH_ALLOWANCE, "{what}: {issued:?}");
            if known || skew < 0 {
                assert_eq!(issued, [0], "{what}");
            }
        }
    }
}

#[tokio::test]
async fn b12_a_clock_that_jumps_while_we_run_makes_no_storm() {
    for jump in [THIRTEEN_HOURS, -THIRTEEN_HOURS] {
        for known in [true, false] {
            let mut world = World::new();
            world.shows_its_clock(known);
            let issued = play_from(JUMP_AT, &mut world, |world, half| {
                if half == JUMP_AT * 2 {
                    world.skew(jump);
                }
            })
            .await;
            assert_eq!(issued[0], 0, "the token of the calm");
            let after = &issued[1..];
            assert!(
                after.len() <= TOKENS_MAX_WITH_ALLOWANCE,
                "{jump} s, known: {known}: {after:?}"
            );
        }
    }
}

/// Two of the ways at once. To a clock that jumps ahead hours have passed, and nothing on the
/// Secret says otherwise: such a jump lets a fight begin anew, once.
#[tokio::test]
async fn b12_a_jump_of_the_clock_during_a_fight_lets_it_begin_anew_at_most_once() {
    for jump in [THIRTEEN_HOURS, -THIRTEEN_HOURS] {
        for removes_note in [false, true] {
            let mut world = World::new();
            let issued = play(&mut world, |world, half| {
                if half == JUMP_AT * 2 {
                    world.skew(jump);
                }
                if world.holds_ours() {
                    world.edit(|object| {
                        object.token = Some(stranger_token());
                        if removes_note {
                            object.annotations.remove(keys::ISSUED);
                        }
                    });
                }
            })
            .await;
            let jumped = issued.partition_point(|second| *second < JUMP_AT);
            let (before, after) = issued.split_at(jumped);
            let what = format!("a jump of {jump} s, removes the note: {removes_note}");
            no_storm(&format!("before {what}"), before);
            no_storm(&format!("after {what}"), after);
            if jump < 0 {
                assert!(issued.len() <= TOKENS_MAX + 1, "it costs one token; {what}: {issued:?}");
            }
        }
    }
}

#[tokio::test]
async fn b12_a_clock_that_jumps_to_and_fro_makes_no_storm() {
    let mut world = World::new();
    let issued = play(&mut world, |world, half| {
        if half % (60 * 2) == 0 {
            let even = half / (60 * 2) % 2 == 0;
            world.skew(if even { 0 } else { THIRTEEN_HOURS });
        }
    })
    .await;
    no_storm("13 h ahead every other minute", &issued);
}

#[tokio::test]
async fn b12_a_key_set_that_flips_costs_no_token() {
    let mut world = World::new();
    let issued = play(&mut world, |world, half| {
        let minute = half / (60 * 2); // each poll sees another one
        world.shows_keys(if minute % 2 == 0 { &["key-1", "key-2"] } else { &["key-3"] });
    })
    .await;
    assert_eq!(issued, [0]);
}

#[tokio::test]
async fn b12_a_watch_that_stands_still_makes_no_storm() {
    for watch in [Watch::Frozen, Watch::FrozenAndRestarting] {
        let mut world = World::new();
        world.watch(watch);
        let issued = play(&mut world, |_, _| {}).await;
        no_storm(&format!("{watch:?}"), &issued);
    }
}

/// The account is being deleted and a finalizer holds it: TokenRequest answers, and every token is
/// refused. Nothing here can know; whoever uses the Secret may ask for another token each time.
#[tokio::test]
async fn b12_tokens_of_an_account_that_is_terminating_make_no_storm() {
    let mut world = World::new();
    let quiet = play(&mut world, |_, _| {}).await;
    assert_eq!(quiet, [0], "nobody here tries a token");

    let mut world = World::new();
    let issued = play(&mut world, |world, _| {
        if world.holds_ours() {
            world.edit(|object| drop(object.annotations.remove(keys::RENEW_TIMESTAMP)));
        }
    })
    .await;
    // One each half second while the allowance lasts.
    assert_eq!(issued[..9], [0, 0, 1, 1, 2, 2, 3, 3, 4], "the timestamp is removed each time");
    assert_eq!(issued.len(), TOKENS_MAX_WITH_ALLOWANCE, "{issued:?}");

    let mut world = World::new();
    let secret: SecretRef = world.secret();
    let issued = play(&mut world, |world, _| drop(world.request(&secret))).await;
    // What is not asked for on the Secret comes when the last token has stood for two seconds.
    let expected = [0, 0, 2, 4, 6, 8, 10, 12, 14, 16, 26, 46, 86, 166, 326, 646];
    assert_eq!(issued, expected, "an operator who asks every half second");
}
