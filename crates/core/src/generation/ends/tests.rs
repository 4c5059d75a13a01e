use proptest::prelude::*;

use super::*;
use crate::fixtures::at;

fn end(up_to: Number, until: i64) -> End {
    End { up_to, until: at(until) }
}

fn ends(all: &[(Number, i64)]) -> Ends {
    all.iter().map(|(up_to, until)| end(*up_to, *until)).collect()
}

fn noted(number: Number, older_until: Option<i64>) -> Noted {
    let older_until = older_until.map(at);
    Noted { number, uid: "u".to_owned(), older_until, sooner: Ends::default() }
}

#[test]
fn d_a_longer_grace_of_a_newer_generation_does_not_prolong_that_of_an_older_one() {
    let both = ends(&[(1, 12), (2, 48)]);
    assert_eq!((both.of(1), both.of(2), both.of(3)), (Some(at(12)), Some(at(48)), None));
    assert_eq!((both.over(at(11)), both.over(at(12)), both.over(at(48))), (0, 1, 2));
    assert_eq!((both.next(at(11)), both.next(at(12))), (Some(at(12)), Some(at(48))));
    assert_eq!(both.next(at(48)), None);
}

#[test]
fn d_whoever_shortens_shortens_and_for_what_is_older_too() {
    let mut all = ends(&[(1, 12), (2, 48)]);
    all.add(end(2, 5));
    assert_eq!(all, ends(&[(2, 5)]), "what is older goes with it");
    all.add(end(1, 30));
    assert_eq!(all, ends(&[(2, 5)]), "a longer one changes nothing");
}

#[test]
fn d_more_ends_than_a_note_may_have_shorten_one_and_prolong_none() {
    let all = ends(&[(1, 100), (2, 200), (3, 210), (4, 400), (5, 500)]);
    assert_eq!(all, ends(&[(1, 100), (3, 200), (4, 400), (5, 500)]));
}

#[test]
fn d_what_is_over_takes_the_place_of_nothing_that_is_not() {
    let all = ends(&[(1, 10), (2, 20), (3, 30), (4, 400)]);
    assert_eq!(all.clone().settled(at(9)), all);
    assert_eq!(all.settled(at(30)), ends(&[(3, 10), (4, 400)]));
    let note = Noted { sooner: ends(&[(1, 10), (2, 20), (3, 30)]), ..noted(6, Some(405)) };
    let note = note.with(at(40), ends(&[(4, 400)]));
    assert_eq!((note.older_until, note.sooner), (Some(at(405)), ends(&[(3, 10), (4, 400)])));
}

#[test]
fn d_a_note_keeps_each_end_and_the_last_one_where_earlier_versions_look_for_it() {
    let first = noted(2, Some(12));
    let second = noted(3, Some(48)).with(at(3), first.ends(None));
    assert_eq!((second.older_until, &second.sooner), (Some(at(48)), &ends(&[(1, 12)])));
    let line = serde_json::to_string(&second).unwrap();
    assert_eq!(
        line,
        r#"{"number":3,"uid":"u","olderUntil":"1970-01-01T00:00:48Z","sooner":[{"upTo":1,"until":"1970-01-01T00:00:12Z"}]}"#
    );
    assert_eq!(serde_json::from_str::<Noted>(&line).unwrap(), second);
    assert!(!serde_json::to_string(&first).unwrap().contains("sooner"));
    let old = r#"{"number":3,"uid":"u","olderUntil":"1970-01-01T00:00:48Z"}"#;
    assert_eq!(serde_json::from_str::<Noted>(old).unwrap(), noted(3, Some(48)));
}

#[test]
fn d_without_a_noted_end_the_usual_one_counts_and_an_earlier_promise_all_the_same() {
    let note = noted(3, None).with(at(3), ends(&[(1, 12)]));
    assert_eq!(note.older_until, None);
    assert_eq!(note.ends(Some(at(240))), ends(&[(1, 12), (2, 240)]));
    assert_eq!(noted(1, None).ends(Some(at(240))), Ends::default(), "none is older than 1");
}

#[test]
fn d_the_own_generation_of_a_token_never_goes_and_whoever_names_it_prolongs_nothing() {
    let promised = noted(3, Some(48)).with(at(3), ends(&[(1, 12)]));
    let after = promised.clone().with(at(3), ends(&[(9, 40)]));
    assert_eq!(after.ends(None), ends(&[(1, 12), (2, 40)]));
    assert_eq!(promised.with(at(3), ends(&[(1, 99), (9, 5)])).ends(None), ends(&[(2, 5)]));
}

proptest! {
    #[test]
    fn d_each_generation_goes_by_the_least_end_that_was_promised_for_it(
        promised in prop::collection::vec((1_u32..5, 0_i64..1_000), 0..16),
    ) {
        let all = ends(&promised);
        for generation in 1..6 {
            let own = promised.iter().filter(|(up_to, _)| *up_to >= generation);
            let least = own.map(|(_, until)| at(*until)).min();
            prop_assert_eq!(all.of(generation), least);
            if let Some(least) = least {
                prop_assert!(all.over(least) >= generation);
                prop_assert!(all.over(at(least.as_second() - 1)) < generation);
            }
        }
        let now = at(500);
        let settled = all.clone().settled(now);
        for generation in 1..6 {
            let (one, other) = (all.of(generation), settled.of(generation));
            prop_assert!(one == other || one.max(other).is_some_and(|end| end <= now));
            prop_assert_eq!(settled.over(now), all.over(now));
        }
        let mut again = all.clone();
        again.merge(&all);
        prop_assert_eq!(again, all);
    }

    #[test]
    fn d_more_of_them_than_fit_prolong_nothing(
        promised in prop::collection::vec((1_u32..50, 0_i64..1_000), 0..64),
    ) {
        let all = ends(&promised);
        prop_assert!(all.iter().count() <= ENDS_MAX);
        for (up_to, until) in promised {
            prop_assert!(all.of(up_to).is_some_and(|end| end <= at(until)));
        }
        let order: Vec<_> = all.iter().collect();
        let grows = |pair: &[End]| pair[0].up_to < pair[1].up_to && pair[0].until < pair[1].until;
        prop_assert!(order.windows(2).all(grows));
    }
}
