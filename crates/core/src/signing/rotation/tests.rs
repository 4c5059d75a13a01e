use proptest::prelude::*;

use super::*;
use crate::{
    decision::{Decision, Policy, ShootView, decide_outdated},
    fixtures::{SecretBuilder, at, jwt_of},
    signing::Mark,
};

const HOUR: i64 = 3_600;
const LIFETIME: i64 = 12 * HOUR;

/// A Secret with a token that we wrote at `second`.
fn ours(uid: usize, second: i64, key: &str, issuer: &str) -> Record {
    let token = jwt_of(key, issuer, second, second + LIFETIME);
    let mut record = SecretBuilder::new().holding(token, second).record();
    record.uid = format!("uid-{uid}").into();
    record
}

fn issued_for(reason: Reason, mut record: Record) -> Record {
    if let Some(note) = &mut record.issued {
        note.reason = reason;
    }
    record
}

fn marks<'a>(records: impl IntoIterator<Item = &'a Record>) -> Marks {
    let mut marks = Marks::default();
    records.into_iter().filter_map(Mark::of).for_each(|mark| marks.add(&mark));
    marks
}

/// The set `ids`, unchanged since `settled`; `key-1` and `key-2` are known.
fn set<'a>(ids: &[&'a str], settled: i64) -> KeySet<'a> {
    let of = |ids: &[&'a str]| ids.iter().copied().collect::<BTreeSet<_>>();
    KeySet {
        ids: of(ids),
        settled_since: Some(at(settled)),
        clock_offset: Some(SignedDuration::ZERO),
        known: of(&["key-1", "key-2"]),
    }
}

fn review(now: i64, keys: &KeySet, records: &[Record]) -> Rotation {
    Rotation::default().review(at(now), keys, &marks(records))
}

#[test]
fn c_a_key_is_withdrawn_once_the_settled_set_has_the_newest_tokens_key_and_not_its_own() {
    let records = [ours(1, 0, "key-1", "a"), ours(2, HOUR, "key-2", "a")];
    let keys = set(&["key-2"], 2 * HOUR);
    let rotation = review(2 * HOUR + 120, &keys, &records);
    let outdated = rotation.outdated(&records[0], false).unwrap();
    assert_eq!(outdated.reason, Reason::KeyWithdrawn);
    assert!((120..=210).contains(&(outdated.at.as_second() - 2 * HOUR)), "{outdated:?}");
    assert_eq!(rotation.outdated(&records[0], true).unwrap().at, at(2 * HOUR + 120), "at once");
    assert_eq!(rotation.outdated(&records[1], false), None);
}

#[test]
fn c_what_is_not_certain_withdraws_no_key_and_says_why() {
    let old = ours(1, 0, "key-1", "a");
    let records = [old.clone(), ours(2, HOUR, "key-2", "a")];
    let told = |keys: &KeySet, records: &[Record]| {
        let now = at(3 * HOUR);
        let marks = marks(records);
        let rotation = Rotation::default().review(now, keys, &marks);
        let untold = Rotation::untold(now, keys, &marks, &records[0]);
        assert_eq!(rotation.outdated(&records[0], false).is_none(), untold.is_some());
        untold
    };
    let good = set(&["key-2"], 2 * HOUR);
    assert_eq!(told(&good, &records), None);
    let flips = KeySet { settled_since: None, ..good.clone() };
    assert_eq!(told(&flips, &records), Some(Untold::NotSettled));
    let no_clock = KeySet { clock_offset: None, ..good.clone() };
    assert_eq!(told(&no_clock, &records), Some(Untold::NotSettled));
    let restarted = KeySet { known: good.ids.clone(), ..good.clone() };
    assert_eq!(told(&restarted, &records), Some(Untold::NeverPublished));
    assert_eq!(told(&good, &records[..1]), Some(Untold::NewestNotPublished));
    let tie = [old.clone(), ours(2, 0, "key-2", "a")];
    assert_eq!(told(&good, &tie), Some(Untold::NewestNotPublished), "of the same second");
    let still = ours(3, 2 * HOUR + 60, "key-1", "a");
    let newest = ours(4, 2 * HOUR + 70, "key-2", "a");
    assert_eq!(told(&good, &[old, still, newest]), Some(Untold::StillSigns));
}

#[test]
fn c_clock_the_token_of_a_skewed_shoot_is_compared_by_the_shoots_clock() {
    for skew in [-13 * HOUR, 13 * HOUR] {
        let records = [ours(1, skew, "key-1", "a"), ours(2, skew + HOUR, "key-2", "a")];
        let clock_offset = Some(SignedDuration::from_secs(skew));
        let keys = KeySet { clock_offset, ..set(&["key-2"], 2 * HOUR) };
        let rotation = review(2 * HOUR + 120, &keys, &records);
        assert!(rotation.outdated(&records[0], false).is_some(), "{skew}");
        let still = ours(3, skew + 3 * HOUR, "key-1", "a");
        let newest = ours(4, skew + 3 * HOUR + 1, "key-2", "a");
        let [old, _] = records;
        assert_eq!(review(4 * HOUR, &keys, &[old, still, newest]).withdrawn.len(), 0, "{skew}");
    }
}

#[test]
fn a_moment_stays_while_nothing_changes_and_a_clock_set_back_does_not_put_it_off() {
    let records = [ours(1, 0, "key-1", "a"), ours(2, HOUR, "key-2", "b")];
    let (keys, marks) = (set(&["key-2"], 2 * HOUR), marks(&records));
    let first = Rotation::default().review(at(3 * HOUR), &keys, &marks);
    assert_eq!(first.review(at(4 * HOUR), &keys, &marks), first);
    let back = first.review(at(2 * HOUR), &keys, &marks);
    assert_eq!(back.withdrawn["key-1"], at(2 * HOUR));
    assert_eq!(back.successor, Some(("b".to_owned(), at(2 * HOUR))));
}

#[test]
fn c_the_tokens_of_a_former_issuer_are_replaced_unless_somebody_else_wrote_them() {
    let records = [ours(1, 0, "key-1", "a"), ours(2, HOUR, "key-1", "b")];
    let rotation = review(HOUR, &set(&["key-1"], 0), &records);
    let outdated = rotation.outdated(&records[0], false).unwrap();
    assert_eq!(outdated.reason, Reason::IssuerChanged);
    assert!((120..=420).contains(&(outdated.at.as_second() - HOUR)), "{outdated:?}");
    assert_eq!(rotation.outdated(&records[1], false), None);
    let theirs = Record { issued: None, ..records[0].clone() };
    assert_eq!(rotation.outdated(&theirs, false), None);
}

#[test]
fn a_token_that_is_outdated_is_kept_until_its_moment_and_a_storm_holds_it_too() {
    let record = ours(1, 0, "key-1", "a");
    let outdated = Outdated { reason: Reason::KeyWithdrawn, at: at(500) };
    let decided = |record: &Record, second| {
        let policy = Policy::default();
        decide_outdated(at(second), record, ShootView::Unknown, &policy, outdated)
    };
    assert_eq!(decided(&record, 499), Decision::Keep { until: at(500) });
    assert_eq!(decided(&record, 500), Decision::Renew(Reason::KeyWithdrawn));
    assert_eq!(decided(&record, 10 * HOUR), Decision::Renew(Reason::Due));
    let memory = Some(crate::storm::Memory::new(at(499), 2).spoilt());
    let hold = Decision::Hold { until: at(519), reason: Reason::KeyWithdrawn };
    assert_eq!(decided(&Record { memory, ..record }, 500), hold);
}

#[test]
fn c_a_thousand_tokens_of_a_withdrawn_key_are_spread_evenly_over_the_time() {
    let one = ours(0, 0, "key-1", "a");
    let mut records: Vec<_> =
        (0..1_000).map(|uid| Record { uid: uid.to_string().into(), ..one.clone() }).collect();
    records.push(ours(1_000, HOUR, "key-2", "a"));
    let rotation = review(2 * HOUR, &set(&["key-2"], 2 * HOUR), &records);
    let mut each = [0; 10];
    for record in &records[..1_000] {
        let at = rotation.outdated(record, false).unwrap().at.duration_since(at(2 * HOUR));
        each[((at.as_secs() / 9) as usize).min(9)] += 1;
    }
    assert!(each.iter().all(|count| (60..=140).contains(count)), "by tenths: {each:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Several API servers answer by turns as they like, as `a` or as `b`, and sign with the key of
    /// that name; each step one Secret is renewed because it is due, or because it is outdated.
    #[test]
    fn c_issuers_by_turns_make_no_ping_pong(
        answers in prop::collection::vec(any::<bool>(), 60), secrets in 2_usize..6,
    ) {
        let mut records: Vec<_> = (0..secrets).map(|n| ours(n, n as i64, "key-1", "a")).collect();
        let (mut second, mut corrected) = (1_000, vec![0; secrets]);
        let keys = set(&["key-1"], 0);
        let mut rotation = Rotation::default();
        let (mut due, mut ordinary) = (0, vec![0; secrets]);
        for b in answers {
            second += ISSUER_PAUSE.as_secs() as i64 + ISSUER_SPREAD.as_secs() as i64;
            rotation = rotation.review(at(second), &keys, &marks(&records));
            let outdated = |record: &Record| rotation.outdated(record, false).is_some();
            let next = records.iter().position(outdated);
            let number = next.unwrap_or(due % secrets);
            corrected[number] += usize::from(next.is_some());
            due += usize::from(next.is_none());
            ordinary[number] += usize::from(next.is_none());
            let issuer = if b { "b" } else { "a" };
            let reason = if next.is_some() { Reason::IssuerChanged } else { Reason::Due };
            records[number] = issued_for(reason, ours(number, second, "key-1", issuer));
        }
        for (count, ordinary) in corrected.into_iter().zip(ordinary) {
            // One for each of its ordinary tokens, and one for the token it began with.
            prop_assert!(count <= ordinary + 1, "{count} corrections beside {ordinary} renewals");
        }
    }

    /// A real change costs each token of the former issuer one renewal.
    #[test]
    fn c_a_change_of_the_issuer_costs_each_token_one_renewal(secrets in 1_usize..8) {
        let mut records: Vec<_> = (0..secrets).map(|n| ours(n, n as i64, "key-1", "a")).collect();
        records.push(ours(secrets, HOUR, "key-1", "b"));
        let (mut rotation, mut renewed) = (Rotation::default(), vec![0; secrets + 1]);
        for second in HOUR..HOUR + 500 {
            rotation = rotation.review(at(second), &set(&["key-1"], 0), &marks(&records));
            for number in 0..=secrets {
                let outdated = rotation.outdated(&records[number], false);
                if outdated.is_some_and(|outdated| outdated.at <= at(second)) {
                    renewed[number] += 1;
                    let record = ours(number, second, "key-1", "b");
                    records[number] = issued_for(Reason::IssuerChanged, record);
                }
            }
        }
        prop_assert_eq!(&renewed[..secrets], vec![1; secrets]);
        prop_assert_eq!(renewed[secrets], 0);
    }
}

#[test]
fn c_f_our_own_token_follows_the_key_as_soon_as_another_token_is_signed_by_a_new_one() {
    let records =
        [ours(1, 0, "key-1", "a"), ours(2, 60, "key-1", "a"), ours(3, HOUR, "key-2", "a")];
    let rotation = review(HOUR + 1, &set(&["key-1", "key-2"], 0), &records);
    let outdated = rotation.outdated(&records[0], true).unwrap();
    assert_eq!(outdated.reason, Reason::KeyRotated);
    assert!(outdated.at <= at(HOUR + 1), "at once");
    assert_eq!(rotation.outdated(&records[1], false), None, "the others are renewed when due");
    let renewed = issued_for(Reason::KeyRotated, ours(1, HOUR + 2, "key-2", "a"));
    assert_eq!(rotation.outdated(&renewed, true), None);
}

#[test]
fn c_f_two_keys_by_turns_cost_our_own_token_one_an_hour_at_most() {
    let own = issued_for(Reason::KeyRotated, ours(1, HOUR, "key-1", "a"));
    for (second, expected) in [(HOUR + 5, None), (2 * HOUR, Some(Reason::KeyRotated))] {
        let records = [own.clone(), ours(2, second, "key-2", "a")];
        let rotation = review(second + 1, &set(&["key-1", "key-2"], 0), &records);
        assert_eq!(rotation.outdated(&own, true).map(|it| it.reason), expected, "{second}");
    }
    let by_turns = [own, ours(2, HOUR + 5, "key-2", "a"), ours(3, 2 * HOUR, "key-1", "a")];
    let rotation = review(3 * HOUR, &set(&["key-1", "key-2"], 0), &by_turns);
    assert_eq!(rotation.outdated(&by_turns[0], true), None);
}
