//! A scheduler that starts anew knows records and shoots alone.

use super::*;

/// Runs until all is done, asking again with the same generation as whoever lost the stream does.
fn finish(stage: &mut Stage) {
    stage.revoke(1, None).unwrap();
    let end = stage.world.now + 2 * HOUR;
    while !matches!(stage.phase(), Phase::Done { .. }) {
        let next = stage.world.now + 1;
        assert!(next < end, "{:?} {:?}", stage.progress(), stage.numbers());
        stage.run_to(next);
    }
}

#[test]
fn d_a_crash_at_each_step_is_resumed_and_costs_one_token_at_most() {
    for grace in [0, 240] {
        for (step, crash, in_vain) in [
            (0, Crash::Ordered, 0),
            (0, Crash::InShoot, 1),
            (0, Crash::Written, 0),
            (1, Crash::Ordered, 0),
            (1, Crash::InShoot, 0),
        ] {
            for scheduler_too in [false, true] {
                let case = format!("grace {grace}, step {step}, {crash:?}, {scheduler_too}");
                let mut stage = Stage::new();
                stage.revoke(0, Some(grace)).unwrap();
                if step == 1 {
                    let order = stage.order(HOUR);
                    let answer = stage.carry_out(&order, None).unwrap();
                    stage.world.end(&order, Ok(answer.record));
                    stage.show();
                }
                let order = stage.order(HOUR);
                let is_deletion = order.reason == Reason::GenerationLeft;
                assert_eq!((is_deletion, stage.carry_out(&order, Some(crash))), (step == 1, None));
                match scheduler_too {
                    true => stage.restart(),
                    false => {
                        stage.lose(&order);
                        stage.show();
                    }
                }
                finish(&mut stage);
                assert_eq!(stage.tokens, 1 + in_vain, "{case}");
                assert_eq!(stage.numbers(), [2], "{case}");
            }
        }
    }
}

#[test]
fn d_what_has_begun_in_the_shoot_goes_on_though_nobody_asks_again() {
    for crash in [Crash::InShoot, Crash::Written] {
        let mut stage = Stage::new();
        stage.revoke(0, Some(60)).unwrap();
        let order = stage.order(HOUR);
        stage.carry_out(&order, Some(crash));
        stage.restart();
        stage.run_to(158);
        assert_eq!(stage.numbers(), [1, 2], "{crash:?}: the grace stands in the shoot or the note");
        stage.run_to(170);
        assert_eq!(stage.numbers(), [2], "{crash:?}");
        assert_eq!(bound_to(&stage.record), Some(2));
    }
}

#[test]
fn d_a_scheduler_that_starts_anew_during_the_grace_joins_it_and_revokes_nothing_twice() {
    let mut stage = Stage::new();
    stage.revoke(0, None).unwrap();
    stage.run_to(150);
    stage.restart();
    assert_eq!(stage.revoke(0, None), Ok(1), "the one that is under way, not the new token");
    stage.world.tick_at(150);
    assert_eq!(stage.phase(), Phase::Grace);
    stage.run_to(HOUR);
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]));
}

#[test]
fn d_a_token_that_was_taken_away_meanwhile_comes_back_as_one_of_the_next_generation() {
    let mut stage = Stage::new();
    stage.record = revocable(NAME);
    stage.restart();
    assert_eq!(stage.revoke(0, Some(0)), Ok(1), "whoever has a copy has it of the newest");
    stage.run_to(700);
    assert_eq!(stage.numbers(), [2]);
}

#[derive(Clone, Debug)]
enum Step {
    Later(i64),
    Ask(Option<u64>),
    Restart,
    /// The next order, if one comes, ends like this.
    Crash(Crash, bool),
}

fn steps() -> impl Strategy<Value = Step> {
    let crash = prop::sample::select(vec![Crash::Ordered, Crash::InShoot, Crash::Written]);
    prop_oneof![
        3 => (1_i64..200).prop_map(Step::Later),
        2 => prop::option::of(0_u64..400).prop_map(Step::Ask),
        1 => Just(Step::Restart),
        3 => (crash, any::<bool>()).prop_map(|(crash, both)| Step::Crash(crash, both)),
    ]
}

proptest! {
    #[test]
    fn d_whatever_crashes_old_tokens_go_and_a_crash_costs_one_token_at_most(
        steps in prop::collection::vec(steps(), 0..12),
    ) {
        let mut stage = Stage::new();
        let mut crashes = 0;
        stage.revoke(1, None).unwrap();
        for step in steps {
            match step {
                Step::Later(seconds) => stage.run_to(stage.world.now + seconds),
                Step::Ask(grace) => drop(stage.revoke(1, grace)),
                Step::Restart => stage.restart(),
                Step::Crash(crash, both) => {
                    let soon = stage.world.now + 300;
                    let Some((_, order)) = stage.world.next_order(soon) else { continue };
                    crashes += 1;
                    prop_assert_eq!(stage.carry_out(&order, Some(crash)), None);
                    if both { stage.restart() } else { stage.lose(&order) }
                    stage.show();
                }
            }
            prop_assert!(stage.tokens <= 1 + crashes, "{} of {crashes}", stage.tokens);
        }
        finish(&mut stage);
        prop_assert_eq!(stage.numbers(), vec![2]);
        prop_assert!(stage.tokens <= 1 + crashes);
    }
}
