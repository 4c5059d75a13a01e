//! The real clock.
//!
//! In builds with the feature `failpoints` it can be set wrong, for one process at a time: that is
//! how a node looks to us whose clock is off. Certificates are checked by rustls, which has a clock
//! of its own, so TLS goes on to be true.

use jiff::Timestamp;
use perennial_core::clock::Clock;

/// By how much the clock of this process is ahead, such as `13h` or `-13h`. Without the feature
/// `failpoints` it is not read.
pub const AHEAD: &str = "PERENNIAL_CLOCK_AHEAD";

/// The wall clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock; everybody else takes a Clock"
    )]
    fn now(&self) -> Timestamp {
        wrong::set(Timestamp::now())
    }
}

#[cfg(feature = "failpoints")]
mod wrong {
    use std::sync::LazyLock;

    use jiff::{SignedDuration, Timestamp};

    static AHEAD: LazyLock<SignedDuration> = LazyLock::new(|| match std::env::var(super::AHEAD) {
        Ok(text) => text.parse().expect("a test writes no nonsense"),
        Err(_) => SignedDuration::ZERO,
    });

    pub(super) fn set(now: Timestamp) -> Timestamp {
        now.checked_add(*AHEAD).unwrap_or(now)
    }
}

#[cfg(not(feature = "failpoints"))]
mod wrong {
    #[inline]
    pub(super) const fn set(now: jiff::Timestamp) -> jiff::Timestamp {
        now
    }
}
