//! What is true, and what each believes.

use perennial_core::{invariants::Invariant, reason::Reason};

use super::{Call, Ledger, Revocation};
use crate::{
    bound::{Content, Number, Present, Seen, Until},
    secret::Tick,
};

/// How often what may fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A scheduler, a secret-writer or a token-issuer dies.
    pub crashes: u8,
    /// The answer of a call is lost after it was carried out.
    pub losses: u8,
    /// A message arrives after whoever sent it has given up.
    pub lates: u8,
    /// An order goes to the other secret-writer.
    pub reroutes: u8,
    /// The seed or the shoot is away.
    pub aways: u8,
    /// A stranger deletes a generation.
    pub strangers: u8,
    /// Somebody removes the timestamp.
    pub edits: u8,
    /// An operator interrupts a command.
    pub interrupts: u8,
    /// A stream is behind by more than a moment while all is well.
    pub lags: u8,
    /// A scheduler orders what it must not.
    pub stolen: u8,
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    /// All tokens up to that generation go; 0 for the present one.
    pub generation: Number,
    /// `None` where nothing was said.
    pub grace: Option<Tick>,
}

/// `perennial revoke`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// What it asks for; after the first answer the generation of that.
    pub wish: Wish,
    /// The grace that it was promised, where it was.
    pub promised: Option<Tick>,
    /// How far it is.
    pub following: Following,
}

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Following {
    /// It has not asked yet.
    NotYet,
    /// That scheduler tells it.
    Scheduler(u8),
    /// The scheduler died; it asks again.
    Nobody,
    /// It was told that no old token works.
    Told,
    /// It was interrupted, or got no answer at all.
    Gone,
}

impl Command {
    /// Whether it asks a scheduler next.
    #[must_use]
    pub const fn asks(&self) -> bool {
        matches!(self.following, Following::NotYet | Following::Nobody)
    }

    /// Whether it waits for the end of what it asked for.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        matches!(self.following, Following::Scheduler(_) | Following::Nobody)
    }

    /// Whether it came to its end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.following == Following::Told
    }
}

/// `RenewToken` or `SyncSecret`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// Who waits for the answer.
    pub by: Option<u8>,
    /// What was decided on; its digest travels.
    pub seen: Content,
    /// Why.
    pub reason: Reason,
    /// With a token: the least generation. Without: up to which all are deleted.
    pub number: Number,
    /// For how long older ones live on.
    pub grace: Option<Tick>,
    /// What was promised of older ones.
    pub ends: Until,
}

impl Order {
    /// An order that says nothing of generations.
    #[must_use]
    pub fn new(seen: Content, reason: Reason) -> Self {
        Self { by: None, seen, reason, number: 0, grace: None, ends: Until::default() }
    }
}

/// One replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scheduler {
    /// Whether it runs.
    pub up: bool,
    /// The record, as it was last streamed.
    pub view: Option<Content>,
    /// The generations, as the token-issuer said last.
    pub seen: Option<Seen>,
    /// What an operator asked it for.
    pub revocation: Option<Revocation>,
    /// An attempt is under way.
    pub busy: bool,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Whether it runs.
    pub up: bool,
    /// The Secret as its watch showed it, or its own write.
    pub view: Content,
    /// The seed did not take the last write.
    pub doubt: bool,
    /// Orders under way.
    pub jobs: Vec<Job>,
}

/// An order under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// The order.
    pub order: Order,
    /// The Secret that it was permitted on.
    pub seen: Content,
    /// How far it is.
    pub phase: Phase,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The token-issuer is at work.
    Calling(Call),
    /// The patch is on its way.
    Patching(Content),
}

/// A patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Patch {
    /// What it tests.
    pub tests: Content,
    /// What stands there after it.
    pub put: Content,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Every clock.
    pub now: Tick,
    /// What stands on the seed.
    pub seed: Content,
    /// Whether it answers.
    pub seed_up: bool,
    /// The generations in the shoot.
    pub present: Present,
    /// Whether it answers.
    pub shoot_up: bool,
    /// What the token-issuers heard of them.
    pub book: Seen,
    /// One was made or deleted since. One that came and went is news too.
    pub is_news: bool,
    /// All replicas.
    pub schedulers: Vec<Scheduler>,
    /// All replicas.
    pub writers: Vec<Writer>,
    /// What operators run.
    pub commands: Vec<Command>,
    /// Calls of the token-issuer that nobody waits for.
    pub orphans: Vec<Call>,
    /// Orders that nobody waits for, and at which secret-writer they arrive.
    pub late_orders: Vec<(u8, Order)>,
    /// Patches that nobody waits for.
    pub late_patches: Vec<Patch>,
    /// What happened, as far as an invariant asks for it.
    pub ledger: Ledger,
    /// What may still fail.
    pub budget: Budget,
    /// What the last step broke.
    pub broken: Option<Invariant>,
}
