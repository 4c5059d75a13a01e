use perennial_core::signing::KeyHistory;

use super::*;

const OWN: &str = "shoot-1/shoot-access-token-issuer";

/// A Secret whose token was signed at `seconds` by this key, for this issuer.
fn signed(name: &str, seconds: i64, key: &str, issuer: &str) -> Record {
    resigned(fresh(name, seconds), key, issuer)
}

fn resigned(mut record: Record, key: &str, issuer: &str) -> Record {
    let (Held::Token(claims), Some(note)) = (&mut record.held, &mut record.issued) else {
        panic!("{record:?}")
    };
    (claims.key_id, claims.issuer) = (Some(key.into()), issuer.into());
    (note.kid, note.iss) = (Some(key.into()), issuer.into());
    record.digest = Digest::received(format!("{} by {key} as {issuer}", record.digest));
    record
}

fn shows(keys: &[&str], retired: &[&str], settled_since: Option<i64>) -> ShootStatus {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    ShootStatus {
        clock_offset: Some(SignedDuration::ZERO),
        key_ids: texts(keys),
        key_history: KeyHistory { settled_since: settled_since.map(at), retired: texts(retired) },
        ..shoot("shoot-1", Reach::Reachable)
    }
}

fn world_at(now: i64, records: &[Record], shoots: &[ShootStatus]) -> World {
    let mut world = World { now, ..World::empty() };
    world.shoots(shoots);
    world.records(records);
    world
}

fn old_ones(count: usize) -> Vec<Record> {
    (0..count).map(|n| signed(&format!("shoot-1/old-{n:03}"), 0, "key-1", "a")).collect()
}

/// Plays from `world.now` to `until`; each order succeeds at once, signed by `key` for `issuer`.
/// Returns the seconds at which each Secret was ordered.
fn play(world: &mut World, until: i64, key: &str, issuer: &str) -> Vec<(i64, String, Reason)> {
    let mut ordered = Vec::new();
    for second in world.now..=until {
        for order in world.tick_at(second) {
            ordered.push((second, order.secret.to_string(), order.reason));
            let held = world.fleet.members.get(&order.secret).unwrap().record();
            let record = resigned(written(&held, second, order.reason), key, issuer);
            world.end(&order, Ok(record));
        }
    }
    ordered
}

#[test]
fn c_the_tokens_of_a_withdrawn_key_are_renewed_within_five_minutes_and_not_all_at_once() {
    let mut records = old_ones(200);
    records.push(signed(OWN, 0, "key-1", "a"));
    records.push(signed("shoot-1/new", HOUR, "key-2", "a"));
    let mut world = world_at(HOUR, &records, &[shows(&["key-1", "key-2"], &[], Some(0))]);
    let withdrawn = 2 * HOUR;
    let own = (HOUR, OWN.to_owned(), Reason::KeyRotated);
    assert_eq!(play(&mut world, withdrawn, "key-2", "a"), [own], "our own follows at once");

    world.shoot(Event::Upsert(shows(&["key-2"], &["key-1"], None)));
    assert_eq!(play(&mut world, withdrawn + 180, "key-2", "a"), [], "the set is not settled");
    world.shoot(Event::Upsert(shows(&["key-2"], &["key-1"], Some(withdrawn + 60))));
    let ordered = play(&mut world, withdrawn + 1_000, "key-2", "a");
    assert_eq!(ordered.len(), 200);
    assert!(ordered.iter().all(|(_, _, reason)| *reason == Reason::KeyWithdrawn));
    assert!(ordered.iter().all(|(second, ..)| *second <= withdrawn + 300), "{ordered:?}");
    for ten_seconds in ordered.chunk_by(|a, b| a.0 / 10 == b.0 / 10) {
        assert!(ten_seconds.len() <= 40, "evenly it would be 22: {ten_seconds:?}");
    }
}

#[test]
fn c_where_it_cannot_be_told_no_token_is_issued_and_it_is_said() {
    let mut world = world_at(HOUR, &old_ones(3), &[shows(&["key-1", "key-2"], &[], Some(0))]);
    world.shoot(Event::Upsert(shows(&["key-2"], &["key-1"], Some(HOUR))));
    assert_eq!(play(&mut world, 3 * HOUR, "key-2", "a"), [], "the newest is of key-1 too");
    assert_eq!(world.fleet.stats(at(world.now)).keys_untold, 3);
    let explained = world.fleet.explain(at(world.now), &secret("shoot-1/old-000")).unwrap();
    let told = [vec![explained.verdict], explained.more].concat();
    let warning = told.iter().find(|finding| finding.cause.contains("cannot be told")).unwrap();
    assert!(warning.cause.contains("nor is that of the shoot's newest token"), "{warning:?}");
    assert!(!warning.remedy.is_empty());

    world.record(Event::Upsert(signed("shoot-1/new", world.now, "key-2", "a")));
    let ordered = play(&mut world, 4 * HOUR, "key-2", "a");
    assert_eq!(ordered.len(), 3, "one token of the new key tells");
    assert_eq!(world.fleet.stats(at(world.now)).keys_untold, 0);
}

#[test]
fn c_after_a_restart_of_scheduler_or_token_issuer_the_other_one_remembers() {
    let mut records = old_ones(3);
    records.push(signed("shoot-1/new", HOUR, "key-2", "a"));
    // The scheduler is new, the token-issuer has seen key-1.
    let mut world = world_at(3 * HOUR, &records, &[shows(&["key-2"], &["key-1"], Some(2 * HOUR))]);
    assert_eq!(play(&mut world, 3 * HOUR + 100, "key-2", "a").len(), 3);

    // The token-issuer is new, the scheduler has seen key-1.
    let mut world = world_at(3 * HOUR, &records, &[shows(&["key-1", "key-2"], &[], Some(HOUR))]);
    world.shoot(Event::Lost);
    world.shoots(&[shows(&["key-2"], &[], Some(2 * HOUR))]);
    assert_eq!(play(&mut world, 3 * HOUR + 100, "key-2", "a").len(), 3);

    // Both are new: a key that nobody has seen may be one that is never published.
    let mut world = world_at(3 * HOUR, &records, &[shows(&["key-2"], &[], Some(2 * HOUR))]);
    assert_eq!(play(&mut world, 4 * HOUR, "key-2", "a"), []);
    assert_eq!(world.fleet.stats(at(world.now)).keys_untold, 3);
}

#[test]
fn c_a_restart_of_the_scheduler_amid_the_renewals_orders_the_rest_spread_again() {
    let mut records = old_ones(100);
    records.push(signed("shoot-1/new", HOUR, "key-2", "a"));
    let mut world = world_at(5 * HOUR, &records, &[shows(&["key-2"], &["key-1"], Some(2 * HOUR))]);
    let ordered = play(&mut world, 5 * HOUR + 200, "key-2", "a");
    assert_eq!(ordered.len(), 100);
    let first = ordered.iter().filter(|(second, ..)| *second == ordered[0].0).count();
    assert!(first <= 10, "{first} at once");
}

#[test]
fn b12_two_token_issuers_that_see_two_key_sets_withdraw_no_key() {
    let mut records = old_ones(3);
    records.push(signed("shoot-1/new", HOUR, "key-2", "a"));
    let mut world = world_at(3 * HOUR, &records, &[shows(&["key-2"], &["key-1"], Some(2 * HOUR))]);
    let other = shows(&["key-1"], &[], Some(2 * HOUR));
    for event in [Event::Opened, Event::Upsert(other), Event::Complete] {
        world.fleet.hear_of_shoots(at(world.now), 1, event);
    }
    assert_eq!(play(&mut world, 4 * HOUR, "key-2", "a"), []);
}

#[test]
fn c_the_tokens_of_a_former_issuer_are_renewed_spread_over_minutes() {
    let mut records = old_ones(100);
    let mut world = world_at(HOUR, &records, &[shows(&["key-1"], &[], Some(0))]);
    assert_eq!(play(&mut world, 2 * HOUR, "key-1", "b"), []);
    records.push(signed("shoot-1/new", 2 * HOUR, "key-1", "b"));
    world.record(Event::Upsert(records[100].clone()));
    let ordered = play(&mut world, 3 * HOUR, "key-1", "b");
    assert_eq!(ordered.len(), 100);
    assert!(ordered.iter().all(|(_, _, reason)| *reason == Reason::IssuerChanged));
    assert!(ordered.last().unwrap().0 - ordered[0].0 > 200, "{ordered:?}");
}

#[test]
fn c_an_issuer_that_comes_back_ends_the_renewals_after_one() {
    let mut records = old_ones(100);
    records.push(signed("shoot-1/new", 2 * HOUR, "key-1", "b"));
    let mut world = world_at(2 * HOUR, &records, &[shows(&["key-1"], &[], Some(0))]);
    // The API server that answers issues as the former one.
    let ordered = play(&mut world, 5 * HOUR, "key-1", "a");
    assert_eq!(ordered.len(), 1, "{ordered:?}");
}

#[test]
fn c_clock_the_clock_of_a_shoot_outlives_a_restart_of_the_token_issuer() {
    let offset = SignedDuration::from_hours(-13);
    let behind = ShootStatus { clock_offset: Some(offset), ..shows(&[], &[], None) };
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &[behind]);
    let due = PLANNED + 13 * HOUR;
    world.shoot(Event::Lost);
    world.shoots(&[shoot("shoot-1", Reach::Unknown)]);
    assert_eq!(world.ordered_at(due - 1), [""; 0]);
    assert_eq!(world.ordered_at(due), ["shoot-1/a"]);
}

#[test]
fn c_clock_a_restart_of_all_re_issues_no_fleet_before_the_first_look_at_a_shoot() {
    for hours in [-13, 13] {
        let now = HOUR + hours * HOUR;
        let mut world = World { now, ..World::empty() };
        world.shoots(&[shoot("shoot-1", Reach::Unknown)]);
        world.records(&[fresh("shoot-1/a", 0), fresh("shoot-1/b", 0)]);
        assert_eq!(world.ordered_at(now), [""; 0], "our clock is {hours} h ahead");
        let offset = SignedDuration::from_hours(-hours);
        let seen = ShootStatus { clock_offset: Some(offset), ..shows(&[], &[], None) };
        world.shoot(Event::Upsert(seen));
        assert_eq!(world.ordered_at(now + 1), [""; 0], "our clock is {hours} h ahead");
        assert_eq!(world.state("shoot-1/a"), State::Fresh);
    }
}
