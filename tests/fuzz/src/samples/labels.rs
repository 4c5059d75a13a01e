//! Labels of ServiceAccounts as JSON, and what only looks like it.

use std::collections::BTreeMap;

use fastrand::Rng;
use perennial_core::inputs::ACCOUNT_LABELS_MAX;
use serde_json::{Value, json};

use super::names::{self, Rule};

/// Up to three good labels.
pub(super) fn right(rng: &mut Rng) -> BTreeMap<String, String> {
    (0..rng.usize(..4)).map(|_| (key(rng), value(rng))).collect()
}

fn key(rng: &mut Rng) -> String {
    let name = part(rng);
    if rng.bool() { format!("{}/{name}", names::right(rng, Rule::Subdomain)) } else { name }
}

fn value(rng: &mut Rng) -> String {
    if rng.u8(..4) == 0 { String::new() } else { part(rng) }
}

/// Letters of either case, digits, and `-_.` between.
fn part(rng: &mut Rng) -> String {
    let inside: String = (0..rng.usize(..20))
        .map(
            |_| if rng.u8(..4) == 0 { ['-', '_', '.'][rng.usize(..3)] } else { rng.alphanumeric() },
        )
        .collect();
    format!("{}{inside}{}", rng.alphanumeric(), rng.alphanumeric())
}

/// One of the spellings of these labels.
pub(super) fn spell(rng: &mut Rng, labels: &BTreeMap<String, String>) -> String {
    let plain = json!(labels).to_string();
    match rng.u8(..5) {
        0 => serde_json::to_string_pretty(labels).expect("texts always serialize"),
        1 => format!(" \n{plain}\t"),
        // A letter of a key or value as an escape.
        2 => plain.replacen('a', "\\u0061", 1),
        // The last of two equal keys counts.
        3 if labels.len() == 1 => plain.replacen('{', &format!("{}, ", twice(&plain)), 1),
        _ => plain,
    }
}

/// The only entry of an object, with another value, after an opening bracket.
fn twice(object: &str) -> String {
    let end = object.rfind(':').expect("an object with an entry has a colon");
    format!("{}:\"before\"", &object[..end])
}

/// What is no object of good labels.
pub(super) fn bad(rng: &mut Rng) -> String {
    let mut good = right(rng);
    good.insert("app".to_owned(), "x".to_owned());
    let plain = json!(good).to_string();
    let with = |key: &str, value: Value| {
        let mut all = json!(good);
        all[key] = value;
        all.to_string()
    };
    match rng.u8(..8) {
        0 => plain[..rng.usize(1..plain.len())].to_owned(), // ASCII, and never closed
        1 => {
            let values = [json!(1), json!(true), json!(null), json!([]), json!({}), json!(1.5)];
            with("b", values[rng.usize(..6)].clone())
        }
        2 => {
            let strange = ["a b", "", "a/b/c", "A_/x", "-a", "ä", "a\n", "/a", "a/", "."];
            with(strange[rng.usize(..10)], json!("x"))
        }
        3 => {
            let strange = ["a b", "-a", "a-", "no/slash", "ä", "\n", "a:b", "."];
            with("b", json!(strange[rng.usize(..8)]))
        }
        4 => with("b", json!("x".repeat(rng.usize(64..500)))),
        5 => ["[]", "[1]", "null", "\"x\"", "1", "app=x", "app: x", "true"][rng.usize(..8)]
            .to_owned(),
        6 => format!("{plain}{}", ["x", "{}", ",", "}", "//", "\0"][rng.usize(..6)]),
        _ => {
            let many = (0..=ACCOUNT_LABELS_MAX).map(|n| (format!("l{n}"), "x"));
            json!(many.collect::<BTreeMap<_, _>>()).to_string()
        }
    }
}
