//! The API server of the seed, and the access Secrets that stand there.

use std::collections::BTreeMap;

use perennial_core::{campaign::Campaigns, digest::Digest, name::ReplicaName, record::Record};

use crate::{
    draw::Draw,
    time::{Ms, SECOND},
    town::Town,
};

/// For so long a write is repeated while the seed is away or asks to slow down.
const REPEATED_FOR: Ms = 5 * SECOND;

/// How the seed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// Each call takes a second or two.
    Slow,
    /// It answers 429 to some.
    Throttles,
    /// Somebody edits Secrets all the time: the first patch meets a conflict, the second does not.
    Busy,
    /// Nothing listens there.
    Away,
}

/// What comes of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is there after so long.
    Done(Ms),
    /// Repeated in vain for so long.
    Away(Ms),
}

/// The model.
#[derive(Debug)]
pub struct Seed {
    /// How it is.
    pub health: Health,
    /// Access Secrets by number.
    pub secrets: Vec<Standing>,
    /// Leases of the scheduler's replicas, and how often each was renewed.
    pub leases: BTreeMap<ReplicaName, u64>,
    /// Campaigns.
    pub campaigns: Campaigns,
    writes: u64,
}

/// What stands on one Secret.
#[derive(Debug)]
pub struct Standing {
    /// Now.
    pub record: Record,
    /// Before that, for whoever has a stale view.
    pub before: Option<Record>,
    /// When it was written.
    pub written: Ms,
    /// Which start of the secret-writer wrote it.
    pub by: u32,
    /// When its token was issued.
    pub issued: Ms,
}

impl Standing {
    /// What a view that ended then shows.
    #[must_use]
    pub fn as_of(&self, view: Ms) -> &Record {
        match &self.before {
            Some(before) if self.written > view => before,
            _ => &self.record,
        }
    }
}

impl Seed {
    /// Every Secret without a token.
    #[must_use]
    pub fn new(town: &Town) -> Self {
        let standing = |record: &Record| Standing {
            record: record.clone(),
            before: None,
            written: Ms::MIN,
            by: 0,
            issued: Ms::MIN / 2,
        };
        let secrets = town.secrets.iter().map(|tenant| standing(&tenant.bare)).collect();
        let (leases, campaigns) = (BTreeMap::new(), Campaigns::new());
        Self { health: Health::Well, secrets, leases, campaigns, writes: 0 }
    }

    /// What comes of a patch that arrives now.
    pub fn ask(&self, draw: &mut Draw) -> Reply {
        let once = draw.latency(6, 12);
        match self.health {
            Health::Well => Reply::Done(once),
            Health::Slow => Reply::Done(draw.latency(SECOND, SECOND).min(9 * SECOND)),
            Health::Throttles if draw.chance(0.2) => Reply::Done(once + SECOND),
            Health::Throttles => Reply::Done(once),
            Health::Busy => Reply::Done(once + draw.latency(6, 12)),
            Health::Away => Reply::Away(REPEATED_FOR),
        }
    }

    /// How long a call of a scheduler takes; `None` where nothing listens.
    pub fn call(&self, draw: &mut Draw) -> Option<Ms> {
        let once = draw.latency(3, 4);
        match self.health {
            Health::Well | Health::Busy => Some(once),
            Health::Slow => Some(draw.latency(SECOND, SECOND)),
            Health::Throttles if draw.chance(0.2) => Some(once + SECOND),
            Health::Throttles => Some(once),
            Health::Away => None,
        }
    }

    /// Whether it answers in the time that replicas allow for its answers.
    #[must_use]
    pub const fn is_prompt(&self) -> bool {
        matches!(self.health, Health::Well | Health::Busy)
    }

    /// A Lease is renewed, or made.
    pub fn renew(&mut self, replica: &ReplicaName) {
        match self.leases.get_mut(replica) {
            Some(renewals) => *renewals += 1,
            None => {
                self.writes += 1; // no Lease says what one of that name said before
                self.leases.insert(replica.clone(), self.writes << 32);
            }
        }
    }

    /// Writes a record, which gets a digest of its own. The tests of the patch are for its caller.
    pub fn write(&mut self, now: Ms, secret: usize, (by, issued): (u32, Ms), record: Record) {
        self.writes += 1;
        let digest = Digest::received(format!("{:x}", self.writes));
        let standing = &mut self.secrets[secret];
        let before = std::mem::replace(&mut standing.record, Record { digest, ..record });
        (standing.before, standing.written) = (Some(before), now);
        (standing.by, standing.issued) = (by, issued);
    }
}
