use std::time::Duration;

use super::*;
use crate::fakes::{
    NOON,
    generations::{family, generation},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOON + second).unwrap()
}

/// Observed, and the first list brought these, at second 0.
fn book(found: &[SeenGeneration]) -> Book {
    let mut book = Book::default();
    assert_eq!(book.observe([family()].into()), (vec![], vec![]), "nothing is told before a list");
    assert_eq!(book.seen(&family()), None);
    let (published, doubtful) = book.listed(found, at(0));
    assert_eq!((published.len(), doubtful), (1, false));
    book
}

fn ours(number: Number, uid: &str) -> Generation {
    Generation { number, uid: uid.into(), grace: None, made: None }
}

/// Numbers and uids, and when.
fn seen(book: &Book) -> (Vec<(Number, String)>, i64) {
    let seen = book.seen(&family()).unwrap();
    let present = seen.present.iter().map(|g| (g.number, g.uid.to_string())).collect();
    (present, seen.at.as_second() - NOON)
}

fn there(generations: &[(Number, &str)], at: i64) -> (Vec<(Number, String)>, i64) {
    (generations.iter().map(|(number, uid)| (*number, (*uid).to_owned())).collect(), at)
}

#[test]
fn d_a_family_without_generations_is_told_too_once_the_list_is_whole() {
    assert_eq!(seen(&book(&[])), there(&[], 0));
    let terminating = SeenGeneration { terminating: true, ..generation(1, "a") };
    assert_eq!(seen(&book(&[terminating])), there(&[], 0));
}

#[test]
fn d_what_a_watch_says_is_news_once() {
    let mut book = book(&[generation(1, "a")]);
    assert_eq!(book.heard(&generation(1, "a"), at(1)), None);
    assert!(book.heard(&generation(2, "b"), at(2)).is_some());
    assert_eq!(seen(&book), there(&[(1, "a"), (2, "b")], 2));
    let terminating = SeenGeneration { terminating: true, ..generation(1, "a") };
    assert!(book.heard(&terminating, at(3)).is_some());
    assert_eq!(book.heard_gone(&generation(1, "a"), at(4)), None, "it was gone already");
    assert_eq!(seen(&book), there(&[(2, "b")], 3));
}

#[test]
fn d_a_watch_that_is_behind_takes_nothing_back() {
    let mut book = book(&[generation(1, "a")]);
    assert!(book.granted(&family(), ours(2, "b"), at(1)).is_some());
    assert!(book.gone(&family().id(), 1, "a", at(2)).is_some(), "we deleted it");
    assert_eq!(book.heard(&generation(1, "a"), at(3)), None, "it did not know yet");
    assert_eq!(book.heard_gone(&generation(1, "a"), at(4)), None);
    assert_eq!(book.heard(&generation(2, "b"), at(5)), None);
    assert_eq!(seen(&book), there(&[(2, "b")], 2));

    // One of the same name that went before ours was made.
    assert!(book.granted(&family(), ours(3, "new"), at(6)).is_some());
    assert_eq!(book.heard(&generation(3, "old"), at(7)), None);
    assert_eq!(book.heard_gone(&generation(3, "old"), at(8)), None);
    assert_eq!(seen(&book), there(&[(2, "b"), (3, "new")], 6));
}

#[test]
fn d_one_that_is_deleted_and_made_anew_is_another_one() {
    let mut book = book(&[generation(1, "a")]);
    assert!(book.heard_gone(&generation(1, "a"), at(1)).is_some());
    assert!(book.heard(&generation(1, "b"), at(2)).is_some());
    assert_eq!(seen(&book), there(&[(1, "b")], 2));
}

#[test]
fn d_a_token_that_comes_while_a_list_is_under_way_is_not_lost_to_it() {
    let mut book = book(&[]);
    assert!(book.granted(&family(), ours(1, "a"), at(5)).is_some());
    let (published, doubtful) = book.listed(&[], at(4));
    assert_eq!((published.len(), doubtful), (1, true), "another list has to follow");
    assert_eq!(seen(&book), there(&[(1, "a")], 4));
    let (_, doubtful) = book.listed(&[], at(6));
    assert!(!doubtful);
    assert_eq!(seen(&book), there(&[], 6), "it went meanwhile");
}

#[test]
fn d_a_token_whose_generation_went_before_its_answer_came_brings_it_not_back() {
    let mut book = book(&[generation(1, "a")]);
    assert!(book.heard_gone(&generation(1, "a"), at(1)).is_some());
    assert_eq!(book.granted(&family(), ours(1, "a"), at(2)), None);
    assert_eq!(seen(&book), there(&[], 1));
}

#[test]
fn d_a_grace_that_a_watch_tells_later_is_news() {
    let mut book = book(&[]);
    assert!(book.granted(&family(), ours(2, "b"), at(1)).is_some());
    let grace = Some(Duration::from_secs(240));
    assert!(book.heard(&SeenGeneration { grace, ..generation(2, "b") }, at(2)).is_some());
    assert_eq!(book.seen(&family()).unwrap().newest().unwrap().grace, grace);
}

#[test]
fn d_a_family_that_is_observed_later_is_told_of_what_is_known() {
    let mut book = Book::default();
    book.observe(BTreeSet::new());
    book.listed(&[generation(1, "a")], at(0));
    let (gone, new) = book.observe([family()].into());
    assert_eq!((gone, new.len()), (vec![], 1));
    assert_eq!(seen(&book), there(&[(1, "a")], 0));
    book.set_version(&family(), 7);
    assert_eq!(book.observe(BTreeSet::new()).0, [7]);
    assert_eq!(book.seen(&family()), None);
}
