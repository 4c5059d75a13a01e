use proptest::prelude::*;

use super::*;
use crate::fixtures::at;

fn campaign(wanted: Wanted) -> Campaign {
    let reason = "the key has leaked".parse().unwrap();
    let since = Timestamp::new(100, 700_000_000).unwrap();
    Campaign::new(reason, "spiffe://x".to_owned(), since, Selection::all(), wanted)
}

fn token(issued_at: i64, key_id: &str) -> Token<'_> {
    Token { issued_at: at(issued_at), key_id: Some(key_id) }
}

fn bound_to_nothing() -> Binding {
    Binding::Never
}

fn revoked(grace: u64) -> Wanted {
    Wanted::Revoked { before: at(100), grace: Duration::from_secs(grace) }
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        (0..200_i64).prop_map(|second| Wanted::IssuedSince(at(second))),
        "[ab]".prop_map(Wanted::SignedBy),
        "[ab]".prop_map(Wanted::NotSignedBy),
    ]
}

#[test]
fn what_is_stored_says_the_same_when_it_is_read() {
    let shoot: ShootId = "shoot--lab--1".parse().unwrap();
    for (wanted, stored) in [
        (Wanted::IssuedSince(at(100)), r#""issuedSince":"1970-01-01T00:01:40Z""#),
        (Wanted::SignedBy("k".to_owned()), r#""signedBy":"k""#),
        (Wanted::NotSignedBy("k".to_owned()), r#""notSignedBy":"k""#),
        (revoked(240), r#""revokedBefore":"1970-01-01T00:01:40Z","graceSeconds":240"#),
    ] {
        for cancelled in [None, Some(at(200))] {
            let selection = Selection {
                shoot: Some(shoot.clone()),
                labels: Some("app in (a,b)".parse().unwrap()),
            };
            let campaign = Campaign { selection, cancelled, ..campaign(wanted.clone()) };
            assert!(campaign.value().contains(r#""labels":"app in (a,b)""#));
            assert!(campaign.value().contains(stored), "{}", campaign.value());
            assert_eq!(Campaign::read(&campaign.value()), Some(campaign));
        }
    }
    assert_eq!(campaign(Wanted::SignedBy("k".to_owned())).since, at(100));
}

#[test]
fn what_is_not_understood_renews_nothing() {
    let since = r#""since":"2026-11-24T10:00:00Z""#;
    for value in [
        String::new(),
        "renew all".to_owned(),
        "{}".to_owned(),
        format!("{{{since}}}"),
        format!(r#"{{{since},"olderThan":"1h"}}"#),
        format!(r#"{{{since},"signedBy":"a","notSignedBy":"b"}}"#),
        r#"{"signedBy":"a"}"#.to_owned(),
        format!(r#"{{{since},"signedBy":"a","shoot":"../x"}}"#),
        format!(r#"{{{since},"signedBy":"a","labels":"a b"}}"#),
        format!(r#"{{{since},"signedBy":"a","olderThan":"1h"}}"#),
        format!(r#"{{{since},"signedBy":"a","graceSeconds":1}}"#),
        format!(r#"{{{since},"revokedBefore":"2026-11-24T10:00:00Z","graceSeconds":86401}}"#),
    ] {
        assert_eq!(Campaign::read(&value), None, "{value}");
    }
    let key = |key: &str| {
        BTreeMap::from([(key.to_owned(), campaign(Wanted::SignedBy("a".into())).value())])
    };
    assert_eq!(read(&key("c-1")).len(), 1);
    assert_eq!(read(&key("no id")).len(), 0);
}

#[test]
fn nothing_is_ordered_in_its_first_seconds_nor_after_it_was_cancelled() {
    let mut campaign = campaign(Wanted::IssuedSince(at(100)));
    assert!(!campaign.runs(at(102)) && campaign.runs(at(103)));
    campaign.cancelled = Some(at(110));
    assert!(!campaign.runs(at(120)));
}

#[test]
fn a_token_of_the_second_of_the_begin_is_done_and_an_older_one_is_not() {
    let campaign = campaign(Wanted::IssuedSince(at(100)));
    let judge = |second| campaign.judge(Some(token(second, "a")), None, bound_to_nothing);
    assert_eq!((judge(99), judge(100)), (Verdict::ToDo, Verdict::Done));
    assert_eq!(campaign.judge(None, None, bound_to_nothing), Verdict::NoToken);
}

#[test]
fn while_the_shoot_signs_by_the_old_key_no_token_is_burnt_for_the_new_one() {
    for wanted in [Wanted::SignedBy("new".into()), Wanted::NotSignedBy("old".into())] {
        let campaign = campaign(wanted);
        let old = Some(token(5, "old"));
        let judge = |own, newest| campaign.judge(own, Some(newest), bound_to_nothing);
        assert_eq!(judge(old, token(9, "old")), Verdict::KeyNotUsed);
        assert_eq!(judge(old, token(9, "new")), Verdict::ToDo);
        assert_eq!(judge(Some(token(9, "new")), token(9, "new")), Verdict::Done);
    }
}

#[test]
fn d_a_revocation_is_done_when_no_generation_from_before_is_left() {
    let campaign = campaign(revoked(0));
    let judge = |binding| campaign.judge(Some(token(500, "a")), None, || binding);
    let seen = |own, oldest: Option<i64>| Binding::Seen { own: at(own), oldest: oldest.map(at) };
    assert_eq!(
        judge(seen(99, None)),
        Verdict::ToDo,
        "a new token of an old generation is no better"
    );
    assert_eq!(judge(seen(100, Some(99))), Verdict::OlderLeft);
    assert_eq!(judge(seen(101, Some(100))), Verdict::Done, "somebody revoked again since");
    assert_eq!(judge(seen(100, None)), Verdict::Done);
    assert_eq!(judge(Binding::Unseen), Verdict::Unseen);
    assert_eq!(judge(Binding::NotYet), Verdict::NotBound);
    assert_eq!(judge(Binding::Never), Verdict::Cannot(Cannot::NotRevocable));
    assert_eq!(campaign.judge(None, None, || Binding::NotYet), Verdict::NoToken);
}

#[test]
fn a_selection_is_by_shoot_and_by_labels() {
    let labels = |value: &str| Labels::of(&[("app".to_owned(), value.to_owned())].into());
    let (one, other): (ShootId, ShootId) = ("one".parse().unwrap(), "other".parse().unwrap());
    let both =
        Selection { labels: Some("app=etcd".parse().unwrap()), ..Selection::of_shoot(one.clone()) };
    assert!(both.has_shoot(&one) && !both.has_shoot(&other));
    assert!(both.has_labels(&labels("etcd")) && !both.has_labels(&labels("vpn")));
    assert!(Selection::all().has_shoot(&other) && Selection::all().has_labels(&labels("vpn")));
}

#[test]
fn a_key_that_the_shoot_does_not_publish_cannot_come() {
    let (by, not_by) = (Wanted::SignedBy("a".into()), Wanted::NotSignedBy("a".into()));
    assert!(by.is_possible(["a", "b"]) && !by.is_possible(["b"]) && by.is_possible([]));
    assert!(not_by.is_possible(["a", "b"]) && !not_by.is_possible(["a"]) && not_by.is_possible([]));
}

proptest! {
    /// Time alone makes no token one that is to be replaced, and a newer token of the same key is
    /// never further from being done.
    #[test]
    fn what_is_done_stays_done(
        wanted in wanted(),
        (first, later) in (0..200_i64, 0..200_i64),
        (key, newest) in ("[ab]", "[ab]"),
    ) {
        let campaign = campaign(wanted);
        let judge = |second| {
            campaign.judge(Some(token(second, &key)), Some(token(200, &newest)), bound_to_nothing)
        };
        if judge(first) == Verdict::Done {
            prop_assert_eq!(judge(first.max(later)), Verdict::Done);
        }
    }

    /// A renewal ends it: the newest token is as wanted wherever one is to be made.
    #[test]
    fn who_is_renewed_by_a_shoot_that_can_is_done(wanted in wanted(), key in "[ab]", newest in "[ab]") {
        let campaign = campaign(wanted);
        let judge = |own, newest| campaign.judge(Some(own), Some(newest), bound_to_nothing);
        let before = judge(token(0, &key), token(250, &newest));
        if before == Verdict::ToDo {
            let after = judge(token(251, &newest), token(251, &newest));
            prop_assert_eq!(after, Verdict::Done);
        }
    }
}
