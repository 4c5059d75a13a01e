//! What goes wrong, and for how long.

use serde::Serialize;

use crate::time::Ms;

pub mod plan;
pub mod replicas;

/// One of our processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// The scheduler.
    Scheduler,
    /// The secret-writer.
    Writer,
    /// The token-issuer.
    Issuer,
}

/// What happens to one replica of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfReplica {
    /// It dies, and is back under its name.
    Crash,
    /// It dies, and another Pod takes its place.
    Lost,
    /// It stands still, and wakes with what it believed.
    Stands,
    /// Its clock is set by so much.
    Clock(Ms),
    /// It does not reach the seed.
    CutSeed,
    /// It does not reach the secret-writer.
    CutWriter,
    /// It does not reach the token-issuer.
    CutIssuer,
    /// There is one less: it ends in order, and another Pod takes its place at the end.
    Leaves,
    /// There is one more, which ends in order at the end.
    Joins,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something happens to a replica of the scheduler.
    Replica(usize, OfReplica),
    /// Nothing listens at the address of a shoot.
    ShootAway(usize),
    /// Somebody put it to sleep. To us it is away; the annotation that says so is not modelled yet.
    ShootHibernates(usize),
    /// It takes connections and does not answer.
    ShootFrozen(usize),
    /// It takes seconds for each call.
    ShootSlow(usize),
    /// It answers 429 with Retry-After.
    ShootThrottles(usize),
    /// It answers 500.
    ShootErrs(usize),
    /// Its clock is set by so much.
    ShootClock(usize, Ms),
    /// It signs with another key; at the end the former one is no longer published.
    KeyExchange(usize),
    /// Nothing listens at the address of the seed.
    SeedAway,
    /// The seed takes a second or two for each write.
    SeedSlow,
    /// The seed answers 429 to a fifth of all writes.
    SeedThrottles,
    /// Others edit the same Secrets all the time.
    SeedBusy,
    /// A process dies and comes back.
    Crash(Process),
    /// The secret-writer dies and comes back to a seed whose watch is so much behind.
    CrashIntoStale(Ms),
    /// The clock of a process is set by so much.
    Clock(Process, Ms),
    /// Scheduler and secret-writer do not reach each other.
    CutWriter,
    /// Scheduler and token-issuer do not reach each other.
    CutIssuer,
    /// Secret-writer and token-issuer do not reach each other.
    CutIssuing,
    /// What the secret-writer streams comes so much later.
    SlowStream(Ms),
}

/// What is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One shoot.
    Shoot(usize),
    /// All of them.
    All,
}

/// A fault and its time.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// What.
    pub fault: Fault,
    /// Since when.
    pub begin: Ms,
    /// For how long.
    pub length: Ms,
}

/// Names of faults, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "see Fault")]
pub enum Kind {
    ShootAway,
    ShootHibernates,
    ShootFrozen,
    ShootSlow,
    ShootThrottles,
    ShootErrs,
    ShootClock,
    KeyExchange,
    SeedAway,
    SeedSlow,
    SeedThrottles,
    SeedBusy,
    SchedulerCrash,
    WriterCrash,
    IssuerCrash,
    StaleWatch,
    ClockStep,
    CutSchedulerWriter,
    CutSchedulerIssuer,
    CutWriterIssuer,
    SlowStream,
    ReplicaCrash,
    ReplicaLost,
    ReplicaStands,
    ReplicaClock,
    CutReplicaSeed,
    CutReplicaWriter,
    CutReplicaIssuer,
    ReplicaLeaves,
    ReplicaJoins,
}

impl Fault {
    /// Its name.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::ShootAway(_) => Kind::ShootAway,
            Self::ShootHibernates(_) => Kind::ShootHibernates,
            Self::ShootFrozen(_) => Kind::ShootFrozen,
            Self::ShootSlow(_) => Kind::ShootSlow,
            Self::ShootThrottles(_) => Kind::ShootThrottles,
            Self::ShootErrs(_) => Kind::ShootErrs,
            Self::ShootClock(..) => Kind::ShootClock,
            Self::KeyExchange(_) => Kind::KeyExchange,
            Self::SeedAway => Kind::SeedAway,
            Self::SeedSlow => Kind::SeedSlow,
            Self::SeedThrottles => Kind::SeedThrottles,
            Self::SeedBusy => Kind::SeedBusy,
            Self::Crash(Process::Scheduler) => Kind::SchedulerCrash,
            Self::Crash(Process::Writer) => Kind::WriterCrash,
            Self::Crash(Process::Issuer) => Kind::IssuerCrash,
            Self::CrashIntoStale(_) => Kind::StaleWatch,
            Self::Clock(..) => Kind::ClockStep,
            Self::CutWriter => Kind::CutSchedulerWriter,
            Self::CutIssuer => Kind::CutSchedulerIssuer,
            Self::CutIssuing => Kind::CutWriterIssuer,
            Self::SlowStream(_) => Kind::SlowStream,
            Self::Replica(_, OfReplica::Crash) => Kind::ReplicaCrash,
            Self::Replica(_, OfReplica::Lost) => Kind::ReplicaLost,
            Self::Replica(_, OfReplica::Stands) => Kind::ReplicaStands,
            Self::Replica(_, OfReplica::Clock(_)) => Kind::ReplicaClock,
            Self::Replica(_, OfReplica::CutSeed) => Kind::CutReplicaSeed,
            Self::Replica(_, OfReplica::CutWriter) => Kind::CutReplicaWriter,
            Self::Replica(_, OfReplica::CutIssuer) => Kind::CutReplicaIssuer,
            Self::Replica(_, OfReplica::Leaves) => Kind::ReplicaLeaves,
            Self::Replica(_, OfReplica::Joins) => Kind::ReplicaJoins,
        }
    }

    /// What it concerns.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::ShootAway(shoot)
            | Self::ShootHibernates(shoot)
            | Self::ShootFrozen(shoot)
            | Self::ShootSlow(shoot)
            | Self::ShootThrottles(shoot)
            | Self::ShootErrs(shoot)
            | Self::ShootClock(shoot, _)
            | Self::KeyExchange(shoot) => Scope::Shoot(shoot),
            _ => Scope::All,
        }
    }

    /// Whether nothing is renewed meanwhile, so that a backlog is there at its end.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        match self {
            Self::ShootAway(_)
            | Self::ShootHibernates(_)
            | Self::ShootFrozen(_)
            | Self::SeedAway
            | Self::Crash(_)
            | Self::CrashIntoStale(_)
            | Self::CutWriter
            | Self::CutIssuing => true,
            Self::ShootSlow(_)
            | Self::ShootThrottles(_)
            | Self::ShootErrs(_)
            | Self::ShootClock(..)
            | Self::KeyExchange(_)
            | Self::SeedSlow
            | Self::SeedThrottles
            | Self::SeedBusy
            | Self::Clock(..)
            | Self::CutIssuer
            | Self::Replica(..)
            | Self::SlowStream(_) => false,
        }
    }
}
