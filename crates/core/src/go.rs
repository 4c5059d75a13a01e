//! Durations and booleans as Go writes them, because annotations are written for Go
//! (`time.ParseDuration`, `strconv.ParseBool`). jiff's friendly format takes other spellings and
//! refuses some of Go's (`1h1h`, `1.5h30m`), so a Secret would mean different things to us and to
//! the reference. Fractions are multiplied as floats because Go does: an exact product differs by
//! a nanosecond now and then, and a lifetime is cut to whole seconds.

use jiff::SignedDuration;

/// Beyond this Go refuses: 2^63 ns, about 292 years. Only a negative duration reaches it.
const NANOSECONDS_MAX: u64 = 1 << 63;

/// Parses a Go duration such as `12h`, `1h30m`, `-1.5h`; `None` where Go would refuse it.
#[must_use]
pub fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = segment(rest)?;
        nanoseconds = nanoseconds.checked_add(part).filter(|sum| *sum <= NANOSECONDS_MAX)?;
        rest = after;
    }
    let nanoseconds = match negative {
        true => 0_i64.checked_sub_unsigned(nanoseconds)?,
        false => i64::try_from(nanoseconds).ok()?,
    };
    Some(SignedDuration::from_nanos(nanoseconds))
}

/// One number with its unit, in nanoseconds, and what follows.
fn segment(text: &str) -> Option<(u64, &str)> {
    let (whole_digits, rest) = digits(text);
    let (fraction_digits, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole_digits.is_empty() && fraction_digits.is_empty() {
        return None;
    }
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let unit: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    };
    let whole: u64 = if whole_digits.is_empty() { 0 } else { whole_digits.parse().ok()? };
    let whole = whole.checked_mul(unit).filter(|product| *product <= NANOSECONDS_MAX)?;
    let sum = whole.checked_add(part_of(unit, fraction_digits))?;
    (sum <= NANOSECONDS_MAX).then_some((sum, rest))
}

/// The part of a unit that decimals stand for. Decimals beyond 63 bits are dropped, as Go does.
fn part_of(unit: u64, decimals: &str) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in decimals.bytes().map(|byte| u64::from(byte - b'0')) {
        if value > i64::MAX.unsigned_abs() / 10 || value * 10 + digit > NANOSECONDS_MAX {
            break;
        }
        (value, scale) = (value * 10 + digit, scale * 10.0);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below one unit")]
    let part = (value as f64 * (unit as f64 / scale)) as u64;
    part
}

/// The ASCII digits at the beginning, and what follows.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Parses a Go bool; `None` where `strconv.ParseBool` would refuse it.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::fixtures::table;

    /// What Go itself says, see `tests/cluster/spelling`.
    #[derive(Deserialize)]
    struct Row {
        text: String,
        ns: Option<i64>,
        bool: Option<bool>,
    }

    #[test]
    fn a_durations_are_read_exactly_as_go_reads_them() {
        for Row { text, ns, .. } in table("durations", include_str!("../testdata/durations.jsonl"))
        {
            let read = duration(&text).map(|read| read.as_nanos());
            assert_eq!(read, ns.map(i128::from), "{text:?}");
        }
    }

    #[test]
    fn a_booleans_are_read_exactly_as_go_reads_them() {
        for Row { text, bool, .. } in table("booleans", include_str!("../testdata/booleans.jsonl"))
        {
            assert_eq!(boolean(&text), bool, "{text:?}");
        }
    }
}
