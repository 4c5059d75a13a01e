//! Crash points: named places at which a test ends the process as `kill -9` would.
//!
//! A point stands between two steps of which the first has effects outside. `FAILPOINTS` names those
//! that can crash, each with a file: `scheduler.ordered=return(/dir/scheduler.ordered);…`. While that
//! file is there the point is armed. The process removes it and aborts, so a point crashes once each
//! time it is armed, and the process that is started again goes on.
//!
//! Without the feature `failpoints` a point is nothing at all, and `FAILPOINTS` is not read.

#[cfg(feature = "failpoints")]
pub use armed::{arm, point};

/// Said at the start of a process that may crash on purpose, and looked for by tests.
pub const ARMED: &str = "crash points are built in and may end this process";

#[cfg(feature = "failpoints")]
mod armed {
    use std::fs;

    use fail::{FailScenario, fail_point};
    use tracing::warn;

    /// Reads `FAILPOINTS`. Points crash until the guard is dropped.
    ///
    /// # Panics
    /// `FAILPOINTS` cannot be parsed.
    #[must_use]
    pub fn arm() -> impl Sized {
        let scenario = FailScenario::setup();
        for (name, action) in fail::list() {
            warn!(name, action, "{}", super::ARMED);
        }
        scenario
    }

    /// Ends the process if this point is armed.
    pub fn point(name: &str) {
        fail_point!(name, crash_once);
    }

    fn crash_once(file: Option<String>) {
        // Whoever removes the file crashes: of two that come here together only one does.
        if file.is_some_and(|file| fs::remove_file(file).is_ok()) {
            std::process::abort();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_point_that_is_not_armed_does_nothing() {
            let folder = std::env::temp_dir().join("perennial-no-such-folder");
            let scenario = FailScenario::setup();
            fail::cfg("here", &format!("return({})", folder.join("armed").display())).unwrap();

            point("here");
            point("elsewhere");
            scenario.teardown();
        }
    }
}

/// Nothing, in a build without crash points.
#[cfg(not(feature = "failpoints"))]
#[must_use]
pub const fn arm() -> impl Sized {}

/// Nothing, in a build without crash points.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub const fn point(_name: &str) {}
