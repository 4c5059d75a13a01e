//! The outage budget: how long a shoot, the seed or Perennial may be away without a token expiring.
//!
//! ```text
//! iat ├──────────────── latest ┤◄──────── left for an outage ────────────►┤ exp
//!                              ├── n, what is to be survived ──┤── MARGIN ──┤
//! ```
//!
//! An outage may begin in the last moment before a renewal. So a token survives *n* if so much of its life is
//! left at the planned moment, and what it takes after that ([`MARGIN`]). Since a token is renewed by
//! 80 % of min(granted, basis) (B4), a budget is nothing but a shorter basis: [`Budget::basis`].

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    length::length,
    window::{LATEST_SHARE, RESERVE_SECONDS},
};

#[cfg(test)]
mod tests;

/// What is left for the end of an outage: until everything is noticed to be back (a look at a shoot
/// a minute, probes after pauses of 15 s: 75 s), 12 s until another scheduler has taken over, a backlog of
/// 100,000 at 1,000 a second (100 s), and until every consumer has read the new token (240 s, B4): 427 s,
/// rounded up to ten minutes.
pub const MARGIN: Duration = Duration::from_secs(600);
const _: () = assert!(75 + 12 + 100 + RESERVE_SECONDS <= MARGIN.as_secs() as i64);

/// The lifetime that is asked for where a Secret says none (contract, section A), in seconds.
pub const LIFETIME_DEFAULT_SECONDS: i64 = 12 * 60 * 60;

/// A token that would have to be renewed in less than this is no way to survive anything: a fleet of
/// 30,000 would be renewed by 50 a second without end. Seconds.
const LATEST_MIN_SECONDS: i64 = 600;

/// What an operator wants to survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// A shoot that does not answer.
    pub shoot: Option<Duration>,
    /// A seed that does not answer.
    pub seed: Option<Duration>,
    /// All of Perennial.
    pub perennial: Option<Duration>,
}

/// It cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{flag} {asked} cannot be survived: a token lives {life} where its Secret says nothing else; less {asked} \
     and {margin} until all is back and every consumer has read its new token, {left} are left to renew it in, \
     and at least {least} are needed; survive at most {most}, or ask for tokens of at least {life_needed} \
     (annotation serviceaccount.resources.gardener.cloud/token-expiration-duration) and say so with \
     --survive-lifetime",
    margin = length_of(MARGIN), least = length(LATEST_MIN_SECONDS)
)]
pub struct Impossible {
    flag: &'static str,
    asked: String,
    life: String,
    left: String,
    most: String,
    life_needed: String,
}

/// Whether a token survives what is to be survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It does.
    Holds,
    /// Its Secret asks for a life that is too short.
    LifetimeTooShort,
    /// Its shoot grants less than was asked for.
    GrantedLess,
    /// Somebody else wrote it, and the timestamp is theirs (B4): it survives it from its next renewal on.
    TakenOver,
    /// It should have been renewed by now: the outage is here.
    Overdue,
    /// There is none that a consumer could use.
    NoToken,
    /// Its Secret asks for something impossible, or cannot be written.
    Unserved,
}

/// What is known of a token, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From `iat` to `exp`.
    pub granted: i64,
    /// What its Secret asks for.
    pub asked: i64,
    /// From its planned moment to `exp`.
    pub left_at_renewal: i64,
    /// Whether its latest moment of renewal has passed.
    pub is_overdue: bool,
    /// Whether we wrote it; the basis is for those.
    pub is_ours: bool,
}

impl Budget {
    /// Whether anything is to be survived.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.shoot.is_some() || self.seed.is_some() || self.perennial.is_some()
    }

    /// The longest of all: whatever is away, nothing is renewed.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let all = [self.shoot, self.seed, self.perennial];
        all.into_iter().flatten().max().unwrap_or_default()
    }

    /// Life that a token must have left at its planned moment.
    #[must_use]
    pub fn needed(&self) -> Duration {
        if self.is_set() { self.longest().saturating_add(MARGIN) } else { Duration::ZERO }
    }

    /// The basis by which tokens of that life survive it, in seconds: that of the operator, or a shorter
    /// one.
    ///
    /// # Errors
    /// When no basis is short enough, with the arithmetic.
    pub fn basis(&self, basis_seconds: i64, lifetime_seconds: i64) -> Result<i64, Impossible> {
        if !self.is_set() {
            return Ok(basis_seconds);
        }
        let needed = seconds(self.needed());
        let latest = lifetime_seconds - needed;
        if latest < LATEST_MIN_SECONDS {
            return Err(self.impossible(lifetime_seconds, latest));
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds; floor is never later")]
        let basis = (latest as f64 / LATEST_SHARE).floor() as i64;
        Ok(basis.min(basis_seconds))
    }

    fn impossible(&self, lifetime: i64, left: i64) -> Impossible {
        let longest = Some(self.longest());
        let flag = match longest {
            _ if self.shoot == longest => "--survive-shoot-outage",
            _ if self.seed == longest => "--survive-seed-outage",
            _ => "--survive-perennial-outage",
        };
        let most = (lifetime - seconds(MARGIN) - LATEST_MIN_SECONDS).max(0);
        Impossible {
            flag,
            asked: length_of(self.longest()),
            life: length(lifetime),
            left: if left > 0 { length(left) } else { "none".to_owned() },
            most: length(most),
            life_needed: length(seconds(self.needed()) + LATEST_MIN_SECONDS),
        }
    }

    /// Whether a token survives it.
    #[must_use]
    pub fn judge(&self, life: Life) -> Verdict {
        let needed = seconds(self.needed());
        if life.is_overdue {
            Verdict::Overdue
        } else if life.left_at_renewal >= needed {
            Verdict::Holds
        } else if life.granted < life.asked {
            Verdict::GrantedLess
        } else if !life.is_ours {
            Verdict::TakenOver
        } else {
            Verdict::LifetimeTooShort
        }
    }

    /// The least life, in seconds, with which a token that is renewed by that basis survives it.
    #[must_use]
    pub fn lifetime_needed(&self, basis_seconds: i64) -> i64 {
        let needed = seconds(self.needed());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole seconds; a second more than needed"
        )]
        let by_basis = needed + (LATEST_SHARE * basis_seconds as f64).ceil() as i64;
        #[expect(clippy::cast_possible_truncation, reason = "as above")]
        let by_share = (needed as f64 / (1.0 - LATEST_SHARE)).ceil() as i64;
        by_basis.min(by_share)
    }
}

/// How often a token of that life is renewed a day at least, at that basis.
#[must_use]
pub fn renewals_per_day(lifetime_seconds: i64, basis_seconds: i64) -> f64 {
    86_400.0 / crate::window::latest_offset(lifetime_seconds, basis_seconds).max(1.0)
}

impl Verdict {
    /// All that do not hold.
    pub const BROKEN: [Self; 6] = [
        Self::LifetimeTooShort,
        Self::GrantedLess,
        Self::TakenOver,
        Self::Overdue,
        Self::NoToken,
        Self::Unserved,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::LifetimeTooShort => "lifetime_too_short",
            Self::GrantedLess => "granted_less",
            Self::TakenOver => "taken_over",
            Self::Overdue => "overdue",
            Self::NoToken => "no_token",
            Self::Unserved => "unserved",
        }
    }
}

/// Seconds from the planned moment to the end.
#[must_use]
pub fn left_at_renewal(planned: Timestamp, expires_at: Timestamp) -> i64 {
    expires_at.as_second() - planned.as_second()
}

fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

fn length_of(duration: Duration) -> String {
    length(seconds(duration))
}
