use proptest::{collection::btree_set, prelude::*};

use super::*;

fn name(text: &str) -> ReplicaName {
    text.parse().unwrap()
}

fn shoot(number: u32) -> ShootId {
    format!("shoot--lab--{number}").parse().unwrap()
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn leases(names: &[(&str, u64)]) -> Vec<(ReplicaName, String)> {
    names.iter().map(|(text, version)| (name(text), version.to_string())).collect()
}

fn lives(view: &View) -> Vec<&str> {
    view.live.iter().map(ReplicaName::as_str).collect()
}

/// Rolled out beside an older version, a replica must reckon as that one does.
#[test]
fn who_serves_a_shoot_is_the_same_in_every_version() {
    let all = ["a", "b", "c"].map(name);
    let owners: String = (0..24).map(|n| owner(&shoot(n), &all).unwrap().as_str()).collect();
    assert_eq!(owners, "baacacbabbbacbcacbcaaacc");
}

#[test]
fn shoots_are_shared_evenly() {
    let all = ["scheduler-1", "scheduler-2", "scheduler-3"].map(name);
    for one in &all {
        let share = (0..3_000).filter(|n| owner(&shoot(*n), &all) == Some(one)).count();
        assert!((900..1_100).contains(&share), "{one} has {share} of 3000");
    }
}

proptest! {
    #[test]
    fn when_one_goes_or_comes_only_its_shoots_change_hands(
        names in btree_set("[a-z]{1,8}", 2..6),
        number in 0_u32..1_000,
    ) {
        let all: Vec<_> = names.iter().map(|text| name(text)).collect();
        let before = owner(&shoot(number), &all).unwrap();
        for gone in &all {
            let rest: Vec<_> = all.iter().filter(|one| *one != gone).cloned().collect();
            let after = owner(&shoot(number), &rest).unwrap();
            prop_assert!(after == before || before == gone);
        }
    }

    /// Settled replicas that see the same Leases have one owner for each shoot.
    #[test]
    fn those_who_see_the_same_agree(names in btree_set("[a-z]{1,8}", 1..6), number in 0_u32..1_000) {
        let live: BTreeSet<_> = names.iter().map(|text| name(text)).collect();
        let views = live.iter().map(|me| View { me: me.clone(), live: live.clone(), is_settled: true });
        prop_assert_eq!(views.filter(|view| view.is_mine(&shoot(number))).count(), 1);
    }
}

#[test]
fn a_single_replica_begins_at_once() {
    let mut watcher = Watcher::new(name("a"));
    watcher.beat(s(0));
    let view = watcher.look(s(0), leases(&[("a", 1)]));
    assert!(view.is_settled && view.is_mine(&shoot(1)));
    let nothing = Watcher::new(name("a")).look(s(0), []);
    assert!(nothing.is_settled, "its own Lease may not be in the list yet");
}

#[test]
fn a_joiner_orders_nothing_before_the_others_had_time_to_see_it() {
    let mut watcher = Watcher::new(name("b"));
    let mut settled_after = None;
    for beat in 0..5 {
        let now = s(2 * beat);
        watcher.beat(now);
        let view = watcher.look(now, leases(&[("a", beat), ("b", beat)]));
        assert_eq!(lives(&view), ["a", "b"]);
        assert!(view.is_settled || (0..50).all(|number| !view.is_mine(&shoot(number))));
        settled_after = settled_after.or(view.is_settled.then_some(now));
    }
    assert_eq!(settled_after, Some(s(6)), "the first beat after 5 s");
}

#[test]
fn one_that_does_not_renew_is_counted_out_after_six_seconds_by_our_own_clock() {
    let mut watcher = Watcher::new(name("a"));
    let alive = |beat: u64| watcher_view(&mut watcher, beat, 3);
    let lasts: Vec<_> = (0..12).map(alive).collect();
    // Its Lease changed for the last time with beat 3, at 6 s.
    assert!(lasts[..6].iter().all(|both| *both), "{lasts:?}");
    assert!(lasts[6..].iter().all(|both| !both), "12 s is 6 s later: {lasts:?}");
}

/// Whether `b`, whose last renewal is that of beat `last`, is live in the eyes of `a`.
fn watcher_view(watcher: &mut Watcher, beat: u64, last: u64) -> bool {
    watcher.beat(s(2 * beat));
    let view = watcher.look(s(2 * beat), leases(&[("a", beat), ("b", beat.min(last))]));
    view.live.contains(&name("b"))
}

#[test]
fn a_lease_that_is_deleted_counts_no_more() {
    let mut watcher = Watcher::new(name("a"));
    assert_eq!(lives(&watcher.look(s(0), leases(&[("a", 1), ("b", 1)]))), ["a", "b"]);
    let view = watcher.look(s(2), leases(&[("a", 2)]));
    assert_eq!(lives(&view), ["a"]);
    assert!(view.is_settled, "alone there is nobody to wait for");
}

#[test]
fn who_slept_longer_than_a_lease_lives_joins_anew() {
    let mut watcher = Watcher::new(name("a"));
    for beat in 0..6 {
        watcher.beat(s(2 * beat));
        watcher.look(s(2 * beat), leases(&[("a", beat), ("b", beat)]));
    }
    let awake = s(10) + LIVE;
    watcher.beat(awake);
    let view = watcher.look(awake, leases(&[("a", 6), ("b", 60)]));
    assert!(!view.is_settled);
}

#[test]
fn a_seed_that_is_away_makes_nobody_join_anew_and_buries_nobody() {
    let mut watcher = Watcher::new(name("a"));
    for beat in 0..30 {
        watcher.beat(s(2 * beat));
        if !(5..25).contains(&beat) {
            // Who looks first after it sees a Lease that `b` could not renew.
            let renewed = if beat == 25 { 4 } else { beat };
            let view = watcher.look(s(2 * beat), leases(&[("a", beat), ("b", renewed)]));
            assert_eq!(lives(&view), ["a", "b"], "beat {beat}");
            assert_eq!(view.is_settled, beat >= 3, "beat {beat}");
        }
    }
}

#[test]
fn the_lease_of_a_replica_that_is_long_dead_is_to_be_deleted_and_our_own_is_not() {
    let mut watcher = Watcher::new(name("a"));
    let beats = BURIED.as_secs() / BEAT.as_secs();
    for beat in 0..=beats {
        assert_eq!(watcher.buried().count(), 0, "beat {beat}");
        watcher.beat(s(2 * beat));
        // Our own stands still too: nobody deletes his own.
        watcher.look(s(2 * beat), leases(&[("a", 1), ("b", 1), ("c", beat)]));
    }
    assert_eq!(watcher.buried().map(ReplicaName::as_str).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_clock_that_is_set_back_counts_as_a_beat() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut reckoning = Reckoning::begin(at(1_000));
    let sums = [1_002, 50, 52, 60].map(|second| reckoning.at(at(second)).as_secs());
    assert_eq!(sums, [2, 4, 6, 14]);
}
