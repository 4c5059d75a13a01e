//! What counts as ordinary, for somebody who knows no plan: a plan goes from the scheduler to the
//! secret-writer, and whoever asks us may be neither.

use std::time::Duration;

use perennial_core::{
    storm::AT_ONCE_MAX,
    window::{BASIS_DEFAULT_SECONDS, Window},
};

/// Most tokens of one Secret in [`WINDOW_MAX`] (contract, B12): the first, an allowance of 8, and 7
/// by the ladder, whose pauses are 0, 10, 20, 40, 80, 160 and 320 s; the next, of 640 s, ends after
/// 1270 s.
pub(super) const TOKENS_MAX: usize = 1 + AT_ONCE_MAX as usize + 7;
/// See [`TOKENS_MAX`].
const WINDOW_MAX: Duration = Duration::from_secs(20 * 60);
/// 30 % (the earliest begin of a renewal window) of 600 s (the shortest lifetime that Kubernetes
/// grants). A shorter `--renewal-interval-min` can only come from a shorter `--renewal-basis`.
const INTERVAL_MIN_DEFAULT: Duration = Duration::from_secs(600 * 30 / 100);
/// A token that lived three quarters of the least time is an ordinary one: plan and `iat` are cut
/// to whole seconds, and two clocks are involved. The secret-writer allows the same.
const LIVED_SHARE: f64 = 0.75;

/// How long tokens live when nothing is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// `--renewal-interval-min`
    pub interval_min: Duration,
}

impl Pace {
    /// Up to here the pauses grow. No ordinary renewal comes sooner.
    pub(super) fn pause_max(self, granted_seconds: i64) -> Duration {
        self.least(granted_seconds, Window::ORDINARY)
    }

    /// A token that lived this long was renewed because it was due. Its lifetime counts, for a
    /// token of 12 h is not due after three minutes, whatever a caller says.
    pub(super) fn settled_after(self, granted_seconds: i64) -> Duration {
        self.least(granted_seconds, Window::MASS_START)
    }

    /// In any such stretch a Secret gets at most [`TOKENS_MAX`] tokens. It is what holds a caller who
    /// asks for so short a life that each token is soon due.
    pub(super) fn stretch(self) -> Duration {
        WINDOW_MAX.min(self.interval_min.saturating_mul(TOKENS_MAX as u32))
    }

    fn least(self, granted_seconds: i64, window: Window) -> Duration {
        if self.interval_min < INTERVAL_MIN_DEFAULT {
            return self.interval_min.mul_f64(LIVED_SHARE); // the basis decides, not the lifetime
        }
        let begin = window.begin_offset(granted_seconds, BASIS_DEFAULT_SECONDS);
        let of_plan = Duration::try_from_secs_f64(begin).unwrap_or_default();
        of_plan.mul_f64(LIVED_SHARE).max(self.interval_min)
    }
}
