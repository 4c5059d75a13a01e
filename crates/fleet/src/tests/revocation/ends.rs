//! Each generation goes by its own end, whatever is revoked afterwards.

use std::collections::BTreeMap;

use perennial_core::generation::ENDS_MAX;

use super::*;

#[test]
fn d_a_second_revocation_with_a_longer_grace_does_not_prolong_the_first() {
    for restarts in [false, true] {
        let mut stage = Stage::new();
        stage.revoke(0, Some(12)).unwrap();
        stage.run_to(103);
        assert_eq!(stage.numbers(), [1, 2]);
        assert_eq!(stage.revoke(2, Some(45)), Ok(2));
        stage.run_to(105);
        assert_eq!(stage.numbers(), [1, 2, 3]);
        if restarts {
            stage.restart();
        }
        stage.run_to(112);
        assert_eq!(stage.numbers(), [1, 2, 3]);
        stage.run_to(115);
        assert_eq!(stage.numbers(), [2, 3], "by what was promised first; restarts: {restarts}");
        stage.run_to(148);
        assert_eq!(stage.numbers(), [2, 3], "and the second keeps its own grace");
        stage.run_to(151);
        assert_eq!(stage.numbers(), [3]);
        assert_eq!(stage.tokens, 2);
    }
}

#[test]
fn d_what_is_done_up_to_the_first_is_not_what_was_asked_for_the_second() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(12)).unwrap();
    stage.run_to(103);
    stage.revoke(2, Some(45)).unwrap();
    stage.run_to(120);
    assert_eq!(stage.numbers(), [2, 3]);
    let progress = stage.progress();
    assert_eq!((progress.phase, progress.generation), (Phase::Grace, 2), "{progress:?}");
    stage.run_to(160);
    assert_eq!(stage.phase(), Phase::Done { refused: true });
}

#[test]
fn d_a_grace_that_was_shortened_is_noted_and_kept_by_whoever_starts_anew() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(600)).unwrap();
    stage.run_to(110);
    stage.revoke(0, Some(60)).unwrap();
    let order = stage.order(115);
    assert_eq!(order.reason, Reason::GraceShortened);
    let answer = stage.carry_out(&order, None).unwrap();
    stage.world.end(&order, Ok(answer.record));
    stage.show();
    assert_eq!(stage.world.next_order(150).map(|(_, order)| order.reason), None, "once");
    stage.restart();
    stage.run_to(160);
    assert_eq!(stage.numbers(), [1, 2]);
    stage.run_to(163);
    assert_eq!(stage.numbers(), [2]);
}

#[test]
fn d_a_shortened_grace_that_is_not_noted_yet_goes_into_the_next_token() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(600)).unwrap();
    stage.run_to(110);
    stage.revoke(1, Some(60)).unwrap();
    stage.revoke(2, Some(600)).unwrap();
    let order = stage.order(115);
    assert_eq!((order.reason, order.generation), (Reason::Revoked, 3));
    stage.carry_out(&order, None).unwrap();
    stage.restart();
    stage.run_to(163);
    assert_eq!(stage.numbers(), [2, 3]);
}

#[test]
fn d_who_asks_for_the_older_ones_alone_shortens_their_grace_and_no_other() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(300)).unwrap();
    stage.run_to(103);
    stage.revoke(2, Some(300)).unwrap();
    stage.run_to(110);
    stage.revoke(1, Some(0)).unwrap();
    stage.run_to(113);
    assert_eq!(stage.numbers(), [2, 3]);
    stage.run_to(400);
    assert_eq!(stage.numbers(), [2, 3]);
    stage.run_to(410);
    assert_eq!(stage.numbers(), [3]);
}

#[test]
fn d_a_grace_counts_for_the_generations_that_it_was_asked_for_and_for_no_newer_one() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(150);
    assert_eq!(stage.numbers(), [2]);
    // Another scheduler was asked for the next one, with a grace, and came no further.
    stage.present.push(generation(3, Some(Duration::from_secs(60)), 0));
    stage.show();
    let order = stage.order(160);
    assert_eq!((order.reason, order.generation), (Reason::Revoked, 3));
    assert_eq!(order.grace, Some(Duration::from_secs(60)));
}

#[test]
fn d_who_asks_for_a_longer_grace_does_not_prolong_what_another_one_began() {
    let mut stage = Stage::new();
    stage.present.push(generation(2, Some(Duration::from_secs(5)), 0));
    stage.restart();
    stage.revoke(0, Some(600)).unwrap();
    let order = stage.order(110);
    assert_eq!((order.generation, order.grace), (2, Some(Duration::from_secs(5))));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Later(i64),
    /// So many generations before the present one.
    Ask(Number, u64),
    Restart,
}

#[derive(Clone, Copy, Debug)]
struct Promise {
    up_to: Number,
    grace: i64,
    at: i64,
}

impl Promise {
    /// The earliest and the latest moment at which what it names goes, once a newer token is written.
    /// The grace counts from then, or from the asking, where that alone is known.
    fn end(self, newer_at: &BTreeMap<Number, i64>) -> Option<(i64, i64)> {
        let newer_at = *newer_at.get(&self.up_to)?;
        Some((newer_at + self.grace, newer_at.max(self.at) + self.grace))
    }
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_i64..40).prop_map(Step::Later),
        (0_u32..3, prop_oneof![Just(0), 1_u64..300])
            .prop_map(|(back, grace)| Step::Ask(back, grace)),
        Just(Step::Restart),
    ]
}

/// Deleted at most so long after its end: the pauses between deletions grow where many are asked for.
const LATE_MAX: i64 = 40;

proptest! {
    #[test]
    fn d_no_generation_lives_longer_than_was_promised_of_it_nor_shorter(
        steps in prop::collection::vec(steps(), 1..24),
    ) {
        let mut stage = Stage::new();
        let mut promised: Vec<Promise> = Vec::new();
        let mut newer_at: BTreeMap<Number, i64> = BTreeMap::new();
        for step in steps.into_iter().chain([Step::Later(400), Step::Later(400)]) {
            let seconds = match step {
                Step::Later(seconds) => seconds,
                Step::Restart => {
                    // What was asked for and has not begun yet is asked for again by the command.
                    stage.run_to(stage.world.now + 60);
                    stage.restart();
                    0
                }
                // One more than a note can tell apart may cut one short.
                Step::Ask(0, _) if newer_at.len() >= ENDS_MAX => 1,
                Step::Ask(back, grace) => {
                    let present = bound_to(&stage.record).unwrap();
                    let up_to = present.saturating_sub(back).max(1);
                    stage.revoke(up_to, Some(grace)).unwrap();
                    promised.push(Promise { up_to, grace: grace.cast_signed(), at: stage.world.now });
                    1
                }
            };
            for _ in 0..seconds {
                stage.run_to(stage.world.now + 1);
                let (now, present) = (stage.world.now, bound_to(&stage.record).unwrap());
                (1..present).for_each(|number| {
                    newer_at.entry(number).or_insert(now);
                });
                for number in 1..present {
                    let own = promised.iter().filter(|promise| promise.up_to >= number);
                    let ends = own.filter_map(|promise| promise.end(&newer_at)).collect::<Vec<_>>();
                    let is_there = stage.numbers().contains(&number);
                    let from = ends.iter().map(|(from, _)| *from).min();
                    let until = ends.iter().map(|(_, until)| *until).min();
                    prop_assert!(!is_there || until.is_none_or(|until| now <= until + LATE_MAX),
                        "{} lives at {}: {:?}", number, now, promised);
                    prop_assert!(is_there || from.is_some_and(|from| from <= now),
                        "{} went at {}: {:?}", number, now, promised);
                }
            }
        }
        prop_assert_eq!(stage.numbers().len(), 1, "all go");
    }
}
