//! The real clock.

use jiff::Timestamp;
use perennial_core::clock::Clock;

/// The wall clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock; everybody else takes a Clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
