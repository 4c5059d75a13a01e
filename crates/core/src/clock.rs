//! Where "now" comes from.
//!
//! Expiry is wall-clock time, so the wall clock decides. A monotonic timer stands still while a
//! machine sleeps, which is why nothing here waits for a moment: callers look at the clock on a
//! short tick.

use std::fmt::Debug;

use jiff::Timestamp;

/// Source of the wall-clock time. `SystemClock` in the process crate is the only real one.
pub trait Clock: Send + Sync + Debug {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}
