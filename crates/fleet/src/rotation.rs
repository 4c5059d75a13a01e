//! Tokens that are outdated by what their shoot says as a whole: its keys and its issuer.
//!
//! Reviewed whenever a token or the shoot changes, but only on a whole set of records: half of them
//! would let an old token pass for the newest.

use jiff::Timestamp;
use perennial_core::{
    name::SecretRef,
    shoot::ShootId,
    signing::{Rotation, Untold},
};

use super::{Fleet, RecordsFeed, entry::Entry, members::Member};

impl Fleet {
    /// Counts what the token of a Secret says of key and issuer: after each change of its record,
    /// where [`Fleet::unmark`] was called before it.
    pub(super) fn mark(&mut self, secret: &SecretRef) {
        let Some(member) = self.members.shoot_mut(&secret.namespace) else { return };
        let mark = member.secrets.get(&secret.name).and_then(|entry| entry.kept.mark());
        mark.iter().for_each(|mark| member.marks.add(mark));
    }

    /// Counts it out again.
    pub(super) fn unmark(&mut self, secret: &SecretRef) {
        let Some(member) = self.members.shoot_mut(&secret.namespace) else { return };
        let mark = member.secrets.get(&secret.name).and_then(|entry| entry.kept.mark());
        mark.iter().for_each(|mark| member.marks.remove(mark));
    }

    /// Looks at what a shoot says of its keys and its issuer; where that is new, decides about all
    /// of its Secrets.
    pub(super) fn review(&mut self, now: Timestamp, shoot: &ShootId) {
        if self.records != RecordsFeed::Whole {
            return;
        }
        let Some(member) = self.members.shoot_mut(shoot) else { return };
        let is_quiet = member.rotation.is_quiet() && member.marks.are_of_one();
        if is_quiet && self.shoots.has_every_key(shoot) {
            return; // as nearly always
        }
        let keys = self.shoots.key_set(shoot);
        let rotation = member.rotation.review(now, &keys, &member.marks);
        if rotation != member.rotation {
            member.rotation = rotation;
            let secrets = self.members.of(shoot).collect();
            self.settle_each(now, secrets);
        }
    }

    pub(super) fn review_all(&mut self, now: Timestamp) {
        let shoots: Vec<_> = self.members.ids().cloned().collect();
        shoots.iter().for_each(|shoot| self.review(now, shoot));
    }

    /// How many tokens name a key that is not in the key set of their shoot, without its being told
    /// that it was withdrawn.
    pub(super) fn keys_untold(&self, now: Timestamp) -> usize {
        let of = |shoot: &ShootId| {
            let keys = self.shoots.key_set(shoot);
            let untold = |member: &Member| {
                let of = |entry: &Entry| {
                    let is_published = entry.kept.key_id().is_none_or(|id| keys.ids.contains(id));
                    !is_published
                        && Rotation::untold(now, &keys, &member.marks, &entry.record()).is_some()
                };
                member.secrets.values().filter(|entry| of(entry)).count()
            };
            self.members.shoot(shoot).map_or(0, untold)
        };
        self.members.ids().map(of).sum()
    }

    /// Why it cannot be told of the key that signed the token of a Secret whether it was withdrawn,
    /// where it is not in the key set.
    pub(super) fn untold(&self, now: Timestamp, shoot: &ShootId, entry: &Entry) -> Option<Untold> {
        let member = self.members.shoot(shoot)?;
        Rotation::untold(now, &self.shoots.key_set(shoot), &member.marks, &entry.record())
    }
}

impl Entry {
    /// Notes whether its token is outdated; `first` is for the one that is needed for all others.
    pub(super) fn note_outdated(&mut self, rotation: &Rotation, first: bool) {
        let (key_id, issuer) = (self.kept.key_id(), self.kept.issuer());
        self.outdated = match issuer.is_none_or(|issuer| rotation.spares(key_id, issuer, first)) {
            true => None,
            false => rotation.outdated(&self.record(), first).map(Box::new),
        };
    }
}
