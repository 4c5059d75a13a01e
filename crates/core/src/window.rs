//! When a token is renewed: the window of contract B4 and the place in it.
//!
//! ```text
//! iat ├──────────────────── granted ────────────────────────────┤ exp
//!     ├──────── from ────────┤╌╌ window ╌╌┤ latest
//!                                  ▲ planned: chosen once per token
//! ```

use std::ops::RangeInclusive;

use jiff::Timestamp;

use crate::token::Claims;

/// Default of `--renewal-basis`: the lifetime beyond which a token is renewed as if it lived only
/// this long.
pub const BASIS_DEFAULT_SECONDS: i64 = 24 * 60 * 60;
/// Share of min(granted, basis) by which a token is renewed.
pub const LATEST_SHARE: f64 = 0.80;
/// Kept at the end of a life, in seconds: a mounted Secret takes 1–3 minutes to reach a client
/// that reads its file again once a minute.
pub const RESERVE_SECONDS: i64 = 240;
/// A window shorter than this has one place, in seconds: timestamps are whole seconds.
const WINDOW_MIN_SECONDS: f64 = 2.0;
/// By how much the last place of a window lies before *latest*, in seconds, or a tenth of the
/// window where that is less. *Latest* stands on the Secret, where the reference obeys it: a renewal
/// that began only then would be a race, and cost two tokens.
const LEAD_SECONDS: f64 = 10.0;
/// Share of its `exp` by which the reference renews, jitter included.
const REFERENCE_SHARE: f64 = 0.84;

/// Seconds after `iat` by which a token must be renewed:
/// min(80 % × min(granted, basis), granted − 240 s).
///
/// A token of less than 480 s would have half its life or less by that rule, down to none at all;
/// it gets half its life. API servers do not grant such tokens (600 s is their least).
#[must_use]
pub fn latest_offset(granted_seconds: i64, basis_seconds: i64) -> f64 {
    let capped = granted_seconds.min(basis_seconds) as f64;
    let reserved = (granted_seconds - RESERVE_SECONDS).max(granted_seconds / 2) as f64;
    (LATEST_SHARE * capped).min(reserved)
}

/// The latest moment of renewal, whole seconds, by the shoot's clock.
#[must_use]
pub fn latest(claims: &Claims, basis_seconds: i64) -> Timestamp {
    latest_of(claims.issued_at, claims.expires_at, basis_seconds)
}

/// The same of a token that lives from one moment to another.
#[must_use]
pub fn latest_of(issued_at: Timestamp, expires_at: Timestamp, basis_seconds: i64) -> Timestamp {
    let granted = expires_at.as_second() - issued_at.as_second();
    after(issued_at, expires_at, latest_offset(granted, basis_seconds))
}

/// How far the reference's own timestamp is honoured (B4, last sentence).
#[must_use]
pub fn latest_of_reference(claims: &Claims) -> Timestamp {
    let granted = claims.granted_seconds().min(BASIS_DEFAULT_SECONDS) as f64;
    after(claims.issued_at, claims.expires_at, REFERENCE_SHARE * granted)
}

fn after(issued_at: Timestamp, expires_at: Timestamp, seconds: f64) -> Timestamp {
    let second = issued_at.as_second().saturating_add(whole(seconds));
    Timestamp::from_second(second).unwrap_or(expires_at)
}

#[expect(clippy::cast_possible_truncation, reason = "whole seconds; floor is never later")]
fn whole(seconds: f64) -> i64 {
    seconds.max(0.0).floor() as i64
}

/// Where a window begins, as a share of min(granted, basis).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    from: f64,
}

impl Window {
    /// As a rule: from 72 %.
    pub const ORDINARY: Self = Self { from: 0.72 };
    /// For the first token after a mass start: from 30 %, so that the load of one moment spreads.
    pub const MASS_START: Self = Self { from: 0.30 };

    /// A window from `share`, clamped to what B4 allows: 30 % to 80 %. Whatever a caller orders,
    /// no token is renewed sooner, and none later than [`latest`].
    #[must_use]
    pub fn from_share(share: f64) -> Self {
        let share = if share.is_finite() { share } else { Self::ORDINARY.from };
        Self { from: share.clamp(Self::MASS_START.from, LATEST_SHARE) }
    }

    /// The share at which it begins.
    #[must_use]
    pub const fn share(self) -> f64 {
        self.from
    }

    /// Seconds after `iat` at which it begins. Where the reserve of 240 s brings *latest* forward,
    /// the window shrinks in proportion.
    #[must_use]
    pub fn begin_offset(self, granted_seconds: i64, basis_seconds: i64) -> f64 {
        latest_offset(granted_seconds, basis_seconds) * self.from / LATEST_SHARE
    }

    /// The moments that [`Plan::draw`] can give, in whole seconds after `iat`.
    #[must_use]
    pub fn moments(self, granted_seconds: i64, basis_seconds: i64) -> RangeInclusive<i64> {
        let (begin, last, _) = self.offsets(granted_seconds, basis_seconds);
        whole(begin)..=whole(last)
    }

    /// The place, 0 to 1, from which [`Plan::draw`] makes the moment `offset` seconds after `iat`, one
    /// of [`Window::moments`].
    #[must_use]
    pub fn place_of_moment(self, granted_seconds: i64, basis_seconds: i64, offset: i64) -> f64 {
        let (begin, _, end) = self.offsets(granted_seconds, basis_seconds);
        // The middle of the second, so that no rounding makes another one of it.
        let place = (offset as f64 + 0.5 - begin) / (end - begin);
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 1.0 }
    }

    /// First and last place, and the end, in seconds after `iat`.
    fn offsets(self, granted_seconds: i64, basis_seconds: i64) -> (f64, f64, f64) {
        let begin = self.begin_offset(granted_seconds, basis_seconds);
        let end = latest_offset(granted_seconds, basis_seconds);
        match end - begin < WINDOW_MIN_SECONDS {
            true => (end, end, end),
            false => (begin, end - LEAD_SECONDS.min((end - begin) / 10.0), end),
        }
    }
}

/// The moment chosen for one token and the moment it must not pass. Made once, when the token is
/// written, and kept on the Secret; so it is the same for every reader and after every restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Planned moment of renewal, `perennial.dev/issued`.
    pub planned: Timestamp,
    /// Latest moment of renewal, the renew timestamp.
    pub latest: Timestamp,
}

impl Plan {
    /// Draws the plan of a token: `place` runs from 0 (begin of the window) to 1 (just before *latest*).
    #[must_use]
    pub fn draw(claims: &Claims, basis_seconds: i64, window: Window, place: f64) -> Self {
        let (begin, last, end) = window.offsets(claims.granted_seconds(), basis_seconds);
        let place = if place.is_finite() { place.clamp(0.0, 1.0) } else { 1.0 };
        let offset = (begin + place * (end - begin)).min(last);
        let at = |seconds| after(claims.issued_at, claims.expires_at, seconds);
        Self { planned: at(offset), latest: at(end) }
    }
}

/// A place in the window, from 0 to 1, that depends on `seed` alone: whoever decides twice on the
/// same Secret draws the same place.
#[must_use]
pub fn place_of(seed: &[u8]) -> f64 {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(seed);
    let head = digest.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    f64::from(head) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{at, jwt};

    const HOUR: i64 = 3_600;

    fn granted(seconds: i64) -> Claims {
        Claims::read(jwt("kube-system", "kube-proxy", 0, seconds).as_bytes()).unwrap()
    }

    #[test]
    fn b4_the_worked_examples_of_the_contract() {
        let latest_of = |lifetime, basis| latest(&granted(lifetime), basis).as_second();
        assert_eq!(latest_of(100 * HOUR, BASIS_DEFAULT_SECONDS), 19 * HOUR + 12 * 60);
        assert_eq!(latest_of(600, BASIS_DEFAULT_SECONDS), 6 * 60);
        assert_eq!(latest_of(12 * HOUR, BASIS_DEFAULT_SECONDS), 12 * HOUR * 8 / 10);
        assert_eq!(latest_of(12 * HOUR, 8), 6, "6.4 s, in whole seconds");
    }

    #[test]
    fn b4_the_window_runs_from_72_percent_to_just_before_latest() {
        let claims = granted(100_000);
        let planned = |place| Plan::draw(&claims, 100_000, Window::ORDINARY, place).planned;
        assert_eq!(planned(0.0), at(72_000));
        assert_eq!(planned(0.5), at(76_000));
        assert_eq!(planned(1.0), at(79_990), "the reference obeys the timestamp, 80,000");
    }

    #[test]
    fn b4_after_a_mass_start_the_window_opens_at_30_percent() {
        let plan = Plan::draw(&granted(100_000), 100_000, Window::MASS_START, 0.0);
        assert_eq!(plan.planned, at(30_000));
    }

    #[test]
    fn b4_a_window_under_two_seconds_has_one_place() {
        let claims = granted(600);
        for place in [0.0, 0.3, 1.0] {
            assert_eq!(Plan::draw(&claims, 8, Window::ORDINARY, place).planned, at(6));
        }
    }

    proptest! {
        #[test]
        fn b4_never_later_than_latest_and_never_before_30_percent_of_it(
            lifetime in 1_i64..10_000_000, basis in 1_i64..10_000_000,
            share in any::<f64>(), place in any::<f64>(),
        ) {
            let claims = granted(lifetime);
            let plan = Plan::draw(&claims, basis, Window::from_share(share), place);
            let offset = latest_offset(lifetime, basis);
            prop_assert!(plan.planned <= plan.latest);
            prop_assert!(plan.latest < claims.expires_at);
            prop_assert!(plan.latest.as_second() as f64 <= offset);
            prop_assert!(plan.planned.as_second() as f64 >= (offset * 0.30 / 0.80).floor());
        }

        #[test]
        fn every_moment_of_a_window_has_a_place_that_draws_it(
            lifetime in 1_i64..10_000_000, basis in 1_i64..10_000_000,
            share in 0.30..0.80, pick in any::<u64>(),
        ) {
            let window = Window::from_share(share);
            let moments = window.moments(lifetime, basis);
            let count = (moments.end() - moments.start() + 1).unsigned_abs();
            let offset = moments.start() + i64::try_from(pick % count).unwrap();
            let place = window.place_of_moment(lifetime, basis, offset);
            let plan = Plan::draw(&granted(lifetime), basis, window, place);
            prop_assert_eq!(plan.planned, at(offset));
        }

        #[test]
        fn the_place_depends_on_the_seed_alone(seed in any::<Vec<u8>>()) {
            let place = place_of(&seed);
            prop_assert_eq!(place, place_of(&seed));
            prop_assert!((0.0..=1.0).contains(&place));
        }
    }
}
