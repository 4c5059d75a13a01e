//! What is known of the accounts of one shoot, and what is in doubt. Pure: nothing is called here.
//!
//! First-hand is what a list or GET says, and the uid in a token that was just granted. A watch is
//! first-hand where it speaks of the uid that is known; of another uid it may be behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use perennial_core::{
    inputs::LabelsHash,
    name::AccountRef,
    shoot::{AccountSeen, AccountState},
};
use perennial_kube::shoot::SeenAccount;
use tokio::sync::Notify;

/// The accounts of one shoot.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<AccountRef, Entry>,
    /// Those that have to be looked at; hardly any, once the first list is in.
    doubts: BTreeMap<AccountRef, Doubt>,
    /// Counts lists, so that one which began before an account was observed says nothing of it.
    lists: u64,
    /// Told of new doubts.
    pub(super) wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Entry {
    seen: Option<AccountSeen>,
    /// Of the account that is there, as far as is known.
    uid: Option<Box<str>>,
    /// When a token of that uid was granted last.
    granted_at: Option<Timestamp>,
    /// What a watch said that does not fit what is known.
    heard: Option<(SeenAccount, Timestamp)>,
    /// Of the last list that had begun when it was first observed.
    list: u64,
    version: Option<u64>,
}

/// Why an account has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// It is being looked at.
    Asked,
    /// A watch will say it in a moment, as a rule.
    Calm,
    /// Its tokens may be lost.
    Urgent,
}

/// An account of which there is news.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) account: AccountRef,
    /// The version that it had.
    pub(super) before: Option<u64>,
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_observed(&self, account: &AccountRef) -> bool {
        self.entries.contains_key(account)
    }

    /// Gives back the versions of those that are no longer observed.
    pub(super) fn observe(&mut self, accounts: BTreeSet<AccountRef>) -> Vec<u64> {
        let mut gone = Vec::new();
        self.entries.retain(|account, entry| {
            let stays = accounts.contains(account);
            gone.extend(entry.version.filter(|_| !stays));
            stays
        });
        self.doubts.retain(|account, _| accounts.contains(account));
        for account in accounts {
            if !self.entries.contains_key(&account) {
                self.doubts.insert(account.clone(), Doubt::Calm);
                self.entries.insert(account, Entry { list: self.lists, ..Entry::default() });
            }
        }
        self.wake.notify_one();
        gone
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (&AccountRef, &AccountSeen)> {
        self.entries.iter().filter_map(|(account, entry)| Some((account, entry.seen.as_ref()?)))
    }

    pub(super) fn seen(&self, account: &AccountRef) -> Option<&AccountSeen> {
        self.entries.get(account)?.seen.as_ref()
    }

    pub(super) fn set_version(&mut self, account: &AccountRef, version: u64) {
        if let Some(entry) = self.entries.get_mut(account) {
            entry.version = Some(version);
        }
    }

    pub(super) fn is_terminating(&mut self, account: &AccountRef) -> bool {
        let state = self.seen(account).map(|seen| &seen.state);
        let is_terminating = state == Some(&AccountState::Terminating);
        if is_terminating {
            self.doubt(account, Doubt::Calm);
        }
        is_terminating
    }

    pub(super) fn granted(
        &mut self,
        account: &AccountRef,
        uid: &str,
        labels: LabelsHash,
        made: bool,
        now: Timestamp,
    ) -> Option<Published> {
        let entry = self.entries.get_mut(account)?;
        entry.granted_at = Some(now);
        if entry.uid.as_deref() == Some(uid) {
            return None;
        }
        entry.uid = Some(uid.into());
        let (state, at) = match entry.heard.take().filter(|(heard, _)| *heard.uid == *uid) {
            Some((heard, at)) => (heard.state, at),
            None => (AccountState::Present { uid: uid.into(), automount_off: true, labels }, now),
        };
        let is_news = entry.publish(state, at);
        self.doubts.remove(account);
        if !made {
            self.doubt(account, Doubt::Calm); // it may have other labels
        }
        is_news.then(|| self.published(account))
    }

    /// A list begins, which settles the doubts so far.
    pub(super) fn list_begins(&mut self) {
        self.lists += 1;
        self.ask(Doubt::Asked);
    }

    /// A list is whole that began `at`.
    pub(super) fn listed(
        &mut self,
        mut found: BTreeMap<AccountRef, SeenAccount>,
        at: Timestamp,
    ) -> Vec<Published> {
        let lists = self.lists;
        let before_it = self.entries.iter().filter(|(_, entry)| entry.list < lists);
        let accounts: Vec<_> = before_it.map(|(account, _)| account.clone()).collect();
        let read = |account: AccountRef| {
            let found = found.remove(&account);
            self.read(&account, found, at)
        };
        accounts.into_iter().filter_map(read).collect()
    }

    /// What a list or GET that began `at` says.
    pub(super) fn read(
        &mut self,
        account: &AccountRef,
        found: Option<SeenAccount>,
        at: Timestamp,
    ) -> Option<Published> {
        let entry = self.entries.get_mut(account)?;
        let uid = found.as_ref().map(|found| found.uid.clone());
        if uid != entry.uid && entry.granted_at.is_some_and(|granted| granted >= at) {
            self.doubt(account, Doubt::Calm); // a token came meanwhile
            return None;
        }
        entry.uid = uid;
        if self.doubts.get(account) == Some(&Doubt::Asked) {
            self.doubts.remove(account); // else there is a newer one
            entry.heard = None;
        }
        let state = found.map_or(AccountState::Absent, |found| found.state);
        entry.publish(state, at).then(|| self.published(account))
    }

    /// A look failed: to be looked at again.
    pub(super) fn not_read(&mut self, account: &AccountRef) {
        if let Some(doubt) = self.doubts.get_mut(account) {
            *doubt = Doubt::Calm;
        }
    }

    /// A watch says that it is like this.
    pub(super) fn heard(&mut self, heard: SeenAccount, now: Timestamp) -> Option<Published> {
        let account = heard.account.clone();
        let entry = self.entries.get_mut(&account)?;
        if entry.uid.as_ref() == Some(&heard.uid) {
            if self.doubts.get(&account) == Some(&Doubt::Calm) {
                self.doubts.remove(&account);
            }
            return entry.publish(heard.state, now).then(|| self.published(&account));
        }
        let doubt = if entry.uid.is_some() { Doubt::Urgent } else { Doubt::Calm };
        entry.heard = Some((heard, now));
        self.doubt(&account, doubt);
        None
    }

    /// A watch says that it is gone. Of another uid than the known one this is old; unless a look is
    /// under way, which may still have found it.
    pub(super) fn heard_removed(&mut self, heard: &SeenAccount) {
        let Some(entry) = self.entries.get_mut(&heard.account) else { return };
        entry.heard.take_if(|(held, _)| held.uid == heard.uid);
        if entry.uid.as_ref() == Some(&heard.uid) {
            self.doubt(&heard.account, Doubt::Urgent);
        } else if self.doubts.get(&heard.account) == Some(&Doubt::Asked) {
            self.doubt(&heard.account, Doubt::Calm);
        }
    }

    pub(super) fn has_doubts(&self, doubt: Doubt) -> bool {
        self.doubts.values().any(|held| *held == doubt)
    }

    /// Takes the doubts of this weight and above: they are being looked at.
    pub(super) fn ask(&mut self, least: Doubt) -> Vec<AccountRef> {
        let doubted = self.doubts.iter_mut().filter(|(_, doubt)| **doubt >= least);
        let asked = doubted.map(|(account, doubt)| {
            *doubt = Doubt::Asked;
            account.clone()
        });
        asked.collect()
    }

    /// What is being looked at may change under the look, so it is looked at again.
    fn doubt(&mut self, account: &AccountRef, doubt: Doubt) {
        let held = self.doubts.entry(account.clone()).or_insert(doubt);
        *held = doubt.max(*held);
        self.wake.notify_one();
    }

    fn published(&self, account: &AccountRef) -> Published {
        let before = self.entries.get(account).and_then(|entry| entry.version);
        Published { account: account.clone(), before }
    }
}

impl Entry {
    /// Says whether it is news. That one is still not there is: a token may have come and gone
    /// between.
    ///
    /// What is told is never older than what was told before, or whoever hears it would take it for the past. A list
    /// that began before a grant corrects what the grant took for granted, and nothing would ever say it again.
    fn publish(&mut self, state: AccountState, at: Timestamp) -> bool {
        let is_present = matches!(state, AccountState::Present { .. });
        if is_present && self.seen.as_ref().is_some_and(|seen| seen.state == state) {
            return false;
        }
        let before = self.seen.as_ref().map_or(at, |seen| seen.at);
        self.seen = Some(AccountSeen { state, at: at.max(before) });
        true
    }
}

#[cfg(test)]
mod tests;
