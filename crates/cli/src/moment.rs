//! Moments as text: absolute in UTC, and how far away.

use jiff::Timestamp;
use perennial_core::length::length;

/// Such as `2026-11-23T20:00:00Z`; `-` for none or for one that is none.
#[must_use]
pub fn absolute(moment: Option<&prost_types::Timestamp>) -> String {
    let parsed = moment.and_then(|moment| Timestamp::from_second(moment.seconds).ok());
    parsed
        .map_or_else(|| "-".to_owned(), |moment| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Such as `in 7h12m`, `3m05s ago` or `now`.
#[must_use]
pub fn relative(moment: &prost_types::Timestamp, now: Timestamp) -> String {
    match moment.seconds.saturating_sub(now.as_second()) {
        0 => "now".to_owned(),
        ahead @ 1.. => format!("in {}", length(ahead)),
        behind => format!("{} ago", length(behind.saturating_neg())),
    }
}

/// Such as `2026-11-23T20:00:00Z (in 7h12m)`.
#[must_use]
pub fn both(moment: Option<&prost_types::Timestamp>, now: Timestamp) -> String {
    match moment {
        Some(at) => format!("{} ({})", absolute(moment), relative(at, now)),
        None => "-".to_owned(),
    }
}

/// Such as `43 ms`, or `2.3 s` from one second on.
#[must_use]
pub fn took(length: &prost_types::Duration) -> String {
    match (length.seconds, length.nanos / 1_000_000) {
        (0, milliseconds) => format!("{milliseconds} ms"),
        (seconds, milliseconds) => format!("{seconds}.{} s", milliseconds / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_from_here() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
        assert_eq!(both(Some(&at(1_025_920)), now), "1970-01-12T20:58:40Z (in 7h12m)");
        assert_eq!(relative(&at(999_815), now), "3m05s ago");
        assert_eq!(relative(&at(1_000_000), now), "now");
        assert_eq!(both(None, now), "-");
        assert_eq!(absolute(Some(&at(i64::MAX))), "-", "whatever a scheduler may send");
        assert_eq!(relative(&at(i64::MIN), now), "106751991167300d15h ago");
    }

    #[test]
    fn how_long_something_took_is_told_in_the_unit_that_fits() {
        let length = |seconds, nanos| took(&prost_types::Duration { seconds, nanos });
        assert_eq!(length(0, 43_900_000), "43 ms");
        assert_eq!(length(2, 300_000_000), "2.3 s");
    }
}
