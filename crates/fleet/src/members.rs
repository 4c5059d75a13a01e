//! Secrets by shoot, so that whatever is about a shoot is in one place.

use std::ops::Bound;

use perennial_core::{
    levelling::ShootLoad,
    limits::Gate,
    name::{AccountRef, SecretName, SecretRef},
    record::Record,
    shoot::{AccountSeen, AccountState, ShootId},
    signing::{Marks, Rotation},
};

use super::{attempts::Pause, by_name::ByName, entry::Entry};

/// All Secrets.
#[derive(Debug, Default)]
pub(super) struct Members(ByName<ShootId, Member>);

#[derive(Debug, Default)]
pub(super) struct Member {
    pub secrets: ByName<SecretName, Entry>,
    /// The one whose record came last.
    last: Option<SecretName>,
    pub in_flight: usize,
    /// Those of them that hang.
    pub hanging: usize,
    /// Those that campaigns have put into the queue.
    pub fed: usize,
    /// How many at once, and how fast.
    pub gate: Gate,
    /// Its API server asked to slow down.
    pub pause: Option<Pause>,
    /// What the tokens say together of keys and issuers.
    pub marks: Marks,
    /// What is known to be outdated by that.
    pub rotation: Rotation,
    /// What is planned for its Secrets.
    pub load: ShootLoad,
}

impl Members {
    pub(super) fn get(&self, secret: &SecretRef) -> Option<&Entry> {
        self.0.get(&secret.namespace)?.secrets.get(&secret.name)
    }

    pub(super) fn get_mut(&mut self, secret: &SecretRef) -> Option<&mut Entry> {
        self.0.get_mut(&secret.namespace)?.secrets.get_mut(&secret.name)
    }

    /// Has a record that was brought off the wire share the texts of what is here: of the record
    /// whose place it takes, and of the one of its shoot that came last, which names the key and the
    /// issuer of the present. What is shared is freed with the last record that has it.
    pub(super) fn share_texts(&mut self, record: &mut Record) {
        let Some(member) = self.0.get_mut(&record.secret.namespace) else {
            return record.share_own();
        };
        let last = member.last.as_ref().and_then(|last| member.secrets.get(last));
        let before = member.secrets.get(&record.secret.name);
        [before, last]
            .into_iter()
            .flatten()
            .for_each(|known| record.share_with(known.kept.texts()));
        record.share_own();
        if member.last.as_ref() != Some(&record.secret.name) {
            member.last = Some(record.secret.name.clone());
        }
    }

    /// The same for what was seen of an account that a Secret names.
    pub(super) fn share_account(
        &self,
        shoot: &ShootId,
        account: AccountRef,
        seen: &mut AccountSeen,
    ) -> AccountRef {
        let member = self.0.get(shoot);
        let mut entries = member.into_iter().flat_map(|member| member.secrets.values());
        let Some((kept, named)) = entries.find_map(|entry| {
            let named = entry.kept.account().filter(|named| **named == account)?;
            Some((&entry.kept, named))
        }) else {
            return account;
        };
        if let (AccountState::Present { uid, .. }, Some(known)) =
            (&mut seen.state, kept.account_uid())
            && uid == known
        {
            uid.clone_from(known);
        }
        named.clone()
    }

    pub(super) fn insert(&mut self, secret: &SecretRef, entry: Entry) {
        let member = self.0.get_or_default(&secret.namespace);
        member.secrets.insert(secret.name.clone(), entry);
    }

    pub(super) fn remove(&mut self, secret: &SecretRef) -> Option<Entry> {
        let member = self.0.get_mut(&secret.namespace)?;
        let entry = member.secrets.remove(&secret.name)?;
        entry.kept.mark().iter().for_each(|mark| member.marks.remove(mark));
        entry.planned_second().iter().for_each(|second| member.load.remove(*second));
        Some(entry)
    }

    /// Forgets a shoot that has nothing left.
    pub(super) fn tidy(&mut self, shoot: &ShootId) {
        if self.0.get(shoot).is_some_and(|m| m.secrets.is_empty() && m.in_flight == 0) {
            self.0.remove(shoot);
        }
    }

    pub(super) fn shoot(&self, shoot: &ShootId) -> Option<&Member> {
        self.0.get(shoot)
    }

    pub(super) fn shoot_mut(&mut self, shoot: &ShootId) -> Option<&mut Member> {
        self.0.get_mut(shoot)
    }

    /// In no order.
    pub(super) fn shoots(&self) -> impl Iterator<Item = &Member> {
        self.0.values_in_no_order()
    }

    pub(super) fn shoots_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.0.values_mut()
    }

    pub(super) fn by_shoot(&self) -> impl Iterator<Item = (&ShootId, &Member)> {
        self.0.iter()
    }

    /// Shoots that have Secrets.
    pub(super) fn ids(&self) -> impl Iterator<Item = &ShootId> {
        self.0.names()
    }

    /// Names of the Secrets of one shoot.
    pub(super) fn of(&self, shoot: &ShootId) -> impl Iterator<Item = SecretRef> {
        let names = self.0.get(shoot).into_iter().flat_map(|member| member.secrets.names());
        names.map(|name| named(shoot, name))
    }

    /// Shoots behind `after`; only `namespace` where one is given.
    pub(super) fn shoots_behind<'a>(
        &'a self,
        namespace: Option<&'a ShootId>,
        after: Option<&'a ShootId>,
    ) -> impl Iterator<Item = (&'a ShootId, &'a Member)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let members = self.0.from(from);
        members.filter(move |(shoot, _)| namespace.is_none_or(|namespace| namespace == *shoot))
    }

    /// All Secrets by namespace and name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ShootId, &SecretName, &Entry)> {
        self.behind(None, None)
    }

    /// Secrets by namespace and name: only of `namespace` where one is given, only behind `after`.
    pub(super) fn behind<'a>(
        &'a self,
        namespace: Option<&'a ShootId>,
        after: Option<&'a SecretRef>,
    ) -> impl Iterator<Item = (&'a ShootId, &'a SecretName, &'a Entry)> {
        let from = [namespace, after.map(|secret| &secret.namespace)].into_iter().flatten().max();
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        let members = self.0.from(from);
        let wanted = members.take_while(move |(shoot, _)| namespace.is_none_or(|n| *shoot == n));
        wanted.flat_map(move |(shoot, member)| {
            let after = after.filter(|after| after.namespace == *shoot);
            let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(&after.name));
            member.secrets.from(from).map(move |(name, entry)| (shoot, name, entry))
        })
    }
}

impl Member {
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.secrets.values_mut()
    }
}

pub(super) fn named(shoot: &ShootId, name: &SecretName) -> SecretRef {
    SecretRef { namespace: shoot.clone(), name: name.clone() }
}
