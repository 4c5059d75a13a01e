//! One shoot: its two ways in, which one is in use, and what was last seen of it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    shoot::{Credential, Hibernation, Reach, ShootId, ShootStatus},
    signing::KeyPolls,
};
use perennial_kube::shoot_secrets::{Names, Which};

use super::access::{Access, Endpoint};
use crate::shoot::Shoot;

/// Offsets that differ by no more count as the same one: `Date` has whole seconds, and a clock that
/// is 3.5 s off would be told anew with every probe.
const CLOCK_JITTER: SignedDuration = SignedDuration::from_secs(1);

/// Details of a shoot that sleeps, that answers in its sleep, and that was woken a moment ago.
const HIBERNATED: &str = "hibernated (perennial.dev/hibernated on the own access Secret)";
const ANSWERS: &str = "is said to hibernate and answers: where it is awake, remove \
     perennial.dev/hibernated from the own access Secret, or its tokens run out";
const WOKEN: &str = "hibernates no more, and did not answer yet";

/// What a call is for; it decides which credential goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A call that issues: the credential that worked last goes first.
    Issue,
    /// A probe: always the own one first, so that it is taken up again when it works again.
    Probe,
}

/// A way to a shoot for one call.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which credential it is.
    pub which: Which,
    /// Where it goes.
    pub endpoint: Endpoint,
    /// The client.
    pub client: Arc<dyn Shoot>,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The shoot answers and takes a credential.
    Reached {
        /// Which one.
        which: Which,
        /// Its signing keys; `None` where it would not show them.
        keys: Option<KeysSeen>,
        /// Its clock minus ours; `None` where the answer had no `Date`.
        clock_offset: Option<SignedDuration>,
        /// What it lacks, in words; empty where nothing.
        detail: String,
    },
    /// It does not answer, or takes no credential of ours.
    NotReached {
        /// Whether a new credential is what helps.
        refused: bool,
        /// Why, and what to do.
        detail: String,
    },
}

/// A key set as one look showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysSeen {
    /// Ids of the keys, sorted.
    pub ids: Vec<String>,
    /// When the look began.
    pub at: Timestamp,
}

pub(super) struct Entry {
    own: Option<Access>,
    bootstrap: Option<Access>,
    in_use: Which,
    /// Where a call succeeded last. An address that is new, or away, takes nothing from it: those
    /// who follow keep what works.
    pub(super) proved: Option<Arc<Endpoint>>,
    /// Outlives connections: keys are those of the shoot, however it is reached.
    polls: KeyPolls,
    /// Counts changes of the connections, so that what an old client saw is not taken for the new.
    pub(super) generation: u64,
    hibernation: Hibernation,
    pub(super) status: ShootStatus,
    /// Of the last change that others are told of.
    pub(super) version: u64,
}

impl Entry {
    pub(super) fn new(shoot: ShootId, key_withdrawn_after: Duration) -> Self {
        let status = ShootStatus::unseen(shoot);
        Self {
            own: None,
            bootstrap: None,
            in_use: Which::Own,
            proved: None,
            polls: KeyPolls::new(key_withdrawn_after),
            generation: 0,
            hibernation: Hibernation::Awake,
            status,
            version: 0,
        }
    }

    pub(super) fn access(&self, which: Which) -> Option<&Access> {
        match which {
            Which::Own => self.own.as_ref(),
            Which::Bootstrap => self.bootstrap.as_ref(),
        }
    }

    /// A new own credential is tried first again.
    pub(super) fn set(&mut self, which: Which, access: Option<Access>) {
        self.generation += 1;
        match which {
            Which::Own => {
                self.own = access;
                self.in_use = Which::Own;
                self.status.own_refused = None;
            }
            Which::Bootstrap => self.bootstrap = access,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.own.is_none() && self.bootstrap.is_none()
    }

    /// What the own Secret says. Gives back what it said before, where that was something else.
    /// What was seen before says nothing of a shoot that is put to sleep, or woken.
    pub(super) fn hibernate(&mut self, hibernation: &Hibernation) -> Option<Hibernation> {
        if self.hibernation == *hibernation {
            return None;
        }
        let before = std::mem::replace(&mut self.hibernation, hibernation.clone());
        let (was, is) = (self.status.hibernated, *hibernation == Hibernation::Hibernated);
        self.status.hibernated = is;
        if was != is {
            self.generation += 1; // a look that is under way is about the time before
            self.status.credential = Credential::None;
            let (reach, detail) = match is {
                true => (Reach::Unknown, HIBERNATED),
                false => (Reach::Unreachable, WOKEN),
            };
            (self.status.reach, self.status.detail) = (reach, detail.to_owned());
        }
        Some(before)
    }

    /// Whether the bootstrap credential is in use although there is an own one.
    pub(super) fn is_recovering(&self) -> bool {
        self.in_use == Which::Bootstrap && self.candidate(Which::Own).is_some()
    }

    /// The shoot knows our own token, or answers 401 to it. Says whether others are to be told.
    pub(super) fn own_is_known(&mut self, known: bool) -> bool {
        let issued_at = self.own.as_ref().and_then(|own| own.issued_at);
        let refused = issued_at.filter(|_| !known);
        std::mem::replace(&mut self.status.own_refused, refused) != refused
    }

    /// The ways to try, in this order.
    pub(super) fn candidates(&self, purpose: Purpose) -> Vec<Candidate> {
        let order = match (purpose, self.in_use) {
            (Purpose::Issue, Which::Bootstrap) => [Which::Bootstrap, Which::Own],
            (Purpose::Issue, Which::Own) | (Purpose::Probe, _) => [Which::Own, Which::Bootstrap],
        };
        order.into_iter().filter_map(|which| self.candidate(which)).collect()
    }

    fn candidate(&self, which: Which) -> Option<Candidate> {
        let Access { endpoint, client, .. } = self.access(which)?;
        let (endpoint, client) = (endpoint.clone()?, Arc::clone(client.as_ref().ok()?));
        Some(Candidate { which, endpoint, client })
    }

    /// The client in use, while the shoot is reached.
    pub(super) fn client_in_use(&self) -> Option<Arc<dyn Shoot>> {
        let Access { client, .. } = self.access(self.in_use)?;
        let is_reached = self.status.reach == Reach::Reachable && !self.status.hibernated;
        client.as_ref().ok().filter(|_| is_reached).map(Arc::clone)
    }

    /// The addresses, the own one first.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |which| self.access(which)?.endpoint.clone();
        let mut endpoints: Vec<_> =
            [Which::Own, Which::Bootstrap].into_iter().filter_map(endpoint).collect();
        endpoints.dedup();
        endpoints
    }

    /// The address in use, else one that is known, else empty.
    pub(super) fn address(&self) -> &str {
        [self.in_use, Which::Own, Which::Bootstrap]
            .into_iter()
            .find_map(|which| self.access(which)?.endpoint.as_ref())
            .map_or("", Endpoint::server)
    }

    /// Why there is no way in, and what to do.
    pub(super) fn no_way_in(&self, names: &Names) -> String {
        let about = |which, name| match self.access(which) {
            None => format!("Secret {name} is missing"),
            Some(Access { client: Err(problem), .. }) => format!("Secret {name}: {problem}"),
            Some(_) => format!("Secret {name} has a credential"),
        };
        format!(
            "no credential to reach the shoot with; {}; {}; put a kubeconfig with a valid \
             credential into {}",
            about(Which::Own, &names.own),
            about(Which::Bootstrap, &names.bootstrap),
            names.bootstrap
        )
    }

    /// A call succeeded with this credential. Says whether others are to be told.
    pub(super) fn worked(&mut self, which: Which, now: Timestamp) -> bool {
        let before = (self.status.clone(), self.address().to_owned());
        let moved = self.prove(which);
        if (before.0.reach, before.0.credential) != (Reach::Reachable, credential(which)) {
            self.status.reach = Reach::Reachable;
            self.status.credential = credential(which);
            self.status.detail.clear();
        }
        self.checked(before, now) || moved
    }

    /// A probe ended. Says whether others are to be told.
    pub(super) fn seen(&mut self, sight: Sight, now: Timestamp) -> bool {
        let before = (self.status.clone(), self.address().to_owned());
        let moved = match &sight {
            Sight::Reached { which, .. } => self.prove(*which),
            Sight::NotReached { .. } => false,
        };
        let status = &mut self.status;
        match sight {
            Sight::Reached { which, keys, clock_offset, detail } => {
                status.reach = Reach::Reachable;
                status.credential = credential(which);
                status.detail = detail;
                // A key set that is hidden is not an empty one: what was last known stays.
                if let Some(KeysSeen { ids, at }) = keys {
                    self.polls.saw(&ids, at);
                    (status.key_ids, status.key_history) = (ids, self.polls.history());
                }
                status.clock_offset = steady(status.clock_offset, clock_offset);
                if status.hibernated {
                    ANSWERS.clone_into(&mut status.detail);
                }
            }
            // What nobody expected to answer.
            Sight::NotReached { .. } if status.hibernated => {
                status.reach = Reach::Unknown;
                status.credential = Credential::None;
                HIBERNATED.clone_into(&mut status.detail);
            }
            // Clock and key set stay: they are what was last known of it.
            Sight::NotReached { refused, detail } => {
                status.reach = if refused { Reach::Refused } else { Reach::Unreachable };
                status.credential = Credential::None;
                status.detail = detail;
            }
        }
        self.checked(before, now) || moved
    }

    /// This way works. Says whether it leads elsewhere than what worked before.
    fn prove(&mut self, which: Which) -> bool {
        self.in_use = which;
        let endpoint = self.access(which).and_then(|access| access.endpoint.clone());
        self.status.ca = endpoint.as_ref().map(Endpoint::ca);
        let moved = endpoint.is_some() && endpoint.as_ref() != self.proved.as_deref();
        if moved {
            self.proved = endpoint.map(Arc::new);
        }
        moved
    }

    /// Whether anything but `checked_at` changed: that alone would flood the streams.
    fn checked(&mut self, (before, address): (ShootStatus, String), now: Timestamp) -> bool {
        self.status.checked_at = before.checked_at;
        let changed = self.status != before || self.address() != address;
        self.status.checked_at = Some(now);
        changed
    }
}

const fn credential(which: Which) -> Credential {
    match which {
        Which::Own => Credential::Own,
        Which::Bootstrap => Credential::Bootstrap,
    }
}

fn steady(old: Option<SignedDuration>, new: Option<SignedDuration>) -> Option<SignedDuration> {
    match (old, new) {
        (Some(old), Some(new)) if (new - old).abs() <= CLOCK_JITTER => Some(old),
        (old, None) => old,
        (_, new) => new,
    }
}
