//! What a text may stand for: without its escapes, without its separators, decoded.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::WINDOW;

/// Shortest run that is decoded: shorter ones hold less than a [`WINDOW`].
const RUN_MIN: usize = WINDOW * 4 / 3;

/// What stands between the pieces of a token that was split: over lines, over JSON strings.
const SEPARATORS: &[u8] = b"\"'`,+\\";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The lines of a text, from 1. NUL ends one too: `/proc` uses it.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(content.split(|byte| matches!(byte, b'\n' | 0)))
}

/// Each other reading of a text, with its name. One that changes nothing is left out.
pub(super) fn of(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut views = vec![("escaped", unescaped(text)), ("split", joined(text))];
    views.retain(|(_, view)| view != text);
    views.extend(numbers(text).into_iter().map(|bytes| ("as numbers", bytes)));
    views.extend(base64(text).into_iter().map(|bytes| ("base64", bytes)));
    views
}

/// `\u002e` and `%2e` are characters.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, used) = match (first, after) {
            (b'%', [high, low, ..]) => (hex(&[*high, *low]), 3),
            (b'\\', [b'u', b'0', b'0', high, low, ..]) => (hex(&[*high, *low]), 6),
            (b'\\', [b'x', high, low, ..]) => (hex(&[*high, *low]), 4),
            _ => (None, 1),
        };
        plain.push(byte.unwrap_or(*first));
        rest = &rest[if byte.is_some() { used } else { 1 }..];
    }
    plain
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Without separators and white space; `\n` in a string is one too.
fn joined(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match after {
            [b'n' | b'r' | b't', after @ ..] if *first == b'\\' => after,
            after => after,
        };
        if !first.is_ascii_whitespace() && *first != 0 && !SEPARATORS.contains(first) {
            kept.push(*first);
        }
    }
    kept
}

/// Lists of numbers up to 255, as `Debug` prints bytes.
fn numbers(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lists = vec![Vec::new()];
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        let digits = word.strip_prefix(b"[").unwrap_or(word);
        let ends = digits.strip_suffix(b"]");
        let number = std::str::from_utf8(ends.unwrap_or(digits)).ok();
        let number = number.and_then(|number| number.parse::<u8>().ok());
        match (number, lists.last_mut()) {
            (Some(number), Some(list)) if digits.len() == word.len() => list.push(number),
            (Some(number), _) => lists.push(vec![number]),
            (None, _) => lists.push(Vec::new()),
        }
        if ends.is_some() {
            lists.push(Vec::new());
        }
    }
    lists.retain(|list| list.len() >= WINDOW);
    lists
}

/// What runs of base64 decode to, with either alphabet. Characters that are glued to a run shift it,
/// so each is decoded from its first four characters on.
fn base64(text: &[u8]) -> Vec<Vec<u8>> {
    let is_of_run = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let runs = text.split(|byte| !is_of_run(byte)).filter(|run| run.len() >= RUN_MIN);
    let mut decoded = Vec::new();
    for run in runs {
        let standard: Vec<u8> = run.iter().map(|byte| standard(*byte)).collect();
        for shift in 0..4 {
            let shifted = &standard[shift..];
            // A single character at the end holds no byte.
            let whole = &shifted[..shifted.len() - usize::from(shifted.len() % 4 == 1)];
            decoded.extend(LENIENT.decode(whole).ok());
        }
    }
    decoded
}

fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}
