//! Where a Secret stands, and all that follows from it: its slot in the queue and its place in the load.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    levelling::{Load, ShootLoad},
    name::SecretRef,
    queue::Queue,
};

use super::{
    Effects,
    entry::{Entry, Standing},
    ownership::Ownership,
};

/// One Secret with everything that its standing changes, found once.
pub(super) struct Seat<'a> {
    pub secret: &'a SecretRef,
    /// It is the token-issuer's own of its shoot.
    pub own: bool,
    /// This replica serves its shoot, or was asked for it.
    pub asked: bool,
    pub ownership: &'a Ownership,
    /// The clock of its shoot minus ours.
    pub clock_offset: SignedDuration,
    pub entry: &'a mut Entry,
    pub load_of_shoot: &'a mut ShootLoad,
    pub load: &'a mut Load,
    pub queue: &'a mut Queue,
    pub effects: &'a mut Effects,
    pub first_tokens: &'a mut usize,
}

impl Seat<'_> {
    /// Gives it its standing.
    pub(super) fn take(self, now: Timestamp, standing: Standing) {
        let Self { secret, entry, queue, .. } = self;
        *self.first_tokens += usize::from(standing.wants_first_token());
        *self.first_tokens -= usize::from(entry.standing.wants_first_token());
        if entry.standing != standing {
            entry.note_trouble(now, &standing);
            entry.standing = standing;
            self.effects.changed.insert(secret.clone());
        }
        let theirs = now.saturating_add(self.clock_offset).unwrap_or(now);
        let slot = entry.slot(theirs, self.own);
        let admit = |slot| self.ownership.admit(self.asked, slot);
        match slot.and_then(admit) {
            None => queue.remove(secret),
            Some(slot) if queue.slot(secret) == Some(slot) => {}
            Some(slot) => queue.put(secret.clone(), slot),
        }
        let planned = entry.to_plan(now);
        if planned != entry.planned_second() {
            entry.count_in(planned, self.load, self.load_of_shoot);
        }
    }
}
