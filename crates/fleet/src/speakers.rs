//! Which Secret speaks for a ServiceAccount that several name.
//!
//! Labels belong to the account, and each Secret may ask for others. Two that both bring the account
//! to their own would fight for ever, so one of them counts: of those with labels the first by name,
//! whoever restarts. What the others ask for is not applied, and `ExplainSchedule` says so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use perennial_core::{
    decision::ShootView,
    name::{AccountRef, SecretName, SecretRef},
    shoot::ShootId,
};

use super::Fleet;

impl Fleet {
    /// To be called whenever another Secret of the shoot names an account, or has labels for it.
    pub(super) fn choose_speakers(&mut self, now: Timestamp, shoot: &ShootId) {
        let speakers = self.speakers(shoot);
        if self.shoots.speak(shoot, speakers) {
            let secrets = self.members.of(shoot).collect();
            self.settle_each(now, secrets);
        }
    }

    /// Another Secret whose labels count for the account of this one.
    pub(super) fn other_speaker(&self, secret: &SecretRef) -> Option<&SecretName> {
        let ShootView::Seen(status) = self.shoots.view(&secret.namespace) else { return None };
        let inputs = self.members.get(secret)?.record().inputs.ok()?;
        status.other_speaker(&inputs.account, &secret.name)
    }

    fn speakers(&self, shoot: &ShootId) -> BTreeMap<AccountRef, SecretName> {
        let secrets =
            self.members.shoot(shoot).into_iter().flat_map(|member| member.secrets.iter());
        let mut named: BTreeMap<&AccountRef, Vec<(bool, &SecretName)>> = BTreeMap::new();
        for (name, entry) in secrets {
            if let Some(account) = entry.kept.account() {
                named.entry(account).or_default().push((!entry.kept.has_labels(), name));
            }
        }
        let shared = named.into_iter().filter(|(_, bids)| bids.len() > 1);
        let first = shared.filter_map(|(account, bids)| {
            let (_, name) = bids.into_iter().min()?;
            Some((account.clone(), name.clone()))
        });
        first.collect()
    }
}
