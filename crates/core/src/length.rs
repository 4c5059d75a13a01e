//! Lengths of time as people write them.

/// A length of time in seconds with at most two units, such as `6s`, `9m58s`, `7h12m`, `29d4h`; a
/// negative one has a minus.
#[must_use]
pub fn length(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{rest}s"),
        (0, 0, _) => format!("{sign}{minutes}m{rest:02}s"),
        (0, _, _) => format!("{sign}{hours}h{minutes:02}m"),
        _ => format!("{sign}{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_at_most_two_units() {
        let texts = [0, 59, 61, 25_920, 2_520_000, -5].map(length);
        assert_eq!(texts, ["0s", "59s", "1m01s", "7h12m", "29d4h", "-5s"]);
        assert_eq!(length(i64::MIN), "-106751991167300d15h");
    }
}
