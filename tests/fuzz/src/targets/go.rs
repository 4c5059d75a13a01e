//! Durations and booleans.

use jiff::SignedDuration;
use perennial_core::{
    go::{boolean, duration},
    keys,
};

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    let keys = [keys::TOKEN_LIFETIME, keys::INJECT_CA];
    keys.iter().flat_map(|key| super::annotation(key, number)).collect()
}

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(read) = duration(text) {
        reads_as_a_duration(text, read);
    }
    if boolean(text).is_some() {
        assert!(duration(text).is_none_or(|read| read.is_zero()), "{text}");
        assert!(text.len() <= "false".len(), "{text}");
    }
}

fn reads_as_a_duration(text: &str, read: SignedDuration) {
    let plain = |c: char| c.is_ascii_digit() || "+-.hmsnuµμ".contains(c);
    assert!(text.chars().all(plain), "{text:?}");
    let nanoseconds = i64::try_from(read.as_nanos()).expect("it fits Go's");
    // A sign turns it around, and what is unsigned can be added up by writing it twice.
    let Some(unsigned) = text.strip_prefix(['+', '-']) else {
        let twice = duration(&format!("{text}{text}"));
        let sum = nanoseconds.checked_mul(2).map(SignedDuration::from_nanos);
        assert_eq!(twice, sum.filter(|_| text != "0"), "{text}");
        assert_eq!(duration(&format!("-{text}")), Some(-read), "{text}");
        return;
    };
    if nanoseconds != i64::MIN {
        assert_eq!(duration(unsigned).map(SignedDuration::abs), Some(read.abs()), "{text}");
    }
}
