//! Pauses between failed attempts at one Secret. They double, and shrink as expiry comes near, so
//! that a token with little life left is tried more often and never waits past its end.

use std::time::Duration;

use jiff::Timestamp;

/// First pause.
pub const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause while the token has plenty of life.
pub const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);
/// Longest pause once there is nothing usable: somebody is waiting.
pub const PAUSE_MAX_WITHOUT_TOKEN: Duration = Duration::from_secs(30);
/// At least this many more attempts fit before expiry, while pauses stay above the first one.
const ATTEMPTS_LEFT_MIN: u32 = 8;

/// `first`, doubled so many times (at most 16), and no longer than `longest`.
#[must_use]
pub fn doubled(first: Duration, doublings: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << doublings.min(16)).min(longest)
}

/// Pause after `failures` failed attempts in a row (at least 1). `expires_at` is the end of the
/// token that is held, `None` where nothing usable is; `place`, 0 to 1, spreads Secrets that
/// failed together over the last quarter of the pause.
#[must_use]
pub fn pause(now: Timestamp, failures: u32, expires_at: Option<Timestamp>, place: f64) -> Duration {
    let left = expires_at.and_then(|end| Duration::try_from(end.duration_since(now)).ok());
    let bound = match left {
        Some(left) if !left.is_zero() => PAUSE_MAX.min(left / ATTEMPTS_LEFT_MIN).max(PAUSE_MIN),
        _ => PAUSE_MAX_WITHOUT_TOKEN,
    };
    doubled(PAUSE_MIN, failures.saturating_sub(1), bound)
        .mul_f64(0.75 + 0.25 * place.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::at;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let far = Some(at(1_000_000));
        let seconds = |failures| pause(at(0), failures, far, 1.0).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [1, 2, 4, 8]);
        assert_eq!(seconds(30), 300);
    }

    #[test]
    fn pauses_shrink_as_expiry_comes_near() {
        let seconds = |left| pause(at(0), 30, Some(at(left)), 1.0).as_secs();
        assert_eq!([2_400, 800, 80, 8, 1].map(seconds), [300, 100, 10, 1, 1]);
        assert_eq!(pause(at(0), 30, None, 1.0), PAUSE_MAX_WITHOUT_TOKEN);
    }

    proptest! {
        #[test]
        fn a_pause_always_leaves_time_for_another_attempt(
            left in 8_i64..10_000_000, failures in 1_u32..100, place in 0.0_f64..=1.0,
        ) {
            let pause = pause(at(0), failures, Some(at(left)), place);
            prop_assert!(pause <= Duration::from_secs(left as u64) / 8);
            prop_assert!(!pause.is_zero());
        }
    }
}
