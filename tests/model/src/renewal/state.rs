//! What is true, and what each believes.

use perennial_core::{invariants::Invariant, reason::Reason};

use crate::secret::{Content, Looked, Tick, Token};

/// How often what may fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A scheduler or a secret-writer dies.
    pub crashes: u8,
    /// The answer of a call is lost after it was carried out.
    pub losses: u8,
    /// A message arrives after whoever sent it has given up.
    pub lates: u8,
    /// An order goes to the other secret-writer.
    pub reroutes: u8,
    /// The seed is away.
    pub aways: u8,
    /// Somebody edits the Secret.
    pub edits: u8,
    /// The token-issuer gives another token than was asked for.
    pub wrongs: u8,
}

/// A Secret at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// What a decision depends on.
    pub content: Content,
    /// `metadata.resourceVersion`
    pub version: u8,
}

impl Standing {
    /// The next version.
    #[must_use]
    pub const fn now(self, content: Content) -> Self {
        Self { content, version: self.version + 1 }
    }
}

/// `RenewToken`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// Who waits for the answer.
    pub by: Option<u8>,
    /// Which secret-writer gets it.
    pub writer: u8,
    /// What was decided on; its digest travels.
    pub seen: Content,
    /// What was known of the target. It does not travel; only the invariants look at it.
    pub looked: Option<Looked>,
    /// Why.
    pub reason: Reason,
}

/// What a scheduler waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// The order is on its way.
    Sent(Order),
    /// It was taken.
    Taken,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scheduler {
    /// Whether it runs.
    pub up: bool,
    /// The record, as it was last streamed.
    pub view: Option<Content>,
    /// The target, as the shoot status said last.
    pub looked: Option<Looked>,
    /// The attempt under way.
    pub flight: Option<Flight>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Whether it runs.
    pub up: bool,
    /// The Secret as its watch showed it, or its own write.
    pub view: Standing,
    /// The seed did not take the last write.
    pub doubt: bool,
    /// Renewals under way.
    pub jobs: Vec<Job>,
}

/// A renewal under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// The order.
    pub order: Order,
    /// The Secret that it was permitted on.
    pub seen: Standing,
    /// How far it is.
    pub phase: Phase,
}

/// How far a renewal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Permitted; the token is asked for next.
    Permitted,
    /// The target was looked at.
    Checked {
        /// What stood there.
        found: Option<Token>,
    },
    /// The token is on its way to a target.
    Issued {
        /// The token.
        token: Token,
        /// What stood there before it was issued.
        found: Option<Token>,
    },
    /// The target was read again, to be patched.
    TargetRead {
        /// The token.
        token: Token,
        /// What stands there.
        standing: Option<Token>,
        /// What stood there before it was issued.
        found: Option<Token>,
    },
    /// The Secret is to be read, to be patched.
    ToRead {
        /// The token.
        token: Token,
    },
    /// The patch is on its way.
    Patching {
        /// The token.
        token: Token,
        /// What it tests.
        tests: Tests,
    },
}

impl Phase {
    /// The token that exists.
    #[must_use]
    pub const fn token(self) -> Option<Token> {
        match self {
            Self::Permitted | Self::Checked { .. } => None,
            Self::Issued { token, .. }
            | Self::TargetRead { token, .. }
            | Self::ToRead { token }
            | Self::Patching { token, .. } => Some(token),
        }
    }
}

/// What a patch tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tests {
    /// uid and resourceVersion.
    Version(u8),
    /// All that a decision depends on, as it was read.
    Content(Content),
}

/// A patch that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patch {
    /// The token.
    pub token: Token,
    /// What it tests.
    pub tests: Tests,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Every clock.
    pub now: Tick,
    /// What stands on the seed.
    pub seed: Standing,
    /// Whether it answers.
    pub seed_up: bool,
    /// What stands in the target.
    pub target: Option<Token>,
    /// All replicas.
    pub schedulers: Vec<Scheduler>,
    /// All replicas.
    pub writers: Vec<Writer>,
    /// Orders that nobody waits for.
    pub late_orders: Vec<Order>,
    /// Patches that nobody waits for.
    pub late_patches: Vec<Patch>,
    /// Tokens that the shoot issued, a bit each.
    pub issued: u16,
    /// Those of them that were written to the seed.
    pub written: u16,
    /// Failures that cost a token each, by the table.
    pub failures: u32,
    /// What may still fail.
    pub budget: Budget,
    /// What the last step broke.
    pub broken: Option<Invariant>,
}

impl State {
    /// How many tokens were issued in vain: they stand nowhere, and nobody has them in hand.
    #[must_use]
    pub fn in_vain(&self) -> u32 {
        let jobs = self.writers.iter().flat_map(|writer| &writer.jobs);
        let held = jobs.filter_map(|job| job.phase.token());
        let held = held.chain(self.late_patches.iter().map(|patch| patch.token));
        let held = held.fold(0, |held, token| held | bit(token));
        (self.issued & !self.written & !held).count_ones()
    }
}

/// The bit of a token.
#[must_use]
pub(super) const fn bit(token: Token) -> u16 {
    match token.serial {
        0 => 0,
        serial => 1 << (serial - 1),
    }
}
