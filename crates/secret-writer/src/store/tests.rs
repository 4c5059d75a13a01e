use std::task::Poll;

use futures::FutureExt as _;
use perennial_core::{keys, record::OtherWriter};

use super::*;
use crate::fixtures::{SecretBuilder, at, secret_ref, version};

fn secret(name: &str) -> SecretBuilder {
    SecretBuilder::new(name)
}

/// A store whose first whole set was these, all of version 10.
fn store_of(names: &[&str]) -> Store {
    let store = crate::fixtures::store();
    store.begin_snapshot();
    names.iter().for_each(|name| store.upsert(secret(name).seen(10)));
    store.complete_snapshot();
    store
}

fn held_version(store: &Store, name: &str) -> Option<String> {
    store.get(&secret_ref(name)).map(|seen| seen.resource_version.as_str().to_owned())
}

/// What a follower is told right now, in short.
fn told(follower: &mut Subscription) -> Vec<String> {
    let next = || follower.next().now_or_never();
    let short = |event| match event {
        Event::Upsert(seen) => {
            format!("{}@{}", seen.record.secret.name, seen.resource_version.as_str())
        }
        Event::Removed(secret) => format!("-{}", secret.name),
        Event::SnapshotComplete => "complete".to_owned(),
    };
    std::iter::from_fn(next).map(short).collect()
}

#[test]
fn a_follower_gets_the_whole_set_a_mark_and_then_changes() {
    let store = store_of(&["a", "b"]);
    let mut follower = store.subscribe().unwrap();
    assert_eq!(told(&mut follower), ["a@10", "b@10", "complete"]);
    store.upsert(secret("a").token("x").seen(11));
    store.upsert(secret("c").seen(12));
    store.remove(&secret_ref("b"), &version(13));
    assert_eq!(told(&mut follower), ["a@11", "c@12", "-b"]);
}

#[test]
fn a_follower_waits_for_the_first_whole_set() {
    let store = crate::fixtures::store();
    let mut follower = store.subscribe().unwrap();
    store.begin_snapshot();
    store.upsert(secret("a").seen(10));
    assert!(told(&mut follower).is_empty());
    let mut next = Box::pin(follower.next());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(next.as_mut().poll(&mut context).is_pending());
    store.complete_snapshot();
    assert!(matches!(next.as_mut().poll(&mut context), Poll::Ready(Event::Upsert(_))));
}

#[test]
fn what_changes_while_the_whole_set_is_told_is_neither_lost_nor_told_twice() {
    let store = store_of(&["a", "c", "d"]);
    let mut follower = store.subscribe().unwrap();
    let mut next = || follower.next().now_or_never().unwrap();
    assert!(matches!(next(), Event::Upsert(seen) if seen.record.secret.name.as_str() == "a"));
    store.upsert(secret("a").token("x").seen(11)); // behind
    store.upsert(secret("b").seen(12)); // ahead
    store.upsert(secret("c").token("x").seen(13)); // ahead
    store.remove(&secret_ref("d"), &version(14)); // ahead
    assert_eq!(told(&mut follower), ["b@12", "c@13", "complete", "a@11"]);
}

#[test]
fn a_slow_follower_gets_only_the_latest_of_each_secret() {
    let store = store_of(&["a", "b"]);
    let mut follower = store.subscribe().unwrap();
    told(&mut follower);
    for number in 11..1_000 {
        store.upsert(secret("a").token(&number.to_string()).seen(number));
    }
    store.upsert(secret("b").token("x").seen(1_000));
    store.remove(&secret_ref("b"), &version(1_001));
    store.upsert(secret("b").uid("other").seen(1_002));
    assert_eq!(told(&mut follower), ["a@999", "b@1002"]);
}

#[test]
fn an_edit_that_changes_no_record_is_not_told() {
    let store = store_of(&["a"]);
    let mut follower = store.subscribe().unwrap();
    told(&mut follower);
    store.upsert(secret("a").annotated("example.com/note", "x").seen(11));
    assert!(told(&mut follower).is_empty());
    assert_eq!(held_version(&store, "a").as_deref(), Some("11"), "the write needs the version");
}

#[test]
fn an_unrelated_edit_of_another_writer_of_the_token_is_not_told() {
    let store = store_of(&["a"]);
    let seen = |token: &str, version, seconds| {
        let mut seen = secret("a").token(token).seen(version);
        let other = OtherWriter { manager: "stranger".to_owned(), at: Some(at(seconds)) };
        seen.record.other_writer = Some(Box::new(other));
        seen
    };
    store.upsert(seen("x", 10, 90));
    let maker = store.get(&secret_ref("a")).unwrap();
    assert_eq!(maker.record.other_writer, None, "we never served it: its maker is no stranger");
    store.remember(&secret_ref("a"), "uid-a", Memory::new(at(95), 0));
    store.upsert(seen("w", 11, 100));
    store.upsert(seen("x", 11, 100));
    let mut follower = store.subscribe().unwrap();
    told(&mut follower);
    store.upsert(seen("x", 12, 200)); // its moment moves with everything that it edits
    assert!(told(&mut follower).is_empty());
    store.upsert(seen("y", 13, 300));
    assert_eq!(told(&mut follower), ["a@13"]);
    let held = store.get(&secret_ref("a")).unwrap();
    assert_eq!(held.record.other_writer.as_ref().and_then(|other| other.at), Some(at(300)));
}

#[test]
fn what_the_watch_tells_late_does_not_undo_the_answer_of_a_patch() {
    let store = store_of(&["a"]);
    store.learn(secret("a").token("new").seen(15));
    store.upsert(secret("a").token("old").seen(12));
    assert_eq!(held_version(&store, "a").as_deref(), Some("15"));
    store.remove(&secret_ref("a"), &version(13));
    assert_eq!(held_version(&store, "a").as_deref(), Some("15"), "away and back before the patch");
    store.upsert(secret("a").token("new").seen(15));
    store.upsert(secret("a").token("newer").seen(16));
    assert_eq!(held_version(&store, "a").as_deref(), Some("16"));
}

#[test]
fn the_answer_of_a_patch_does_not_undo_what_the_watch_told() {
    let store = store_of(&["a", "b"]);
    store.upsert(secret("a").token("newer").seen(16));
    store.learn(secret("a").token("older").seen(15));
    assert_eq!(held_version(&store, "a").as_deref(), Some("16"));
    store.remove(&secret_ref("b"), &version(17));
    store.learn(secret("b").token("older").seen(15));
    assert_eq!(store.get(&secret_ref("b")), None, "it would stay for ever");
}

#[test]
fn what_a_new_whole_set_does_not_tell_is_gone() {
    let store = store_of(&["a", "b", "c"]);
    let mut follower = store.subscribe().unwrap();
    told(&mut follower);
    store.begin_snapshot();
    store.upsert(secret("a").seen(10));
    store.upsert(secret("c").token("x").seen(11));
    assert_eq!(store.count(), 3, "not before it is whole");
    store.complete_snapshot();
    assert_eq!(told(&mut follower), ["c@11", "-b"]);
}

#[test]
fn a_seed_restored_from_a_backup_is_believed_though_its_versions_are_older() {
    let store = store_of(&["a"]);
    store.learn(secret("a").token("x").seen(900));
    store.begin_snapshot();
    store.upsert(secret("a").token("y").seen(500));
    store.complete_snapshot();
    store.upsert(secret("a").token("z").seen(501));
    assert_eq!(held_version(&store, "a").as_deref(), Some("501"));
}

#[test]
fn a_patch_answered_during_a_new_whole_set_is_not_undone_by_it() {
    let store = store_of(&["a"]);
    store.begin_snapshot();
    store.learn(secret("a").token("new").seen(15));
    store.upsert(secret("a").token("old").seen(12));
    store.complete_snapshot();
    assert_eq!(held_version(&store, "a").as_deref(), Some("15"));
}

#[test]
fn b12_the_memory_outlives_a_note_that_a_stranger_removed_or_set_back() {
    let store = store_of(&["a"]);
    let memory = |seconds, streak| Memory::new(at(seconds), streak).spoilt();
    let held = || store.get(&secret_ref("a")).and_then(|seen| seen.record.memory);
    store.remember(&secret_ref("a"), "uid-a", memory(100, 3));
    assert_eq!(held(), Some(memory(100, 3)));
    store.upsert(secret("a").without(keys::ISSUED).token("x").seen(11));
    assert_eq!(held(), Some(memory(100, 3)));
    store.remember(&secret_ref("a"), "uid-a", memory(95, 0));
    assert_eq!(held(), Some(memory(100, 3)), "never back");
    store.remember(&secret_ref("a"), "uid-of-before", memory(200, 9));
    assert_eq!(held(), Some(memory(100, 3)));
    store.upsert(secret("a").uid("other").seen(12));
    assert_eq!(held(), None, "another Secret of the same name");
}

#[test]
fn b12_after_the_clock_was_set_back_the_memory_follows_it() {
    let store = store_of(&["a"]);
    let memory = |seconds, streak| Memory::new(at(seconds), streak).spoilt();
    let held = || store.get(&secret_ref("a")).and_then(|seen| seen.record.memory);
    store.remember(&secret_ref("a"), "uid-a", memory(50_000, 3));
    let mut written = secret("a").token("x").seen(11);
    written.record.memory = Some(memory(100, 4));
    store.written(written);
    assert_eq!(held(), Some(memory(100, 4)));
    store.upsert(secret("a").token("y").seen(12));
    assert_eq!(held(), Some(memory(100, 4)), "a stranger removed the note");
}

#[test]
fn pages_follow_each_other_in_order() {
    let store = store_of(&["b", "a", "d", "c"]);
    let names = |after: Option<&str>, size| {
        let after = after.map(secret_ref);
        let page = store.page(None, after.as_ref(), size);
        page.iter().map(|seen| seen.record.secret.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 3), ["a", "b", "c"]);
    assert_eq!(names(Some("c"), 3), ["d"]);
    assert!(store.page(Some("elsewhere"), None, 3).is_empty());
}

#[test]
fn followers_are_bounded_and_forgotten() {
    let store = store_of(&[]);
    let followers: Vec<_> = std::iter::from_fn(|| store.subscribe().ok()).collect();
    assert_eq!(followers.len(), 64);
    assert!(store.subscribe().is_err());
    drop(followers);
    assert!(store.subscribe().is_ok());
}

#[test]
fn a_token_in_vain_is_known_until_one_stands_in_the_secret() {
    let store = store_of(&["a"]);
    let in_vain = || store.get(&secret_ref("a")).unwrap().in_vain;
    let memory = Memory::new("1970-01-01T00:01:40.7Z".parse().unwrap(), 1);
    store.remember(&secret_ref("a"), "uid-a", memory);
    assert!(in_vain());
    store.upsert(secret("a").annotated(keys::TOKEN_LIFETIME, "1h").seen(11));
    assert!(in_vain(), "an edit of somebody else writes no token");
    let mut landed = secret("a").token("x").seen(12);
    landed.record.memory = Some(Memory::new(at(100), 1)); // its note, whole seconds
    store.upsert(landed);
    assert!(!in_vain(), "it was written after all");
}
