use proptest::prelude::*;

use super::*;

mod fleet;

const MINUTE: i64 = 60;

fn choice(now: i64, window: RangeInclusive<i64>, widest: i64) -> Choice {
    Choice { now, window, widest }
}

fn load(seconds: impl IntoIterator<Item = i64>) -> Load {
    let mut load = Load::default();
    seconds.into_iter().for_each(|second| load.put(second));
    load
}

fn chosen(choice: &Choice, load: &Load, count: usize) -> Vec<i64> {
    let (mut load, mut shoot) = (load.clone(), ShootLoad::default());
    let seeds = (0..count).map(|n| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let one = |seed| {
        let second = choice.choose(&load, &shoot, seed);
        load.put(second);
        shoot.put(second);
        second
    };
    seeds.map(one).collect()
}

#[test]
fn a_minute_that_is_full_gets_nothing_while_another_has_room() {
    let window = 60 * MINUTE..=80 * MINUTE - 1;
    let busy = (0..20).filter(|minute| *minute != 7);
    let busy = busy.flat_map(|minute| (0..50).map(move |n| (60 + minute) * MINUTE + n));
    let second = choice(0, window, 30 * MINUTE).choose(&load(busy), &ShootLoad::default(), 1 << 63);
    assert_eq!(second / MINUTE, 67);
}

#[test]
fn the_renewals_of_one_shoot_go_to_different_minutes() {
    let window = 600 * MINUTE..=658 * MINUTE - 1;
    let mut minutes: Vec<_> =
        chosen(&choice(0, window, 0), &load([]), 25).iter().map(|s| s / MINUTE).collect();
    minutes.sort_unstable();
    minutes.dedup();
    assert_eq!(minutes.len(), 25);
}

#[test]
fn a_fleet_with_little_to_do_renews_no_token_earlier() {
    let window = 600 * MINUTE..=658 * MINUTE - 1;
    let seconds = chosen(&choice(0, window.clone(), 0), &load([]), 58 * CALM_MINUTE as usize);
    let early: Vec<_> = seconds.iter().enumerate().filter(|(_, s)| !window.contains(s)).collect();
    assert!(early.is_empty(), "{early:?}");
}

#[test]
fn where_the_window_is_full_it_opens_step_by_step_and_then_all_slots_fill_evenly() {
    // A mass of 4,000 with a window of 50 seconds, 54 to 80, that opens at 30.
    let seconds = chosen(&choice(0, 54..=80, 30), &load([]), 4_000);
    let count_of = |range: RangeInclusive<i64>, of: &[i64]| {
        of.iter().filter(|second| range.contains(second)).count()
    };
    assert_eq!(count_of(54..=80, &seconds[..27 * CALM_SECOND as usize]), 27 * CALM_SECOND as usize);
    let counts: Vec<_> = (30..=80).map(|second| count_of(second..=second, &seconds)).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most - least <= 1, "{counts:?}");
}

proptest! {
    #[test]
    fn the_moment_is_in_the_window_or_where_it_may_open_and_always_the_same(
        now in -5_000_i64..5_000, ahead in 0_i64..40_000, length in 0_i64..5_000,
        wider in 0_i64..40_000, seed in any::<u64>(),
        planned in prop::collection::vec(0_i64..80_000, 0..300),
    ) {
        let begin = now + ahead;
        let choice = choice(now, begin..=begin + length, (begin - wider).max(now));
        let fleet = load(planned.iter().map(|second| now + second));
        let second = choice.choose(&fleet, &ShootLoad::default(), seed);
        prop_assert!((choice.widest..=begin + length).contains(&second), "{second} of {choice:?}");
        let again = load(planned.iter().rev().map(|second| now + second));
        prop_assert_eq!(choice.choose(&again, &ShootLoad::default(), seed), second);
    }
}
