//! Durations and booleans as Go writes them, because annotations are written for Go
//! (`time.ParseDuration`, `strconv.ParseBool`). jiff's friendly format takes other spellings and
//! refuses some of Go's (`1h1h`, `1.5h30m`), so a Secret would mean different things to us and to
//! the reference.

use std::time::Duration;

/// Parses a Go duration such as `12h`, `1h30m`, `1.5h`; `None` where Go would refuse it, where it
/// is negative, or where it does not fit Go's 64-bit nanoseconds (about 292 years).
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let (part, after) = segment(rest)?;
        nanoseconds = nanoseconds.checked_add(part)?;
        rest = after;
    }
    let nanoseconds = u64::try_from(i64::try_from(nanoseconds).ok()?).ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// One number with its unit, in nanoseconds, and what follows.
fn segment(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    };
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More than 18 decimals are below a nanosecond even for hours; Go drops them too.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let decimals: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some((whole.checked_mul(unit)?.checked_add(decimals * unit / scale)?, rest))
}

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
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let seconds = |text| duration(text).map(|d| d.as_secs_f64());
        assert_eq!(seconds("12h"), Some(43_200.0));
        assert_eq!(seconds("1h30m"), Some(5_400.0));
        assert_eq!(seconds("30m1h"), Some(5_400.0));
        assert_eq!(seconds("1.5h"), Some(5_400.0));
        assert_eq!(seconds(".5m"), Some(30.0));
        assert_eq!(seconds("1.s"), Some(1.0));
        assert_eq!(seconds("+2s"), Some(2.0));
        assert_eq!(seconds("0"), Some(0.0));
        assert_eq!(seconds("100us"), Some(0.0001));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in ["", "12", "h", "1d", "-1h", "1 h", "1h ", "1H", ".s", "1e3s", "3000000h", "+"]
        {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn booleans_are_read_as_go_reads_them() {
        assert_eq!(boolean("T"), Some(true));
        assert_eq!(boolean("False"), Some(false));
        assert_eq!(boolean("yes"), None);
    }
}
