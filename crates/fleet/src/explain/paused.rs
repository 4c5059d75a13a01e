//! That its shoot is paused, and what that does to its token.

use perennial_core::{length::length, pause::Pause};

use super::{Finding, Subject, findings::finding};
use crate::{entry::Standing, take::HeldBack};

impl Subject<'_> {
    pub(super) fn pause(&self) -> Option<&Pause> {
        self.fleet.pause_of(&self.secret.namespace)
    }

    /// For a Secret that is not due: one that is has it in its verdict.
    pub(super) fn paused(&self) -> Option<Finding> {
        let held = self.fleet.held_back_at(self.now, &self.secret.namespace);
        let Some(HeldBack::Paused(pause)) = held else { return None };
        if matches!(self.standing(), Standing::Due { .. }) {
            return None;
        }
        let expires = self.expires_in_pause(pause);
        let cause = format!("Nothing is ordered for it, because its shoot is {pause}; {expires}.");
        Some(finding(cause, self.remedy("SHOOT_PAUSED")))
    }

    /// What becomes of its token meanwhile.
    pub(super) fn expires_in_pause(&self, pause: &Pause) -> String {
        let Some(end) = self.usable_until() else {
            return "its consumers have no usable token, and get none before that is over"
                .to_owned();
        };
        let ahead = length(end.duration_since(self.now).as_secs());
        let place = match pause.until {
            Some(until) if end <= until => ", before that is over",
            Some(_) => ", after that is over",
            None => "",
        };
        format!("its token expires in {ahead}{place}")
    }
}
