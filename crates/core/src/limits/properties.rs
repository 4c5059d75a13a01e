use proptest::prelude::*;

use super::*;

const MOST: Most = Most { in_flight: 8, per_second: 50.0 };

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn answers() -> impl Strategy<Value = Vec<(Answer, u64)>> {
    let answer = prop::sample::select(vec![
        Answer::Quick,
        Answer::Slow,
        Answer::TimedOut,
        Answer::Throttled,
    ]);
    prop::collection::vec((answer, 0_u64..4), 0..200)
}

proptest! {
    #[test]
    fn limits_stay_between_one_and_the_most_and_health_brings_them_back(
        answers in answers(), steps in prop::collection::vec(-100_000_i64..100_000, 200),
    ) {
        let (mut gate, mut newest, mut now) = (Gate::default(), 0, 0);
        for ((answer, more), step) in answers.into_iter().zip(steps) {
            newest += 1 + more;
            now += step;
            gate.rate.set_back(millis(now));
            let turn = Turn { call: newest - more, newest };
            gate.hear(millis(now), turn, answer, MOST);
            let limit = gate.concurrency.limit(MOST.in_flight);
            let rate = gate.rate.per_second(millis(now), MOST.per_second);
            prop_assert!((1..=MOST.in_flight).contains(&limit));
            prop_assert!((1.0..=MOST.per_second).contains(&rate));
        }
        for _ in 0..32 {
            newest += 1;
            gate.hear(millis(now), Turn { call: newest, newest }, Answer::Quick, MOST);
        }
        prop_assert_eq!(gate.concurrency.limit(MOST.in_flight), MOST.in_flight);
        let after = gate.rate.per_second(millis(now + 60_000), MOST.per_second);
        prop_assert_eq!(after, MOST.per_second, "2^6 times what is at least 1");
    }

    #[test]
    fn in_no_stretch_of_time_more_goes_than_the_rate_and_one_burst(
        steps in prop::collection::vec(0_i64..400, 1..400), most in 1_u32..60,
    ) {
        let (mut rate, mut now, mut went) = (Rate::default(), 0, Vec::new());
        let most = f64::from(most);
        for step in steps {
            now += step;
            while rate.admits(millis(now), most) {
                rate.spend(millis(now), most);
                went.push(now);
            }
        }
        for (first, from) in went.iter().enumerate() {
            for (last, to) in went.iter().enumerate().skip(first) {
                let seconds = (to - from) as f64 / 1_000.0;
                let count = (last - first + 1) as f64;
                prop_assert!(count <= most * seconds + most.max(1.0) + 1e-6);
            }
        }
    }

    #[test]
    fn a_rate_always_admits_within_a_second_whatever_the_clock_did(
        steps in prop::collection::vec(-10_000_000_i64..10_000_000, 1..50), most in 1_u32..100,
    ) {
        let (mut rate, mut now) = (Rate::default(), 0);
        let most = f64::from(most);
        for step in steps {
            now += step;
            rate.set_back(millis(now));
            let mut went = 0.0;
            while rate.admits(millis(now), most) {
                rate.spend(millis(now), most);
                went += 1.0;
            }
            prop_assert!(went <= most, "one burst");
            prop_assert!(rate.admits(millis(now + 1_000), most));
        }
    }
}
