//! When its turn comes, for a Secret that waits for the limits.

use perennial_core::length::length;

use super::{Finding, Subject, findings::finding};
use crate::entry::Standing;

/// Who waits for less is not told of it, in seconds.
const WORTH_TELLING: f64 = 2.0;

impl Subject<'_> {
    /// By the present rates; whether that is in time is what somebody has to know.
    pub(super) fn turn(&self) -> Option<Finding> {
        let Standing::Due { .. } = self.standing() else { return None };
        if self.fleet.held_back(self.now).is_some() {
            return None;
        }
        let shoot = &self.secret.namespace;
        let place = self.fleet.queue.ahead_of(self.secret)? + 1;
        let rate = self.fleet.share_of(self.now, shoot);
        let wait = place as f64 / rate;
        if wait < WORTH_TELLING {
            return None;
        }
        let seconds = jiff::SignedDuration::try_from_secs_f64(wait).ok()?;
        let turn = self.now.saturating_add(seconds).ok()?;
        let (expires, latest) =
            (self.usable_until(), self.entry.latest(&self.fleet.settings.policy));
        let latest = latest.map(|latest| self.ours(latest));
        let (verdict, code) = if expires.is_some_and(|end| end < turn) {
            ("its token expires before that", "TURN_TOO_LATE")
        } else if latest.is_some_and(|latest| latest < self.now) {
            ("its latest moment of renewal has passed", "TURN_TOO_LATE")
        } else if latest.is_some_and(|latest| latest < turn) {
            ("its latest moment of renewal passes before that", "TURN_TOO_LATE")
        } else {
            ("nothing passes before that", "")
        };
        Some(finding(
            format!(
                "It is number {place} in the queue of its shoot, which is served at {rate:.1} a second \
                 at present, so its turn comes in about {}; {verdict}.",
                length(seconds.as_secs()),
            ),
            self.remedy(code),
        ))
    }
}
