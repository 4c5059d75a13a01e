//! The clock of a shoot, by which the times of its tokens are compared.

use jiff::{SignedDuration, Timestamp};

use super::ShootView;
use crate::record::Stamp;

/// The present moment at the shoot.
#[derive(Clone, Copy)]
pub(super) struct ShootClock {
    now: Timestamp,
    offset: SignedDuration,
    known: bool,
}

impl ShootClock {
    pub(super) fn of(now: Timestamp, shoot: ShootView<'_>) -> Self {
        let offset = match shoot {
            ShootView::Seen(status) => status.clock_offset,
            ShootView::Missing | ShootView::Unknown => None,
        };
        Self { now, offset: offset.unwrap_or(SignedDuration::ZERO), known: offset.is_some() }
    }

    pub(super) fn has_passed(self, moment: Timestamp) -> bool {
        self.now.checked_add(self.offset).is_ok_and(|shoot_now| moment <= shoot_now)
    }

    /// Until the shoot's clock was seen, `exp` alone says nothing while the timestamp lies ahead:
    /// a restart must never re-issue a fleet because two clocks disagree (contract, section C).
    pub(super) fn may_be_wrong_about(self, stamp: Stamp) -> bool {
        !self.known && matches!(stamp, Stamp::At(stamp) if !self.has_passed(stamp))
    }

    pub(super) fn ours(self, moment: Timestamp) -> Timestamp {
        moment.checked_sub(self.offset).unwrap_or(moment)
    }
}
