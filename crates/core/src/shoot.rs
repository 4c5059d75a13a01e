//! What is known of a shoot beside its Secrets, as the token-issuer reports it.

use std::collections::BTreeMap;

use arcstr::ArcStr;
use jiff::{SignedDuration, Timestamp};

use crate::{
    ca::CaHash,
    generation::{Family, GenerationsSeen},
    go,
    inputs::LabelsHash,
    name::{AccountRef, Namespace, SecretName, SecretRef},
    signing::KeyHistory,
    target::TargetSeen,
};

/// A shoot is known by its namespace on the seed.
pub type ShootId = Namespace;

/// State of a shoot as the last probe or call saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShootStatus {
    /// Its namespace on the seed.
    pub shoot: ShootId,
    /// Whether it answers.
    pub reach: Reach,
    /// With which credential it is reached.
    pub credential: Credential,
    /// Why it is not reached, or what it lacks although it is, in words; empty when all is well.
    pub detail: String,
    /// Shoot's clock minus ours, from the `Date` of its answers; `None` until one was seen.
    pub clock_offset: Option<SignedDuration>,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// Ids of the keys in its key set, sorted.
    pub key_ids: Vec<String>,
    /// Hash of the CA by which it is reached; `None` where it is not known.
    pub ca: Option<CaHash>,
    /// ServiceAccounts that access Secrets name, as far as they were seen. One that is not in here
    /// was not looked at yet: nothing is concluded from that.
    pub accounts: BTreeMap<AccountRef, AccountSeen>,
    /// ServiceAccounts that several access Secrets name, each with the one that speaks for it: its
    /// labels count, and those of the others do not. Else they would fight for ever.
    pub speakers: BTreeMap<AccountRef, SecretName>,
    /// The shoot does not know our own token (401), which was issued then by its own claims. `None`
    /// where it knows it, or where it was not asked.
    pub own_refused: Option<Timestamp>,
    /// What earlier looks at the key set say.
    pub key_history: KeyHistory,
    /// Targets that access Secrets name, as far as they were seen; as with accounts.
    pub targets: BTreeMap<SecretRef, TargetSeen>,
    /// Generations of revocable access Secrets, as far as they were seen; as with accounts.
    pub generations: BTreeMap<Family, GenerationsSeen>,
    /// Its API server is shut down on purpose, whoever runs it says. Where it is
    /// [`Reach::Reachable`] all the same, somebody forgot the annotation.
    pub hibernated: bool,
}

impl ShootStatus {
    /// A shoot that was not looked at yet.
    #[must_use]
    pub fn unseen(shoot: ShootId) -> Self {
        Self {
            shoot,
            reach: Reach::Unknown,
            credential: Credential::None,
            detail: String::new(),
            clock_offset: None,
            checked_at: None,
            key_ids: Vec::new(),
            ca: None,
            accounts: BTreeMap::new(),
            speakers: BTreeMap::new(),
            own_refused: None,
            key_history: KeyHistory::default(),
            targets: BTreeMap::new(),
            generations: BTreeMap::new(),
            hibernated: false,
        }
    }

    /// It is said to hibernate, and answers.
    #[must_use]
    pub fn answers_in_hibernation(&self) -> bool {
        self.hibernated && self.reach == Reach::Reachable
    }

    /// The same as told by a clock that is so much ahead of the one it was told by.
    #[must_use]
    pub fn by_a_clock_ahead(mut self, ahead: SignedDuration) -> Self {
        let moved = |moment: Timestamp| moment.checked_add(ahead).unwrap_or(moment);
        self.clock_offset = self.clock_offset.and_then(|offset| offset.checked_sub(ahead));
        self.checked_at = self.checked_at.map(moved);
        self.key_history.settled_since = self.key_history.settled_since.map(moved);
        self.accounts.values_mut().for_each(|seen| seen.at = moved(seen.at));
        self.targets.values_mut().for_each(|seen| seen.at = moved(seen.at));
        self
    }

    /// The access Secret that speaks for an account in place of this one.
    #[must_use]
    pub fn other_speaker(&self, account: &AccountRef, secret: &SecretName) -> Option<&SecretName> {
        self.speakers.get(account).filter(|speaker| *speaker != secret)
    }
}

/// What the annotation [`HIBERNATED`](crate::keys::HIBERNATED) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hibernation {
    /// It is not there, or says no.
    #[default]
    Awake,
    /// The API server is shut down on purpose.
    Hibernated,
    /// It is no Go bool, and counts as no: a typing error must cost nobody a token.
    Unreadable(String),
}

/// Longest value that is repeated, in characters.
const VALUE_CHARS_MAX: usize = 40;

impl Hibernation {
    /// What the value says; as with the other Go bools, an empty one says no.
    #[must_use]
    pub fn read(value: Option<&str>) -> Self {
        match value.filter(|value| !value.is_empty()).map(|value| (go::boolean(value), value)) {
            None | Some((Some(false), _)) => Self::Awake,
            Some((Some(true), _)) => Self::Hibernated,
            Some((None, value)) => Self::Unreadable(value.chars().take(VALUE_CHARS_MAX).collect()),
        }
    }
}

/// A ServiceAccount as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSeen {
    /// What it is.
    pub state: AccountState,
    /// When it was, by the clock of whoever saw it.
    pub at: Timestamp,
}

/// What a ServiceAccount is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// It is there.
    Present {
        /// `metadata.uid`
        uid: ArcStr,
        /// `automountServiceAccountToken: false` (B2).
        automount_off: bool,
        /// Its labels that are ours (server-side apply).
        labels: LabelsHash,
    },
    /// It is being deleted, while a finalizer holds it. TokenRequest may still answer, with tokens
    /// that are refused (B12).
    Terminating,
    /// It is not there.
    Absent,
}

/// Whether a shoot answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Not looked at yet.
    Unknown,
    /// It answers and takes our credential.
    Reachable,
    /// It does not answer.
    Unreachable,
    /// We have no credential for it, or it knows none of them (401). Only a new one ends that.
    Refused,
}

/// The credential in use at a shoot (contract, section F).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// None that works.
    None,
    /// The one of whoever made the shoot.
    Bootstrap,
    /// Our own, renewed and proved.
    Own,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hibernation_is_a_go_bool_and_what_is_none_counts_as_no() {
        let read = |value| Hibernation::read(Some(value));
        assert_eq!(Hibernation::read(None), Hibernation::Awake);
        assert_eq!(["false", "0", "F"].map(read), [const { Hibernation::Awake }; 3]);
        assert_eq!(["true", "1", "T"].map(read), [const { Hibernation::Hibernated }; 3]);
        assert_eq!(read("yes"), Hibernation::Unreadable("yes".to_owned()));
        assert_eq!(read(""), Hibernation::Awake);
        let Hibernation::Unreadable(long) = read(&"x".repeat(1_000)) else { panic!() };
        assert_eq!(long.len(), 40);
    }
}
