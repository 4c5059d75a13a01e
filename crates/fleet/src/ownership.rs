//! Which shoots this replica of the scheduler serves, among its like.
//!
//! What is not ours stands as it stands, and has no slot in the queue: so it is not ordered. Two
//! things are ours whoever serves the shoot: what an operator asked this replica for, and what it
//! revokes. The secret-writer renews a Secret once at a time and only as it was seen, so two who order
//! the same cost nothing but a call.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    membership::{STILL, View},
    name::{ReplicaName, SecretRef},
    queue::Slot,
    shoot::ShootId,
};

use super::Fleet;

/// While Leases cannot be read, what others serve is taken when it has been waiting for so long: they
/// may be dead, and nobody could say so. Longer than a hand-over takes, so who is alive is first.
const TAKEOVER: SignedDuration = SignedDuration::from_secs(15);

/// What is known of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Ownership {
    /// There are none, and nobody looks for them: every shoot is ours.
    #[default]
    Alone,
    /// Not known, since then: at the start, and after a time in which this process stood still.
    Unread { since: Timestamp },
    /// As last read.
    Read(View),
    /// As last read, which was so long ago that those may be dead by now.
    Lost(View),
}

/// Counts for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Live replicas, this one too; 0 while that is not known.
    pub members: usize,
    /// Shoots with Secrets that this one serves.
    pub shoots: usize,
    /// Whether Leases were read within the time that one lives.
    pub is_known: bool,
}

impl Ownership {
    const fn view(&self) -> Option<&View> {
        match self {
            Self::Read(view) | Self::Lost(view) => Some(view),
            Self::Alone | Self::Unread { .. } => None,
        }
    }

    pub(super) const fn is_unread(&self) -> bool {
        matches!(self, Self::Unread { .. })
    }

    pub(super) fn is_ours(&self, shoot: &ShootId) -> bool {
        match self {
            Self::Alone => true,
            Self::Unread { .. } => false,
            Self::Read(view) | Self::Lost(view) => view.is_mine(shoot),
        }
    }

    /// What becomes of a slot of a Secret; `asked` is whether this replica serves its shoot, or was asked
    /// for it.
    pub(super) fn admit(&self, asked: bool, slot: Slot) -> Option<Slot> {
        match self {
            _ if asked => Some(slot),
            Self::Lost(_) => {
                let at = slot.at.saturating_add(TAKEOVER).unwrap_or(Timestamp::MAX);
                Some(Slot { at, ..slot })
            }
            Self::Alone | Self::Unread { .. } | Self::Read(_) => None,
        }
    }

    /// By how many the limits that all shoots share are divided.
    pub(super) fn share(&self) -> usize {
        self.view().map_or(1, |view| view.live.len().max(1))
    }
}

impl Fleet {
    /// There may be others: nothing is ordered before [`Self::hear_of_members`].
    pub fn share(&mut self, now: Timestamp) {
        self.ownership = Ownership::Unread { since: now };
    }

    /// Which replicas there are, by Leases that were asked for at `asked`.
    pub fn hear_of_members(&mut self, now: Timestamp, asked: Timestamp, view: View) {
        // What was under way while this process stood still says nothing of now.
        if matches!(&self.ownership, Ownership::Unread { since } if asked < *since) {
            return;
        }
        self.own(now, Ownership::Read(view));
    }

    /// Which replicas there are, as last read.
    #[must_use]
    pub const fn members(&self) -> Option<&View> {
        self.ownership.view()
    }

    /// Leases could not be read for as long as one lives.
    pub fn members_lost(&mut self, now: Timestamp) {
        if let Ownership::Read(view) = &self.ownership {
            let lost = Ownership::Lost(view.clone());
            self.own(now, lost);
        }
    }

    /// Whether it is not known which replicas there are.
    #[must_use]
    pub const fn is_unread(&self) -> bool {
        self.ownership.is_unread()
    }

    /// Who serves a shoot, where it is another replica.
    #[must_use]
    pub fn served_by(&self, shoot: &ShootId) -> Option<&ReplicaName> {
        let view = self.ownership.view()?;
        Some(view.owner(shoot)).filter(|owner| **owner != view.me)
    }

    /// Counts for metrics.
    #[must_use]
    pub fn sharing(&self) -> Sharing {
        let members = match &self.ownership {
            Ownership::Alone => 1,
            ownership => ownership.view().map_or(0, |view| view.live.len()),
        };
        Sharing {
            members,
            shoots: self.members.ids().filter(|shoot| self.ownership.is_ours(shoot)).count(),
            is_known: matches!(self.ownership, Ownership::Alone | Ownership::Read(_)),
        }
    }

    fn own(&mut self, now: Timestamp, next: Ownership) {
        if self.ownership == next {
            return;
        }
        let before = std::mem::replace(&mut self.ownership, next);
        let was_lost = matches!(before, Ownership::Lost(_));
        let is_lost = matches!(self.ownership, Ownership::Lost(_));
        let moves = |shoot: &&ShootId| {
            was_lost != is_lost || before.is_ours(shoot) != self.ownership.is_ours(shoot)
        };
        let moved: Vec<ShootId> = self.members.ids().filter(moves).cloned().collect();
        for shoot in moved {
            let secrets: Vec<SecretRef> = self.members.of(&shoot).collect();
            self.effects.changed.extend(secrets.iter().cloned());
            self.settle_each(now, secrets);
        }
    }

    /// This process stood still, or its clock was set ahead: another one may have taken
    /// its shoots.
    pub(super) fn notice_standstill(&mut self, now: Timestamp) {
        if let Ownership::Unread { since } = &mut self.ownership {
            *since = (*since).min(now); // the clock was set back
        }
        let stood = now.duration_since(self.ticked);
        let is_long = SignedDuration::try_from(STILL).is_ok_and(|still| stood > still);
        if is_long && self.ticked != Timestamp::MIN && self.ownership != Ownership::Alone {
            self.own(now, Ownership::Unread { since: now });
        }
    }

    /// Whether this replica serves a shoot.
    pub(super) fn is_ours(&self, shoot: &ShootId) -> bool {
        self.ownership.is_ours(shoot)
    }

    /// Whether this replica itself was asked for something about a Secret.
    pub(super) fn is_asked(&self, secret: &SecretRef) -> bool {
        let Some(entry) = self.members.get(secret) else { return false };
        entry.requested || self.revocations.of_entry(entry).is_some()
    }
}
