//! Lengths of time as people write them.

use std::time::Duration;

use jiff::SignedDuration;
use perennial_core::{generation::GRACE_MAX, pause::LENGTH_MAX};

/// A grace: nothing is a grace too, and more than the longest is none.
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    let length = match text.trim() {
        "0" => Ok(Duration::ZERO),
        text => text
            .parse::<SignedDuration>()
            .map_err(|_| ())
            .and_then(|l| l.try_into().map_err(|_| ())),
    };
    let length: Duration =
        length.map_err(|()| "not a length of time; write it as 0s, 90s, 4m or 1h30m".to_owned())?;
    match length > GRACE_MAX {
        true => Err("longer than 24h; whoever can wait longer can wait for the renewal".to_owned()),
        false => Ok(length),
    }
}

/// How long a pause lasts: a second at least.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let length = text.trim().parse::<SignedDuration>();
    let length =
        length.map_err(|_| "not a length of time; write it as 90s, 45m, 2h or 1h30m".to_owned())?;
    match (SignedDuration::from_secs(1)..=LENGTH_MAX).contains(&length) {
        true => Ok(length.unsigned_abs()),
        false => Err("from 1s to 8760h; leave it out for a pause without an end".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_from_a_second_to_a_year() {
        let seconds = |text| pause(text).map(|length| length.as_secs());
        assert_eq!(["1s", "2h", "8760h"].map(seconds), [1, 7_200, 31_536_000].map(Ok));
        for wrong in ["0s", "8760h1s", "-2h"] {
            assert!(seconds(wrong).unwrap_err().starts_with("from 1s to"), "{wrong}");
        }
        assert!(seconds("soon").unwrap_err().starts_with("not a length of time"));
    }

    #[test]
    fn d_a_grace_may_be_nothing_and_a_day_at_most() {
        let seconds = |text| grace(text).map(|length| length.as_secs());
        assert_eq!(["0", "0s", "90s", "4m", "24h"].map(seconds), [0, 0, 90, 240, 86_400].map(Ok));
        for wrong in ["", "4", "-1s", "soon"] {
            assert!(seconds(wrong).unwrap_err().starts_with("not a length of time"), "{wrong}");
        }
        assert!(seconds("24h1s").unwrap_err().starts_with("longer than 24h"));
    }
}
