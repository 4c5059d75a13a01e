//! Virtual time: milliseconds since the begin, by a true clock that nobody in the simulation has.

use jiff::Timestamp;

/// Milliseconds of virtual time, or of a span of it.
pub type Ms = i64;

/// One second.
pub const SECOND: Ms = 1_000;
/// One minute.
pub const MINUTE: Ms = 60 * SECOND;
/// One hour.
pub const HOUR: Ms = 60 * MINUTE;
/// One day.
pub const DAY: Ms = 24 * HOUR;
/// One year.
pub const YEAR: Ms = 365 * DAY;

/// 2027-01-01T00:00:00Z, the begin.
const BEGIN: Ms = 1_798_761_600_000;

/// That moment on a calendar, by a clock that is `ahead` of the true one.
#[must_use]
pub fn stamp(at: Ms, ahead: Ms) -> Timestamp {
    Timestamp::from_millisecond(BEGIN + at + ahead).expect("a few years after 2027")
}

/// The true moment at which a clock that is `ahead` shows this.
#[must_use]
pub fn true_moment(shown: Timestamp, ahead: Ms) -> Ms {
    let whole = shown.as_millisecond() - BEGIN - ahead;
    // A moment between two milliseconds is reached with the second one.
    if shown.subsec_nanosecond() % 1_000_000 > 0 { whole + 1 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_shows_a_moment_earlier() {
        assert_eq!(stamp(0, 0).to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(true_moment(stamp(HOUR, 5 * SECOND), 5 * SECOND), HOUR);
        assert_eq!(true_moment(stamp(HOUR, 0), SECOND), HOUR - SECOND);
    }
}
