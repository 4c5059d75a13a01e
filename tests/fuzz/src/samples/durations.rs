//! Lifetimes as Go spells them, and as it does not.

use fastrand::Rng;
use perennial_core::inputs::{LIFETIME_MAX_SECONDS, LIFETIME_MIN_SECONDS};

/// The longest duration that Go knows, in seconds.
const GO_SECONDS_MAX: i64 = i64::MAX / 1_000_000_000;

/// A lifetime that the TokenRequest API takes.
pub(super) fn right(rng: &mut Rng) -> String {
    let seconds = match rng.u8(..6) {
        0 => LIFETIME_MIN_SECONDS,
        1 => LIFETIME_MAX_SECONDS,
        2 => rng.i64(LIFETIME_MIN_SECONDS..=LIFETIME_MAX_SECONDS),
        _ => rng.i64(LIFETIME_MIN_SECONDS..100_000),
    };
    spell(rng, seconds)
}

/// A Go duration that the API refuses.
pub(super) fn out_of_range(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => ["0", "-0", "0s", "599.999999999s", "9m59.9s", "1ns"][rng.usize(..6)].to_owned(),
        1 => {
            let seconds = rng.i64(0..LIFETIME_MIN_SECONDS);
            spell(rng, seconds)
        }
        2 => format!("-{}", spell_plain(rng, 43_200)),
        _ => {
            let seconds = rng.i64(LIFETIME_MAX_SECONDS + 1..GO_SECONDS_MAX);
            spell(rng, seconds)
        }
    }
}

/// One of the spellings of so many seconds; some add a part of a second, which is cut off.
fn spell(rng: &mut Rng, seconds: i64) -> String {
    let sign = if rng.u8(..8) == 0 { "+" } else { "" };
    let more = ["", "", "", "0.9s", "999ms", "1µs1ns", ".5s"][rng.usize(..7)];
    // Nothing is added at the upper end, which is one of nanoseconds too.
    let more = if seconds < GO_SECONDS_MAX - 1 { more } else { "" };
    format!("{sign}{}{more}", spell_plain(rng, seconds))
}

fn spell_plain(rng: &mut Rng, seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match rng.u8(..6) {
        0 => format!("{seconds}s"),
        1 => format!("{rest}s{minutes}m{hours}h"),
        2 => format!("{}m{rest}s", seconds / 60),
        3 => format!("00{hours}h0{minutes}m{rest}.s"),
        4 => format!("{hours}h{minutes}.0m{rest}.000s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// What Go refuses.
pub(super) fn bad(rng: &mut Rng) -> String {
    let good = right(rng);
    match rng.u8(..9) {
        0 => rng.u32(1..).to_string(), // no unit
        1 => {
            let unit = ["d", "w", "y", "H", "M", "min", "hours", "µ", "e3s"][rng.usize(..9)];
            format!("{}{unit}", rng.u8(1..))
        }
        2 => format!("{} {}", good, right(rng)),
        3 => format!("{}{good}", ["--", "+-", " ", "h", "s", "~", "\u{feff}"][rng.usize(..7)]),
        4 => format!("{good}{}", [" ", "1", ".", "-1s", "\n", "\0", ",", "/"][rng.usize(..8)]),
        5 => format!("{}99999999999999h", rng.u8(1..)),
        6 => good.replace(|c: char| c.is_ascii_digit(), "٣"),
        7 => String::new(),
        _ => (0..rng.usize(1..60)).map(|_| rng.alphabetic()).collect(),
    }
}
