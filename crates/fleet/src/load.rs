//! How many renewals are planned when, and the place that the next one gets.
//!
//! Each Secret is counted at most once: at the moment up to which it is fresh, which stands on the
//! Secret, so that a restart and other replicas count the same; and from an order until it has
//! ended at the moment that was chosen, so that Secrets ordered together do not all choose the same
//! one. Seconds are by our clock.

use jiff::Timestamp;
use perennial_core::{
    levelling::{Choice, Load, ShootLoad},
    name::SecretRef,
    reason::Reason,
    window::Window,
};

use super::{
    Fleet,
    entry::{Entry, Standing},
};

/// What lies further ahead is not counted, in seconds: only a timestamp that somebody else wrote
/// can, for `--renewal-basis` is at most 30 days. It bounds what the counts cost.
const HORIZON_SECONDS: i64 = 32 * 24 * 3_600;

/// Where in which window the next token is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub window: Window,
    /// 0 to 1.
    pub place: f64,
    /// The moment that follows if the token lives as long as is expected.
    pub second: i64,
}

impl Fleet {
    /// The place of the token that is ordered now, where the fleet has least to do. `any` is a place
    /// by the hash of the record.
    pub(super) fn choose_place(
        &self,
        now: Timestamp,
        secret: &SecretRef,
        reason: Reason,
        (window, any): (Window, f64),
    ) -> Option<Place> {
        let member = self.members.shoot(&secret.namespace)?;
        let granted = member.secrets.get(&secret.name)?.expected_seconds(reason)?;
        let (now, basis) = (now.as_second(), self.settings.policy.basis_seconds);
        let (moments, wide) =
            (window.moments(granted, basis), Window::MASS_START.moments(granted, basis));
        let choice = Choice {
            now,
            window: now + moments.start()..=now + moments.end(),
            widest: now + wide.start(),
        };
        let second = choice.choose(&self.load, &member.load, seed(any));
        let is_earlier = !choice.window.contains(&second);
        let window = if is_earlier { Window::MASS_START } else { window };
        let place = window.place_of_moment(granted, basis, second - now);
        Some(Place { window, place, second })
    }

    /// Counts a renewal at the moment that was chosen for it, until it has ended.
    pub(super) fn reserve(&mut self, secret: &SecretRef, second: i64) {
        let Some(member) = self.members.shoot_mut(&secret.namespace) else { return };
        let Some(entry) = member.secrets.get_mut(&secret.name) else { return };
        entry.count_in(Some(second), &mut self.load, &mut member.load);
    }
}

impl Entry {
    /// Where it is to be counted by its standing, in seconds since the epoch.
    pub(super) fn to_plan(&self, now: Timestamp) -> Option<i64> {
        let horizon = now.as_second() + HORIZON_SECONDS;
        match &self.standing {
            Standing::Fresh { until } => Some(until.as_second()).filter(|at| *at <= horizon),
            // Reserved, see above; what needs no token changes nothing in the plan of the token.
            Standing::Renewing { .. } => self.planned_second(),
            other if other.reason().is_some_and(|reason| !reason.needs_token()) => {
                self.planned_second()
            }
            Standing::Due { .. }
            | Standing::Waiting { .. }
            | Standing::Invalid(_)
            | Standing::Obstructed(_)
            | Standing::Parked { .. } => None,
        }
    }

    /// Counts it there, and no longer where it was.
    pub(super) fn count_in(
        &mut self,
        planned: Option<i64>,
        fleet: &mut Load,
        shoot: &mut ShootLoad,
    ) {
        let before = self.planned_second();
        self.planned_in = planned.and_then(|second| u32::try_from(second).ok());
        if let Some(before) = before {
            fleet.remove(before);
            shoot.remove(before);
        }
        if let Some(second) = self.planned_second() {
            fleet.put(second);
            shoot.put(second);
        }
    }

    /// The second in which it is counted.
    pub(super) fn planned_second(&self) -> Option<i64> {
        self.planned_in.map(i64::from)
    }

    /// The lifetime that its next token is likely to have: that of the present one, unless something
    /// else is asked for now, because a shoot may grant less than is asked.
    fn expected_seconds(&self, reason: Reason) -> Option<i64> {
        let asked = self.kept.asked_seconds()?;
        let is_ours = self.kept.renew_at().is_some() && reason != Reason::InputsChanged;
        Some(self.kept.granted_seconds().filter(|_| is_ours).unwrap_or(asked))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 1 times the largest number"
)]
fn seed(place: f64) -> u64 {
    (place * u64::MAX as f64) as u64
}
