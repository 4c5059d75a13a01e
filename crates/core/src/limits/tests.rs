use super::*;
use crate::{fixtures::at, shoot::ShootId};

const MOST: Most = Most { in_flight: 8, per_second: 100.0 };

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

/// A gate and calls that are answered one after the other.
struct Calls {
    gate: Gate,
    made: u64,
}

impl Calls {
    fn new() -> Self {
        Self { gate: Gate::default(), made: 0 }
    }

    fn answered(&mut self, seconds: i64, answer: Answer) -> usize {
        self.made += 1;
        let turn = Turn { call: self.made, newest: self.made };
        self.gate.hear(at(seconds), turn, answer, MOST);
        self.gate.concurrency.limit(MOST.in_flight)
    }
}

#[test]
fn a_limit_is_halved_by_a_throttle_falls_to_one_with_a_timeout_and_comes_back() {
    let mut calls = Calls::new();
    assert_eq!(calls.answered(0, Answer::Quick), 8);
    assert_eq!(calls.answered(0, Answer::Throttled), 4);
    assert_eq!(calls.answered(0, Answer::Slow), 3);
    assert_eq!(calls.answered(0, Answer::TimedOut), 1);
    assert_eq!(calls.answered(0, Answer::Throttled), 1, "never less");
    assert_eq!(calls.gate.concurrency.slowed(8), Some(Answer::Throttled));
    let limits: Vec<_> = (0..32).map(|_| calls.answered(0, Answer::Quick)).collect();
    assert_eq!((limits[0], limits[31]), (2, 8), "{limits:?}");
    assert_eq!(calls.gate.concurrency.slowed(8), None);
}

#[test]
fn what_was_under_way_when_a_limit_was_cut_does_not_cut_it_again() {
    let mut gate = Gate::default();
    let hear = |gate: &mut Gate, call, newest| {
        gate.hear(at(0), Turn { call, newest }, Answer::Throttled, MOST);
        gate.concurrency.limit(8)
    };
    assert_eq!([1, 2, 3, 8].map(|call| hear(&mut gate, call, 8)), [4; 4]);
    assert_eq!(hear(&mut gate, 9, 9), 2);
}

#[test]
fn a_throttled_rate_is_half_of_what_went_and_doubles_in_ten_seconds() {
    let mut calls = Calls::new();
    for n in 0..1_000 {
        let now = millis(n * 25); // 40 a second
        assert!(calls.gate.rate.admits(now, MOST.per_second));
        calls.gate.rate.spend(now, MOST.per_second);
    }
    let begin = 1_000 * 25 / 1_000;
    calls.answered(begin, Answer::Throttled);
    let rate = |seconds| calls.gate.rate.per_second(at(begin + seconds), MOST.per_second);
    assert!((19.0..21.0).contains(&rate(0)), "{}", rate(0));
    assert!((39.0..41.0).contains(&rate(10)), "{}", rate(10));
    assert_eq!(rate(60), 100.0);
}

#[test]
fn a_clock_that_is_set_back_neither_freezes_a_rate_nor_opens_it() {
    let mut rate = Rate::default();
    let drain = |rate: &mut Rate, now: i64| {
        let went = std::iter::from_fn(|| {
            let admits = rate.admits(at(now), 10.0);
            admits.then(|| rate.spend(at(now), 10.0))
        });
        went.count()
    };
    assert_eq!(drain(&mut rate, 10_000), 10, "a burst");
    rate.set_back(at(0));
    assert_eq!(drain(&mut rate, 0), 0, "no time has passed");
    assert_eq!(drain(&mut rate, 1), 10, "it goes on from there");
    assert_eq!(drain(&mut rate, 1_000_000), 10, "and forward is one burst");
}

#[test]
fn patience_is_a_multiple_of_what_is_usual() {
    let mut usual = Usual::default();
    assert_eq!(usual.patience(usual), PATIENCE_UNKNOWN);
    usual.take_in(Duration::from_millis(20));
    assert_eq!(usual.patience(usual), PATIENCE_MIN);
    assert_eq!(Usual::default().patience(usual), PATIENCE_MIN, "what others take");
    (0..200).for_each(|_| usual.take_in(Duration::from_millis(400)));
    let learned = usual.patience(usual);
    assert!(learned > Duration::from_millis(1_100), "whoever stays slow is used to: {learned:?}");
    usual.take_in(Duration::from_secs(86_400));
    assert!(usual.patience(usual) <= PATIENCE_MAX, "a clock was set");
    (0..10).for_each(|_| usual.take_in(Duration::from_millis(20)));
    assert_eq!(usual.patience(usual), PATIENCE_MIN, "and soon forgotten");
}

#[test]
fn only_what_is_slow_everywhere_is_the_fault_of_what_all_share() {
    let shoot = |n: usize| -> ShootId { format!("shoot-{n}").parse().unwrap() };
    let mut crowd = Crowd::default();
    let mut hear = |n: usize, answer| crowd.hear(&shoot(n), answer);
    assert!((0..100).all(|_| hear(1, Answer::Slow).is_none()), "one shoot");
    assert_eq!(hear(2, Answer::Quick), Some(Answer::Quick));
    assert!((0..15).all(|n| hear(n % 3, Answer::Slow).is_none()));
    assert_eq!(hear(1, Answer::Slow), Some(Answer::Slow));
    assert_eq!(hear(1, Answer::Slow), None, "counted anew");
}
