//! Booleans, audiences, and texts of strangers.

use fastrand::Rng;
use perennial_core::inputs::{AUDIENCE_BYTES_MAX, AUDIENCES_MAX};

use super::names;

/// The spellings of Go.
const BOOLEANS: [&str; 12] =
    ["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"];
const AUDIENCES: [&str; 6] =
    ["gardener", "kubernetes", "https://vault.example/v1?a=b", "a b", "ü", "spiffe://x/y"];

pub(super) fn boolean(rng: &mut Rng) -> String {
    BOOLEANS[rng.usize(..12)].to_owned()
}

pub(super) fn bad_boolean(rng: &mut Rng) -> String {
    let good = boolean(rng);
    match rng.u8(..5) {
        0 => ["yes", "no", "on", "off", "2", "-1", "tRUE", "maybe", "null"][rng.usize(..9)]
            .to_owned(),
        1 => format!(" {good}"),
        2 => format!("{good}{good}"),
        3 => format!("\"{good}\""),
        _ => names::insert(rng, &good, '\n'),
    }
}

pub(super) fn audiences(rng: &mut Rng) -> String {
    let space = |rng: &mut Rng| " ".repeat(rng.usize(..3));
    let all: Vec<String> = (0..rng.usize(1..4))
        .map(|_| format!("{}{}{}", space(rng), AUDIENCES[rng.usize(..6)], space(rng)))
        .collect();
    all.join(",")
}

pub(super) fn bad_audiences(rng: &mut Rng) -> String {
    let good = audiences(rng);
    match rng.u8(..6) {
        0 => format!("{good},"),
        1 => format!(",{good}"),
        2 => format!("{good}, ,{good}"),
        3 => format!(
            "a{}b,{good}",
            ['\n', '\0', '\u{7f}', '\u{9b}', '\t', '\u{200b}'][rng.usize(..6)]
        ),
        4 => "x".repeat(AUDIENCE_BYTES_MAX + rng.usize(1..100)),
        _ => vec!["x"; AUDIENCES_MAX + rng.usize(1..10)].join(","),
    }
}

/// The key of an annotation of somebody else.
pub(super) fn foreign_key(rng: &mut Rng) -> String {
    format!("stranger.example/{}", names::right(rng, names::Rule::Label))
}

/// Any text.
pub(super) fn text(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => String::new(),
        1 => "{\"sha256\":\"x\",\"iat\":\"soon\"}".to_owned(),
        2 => "2026-13-45T99:99:99Z".to_owned(),
        _ => (0..rng.usize(..80)).map(|_| rng.char(..)).collect(),
    }
}

/// Any bytes; none is a token.
pub(super) fn bytes(rng: &mut Rng) -> Vec<u8> {
    (0..rng.usize(..200)).map(|_| rng.u8(..)).collect()
}
