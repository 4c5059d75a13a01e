//! What happened: a digest over every event, and the last ones of each Secret for whoever has to
//! explain a violation.

use std::{
    fmt,
    hash::{DefaultHasher, Hasher as _},
};

use crate::time::{Ms, stamp};

/// Events that are kept of each Secret.
const KEPT: usize = 12;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its word")]
pub enum Step {
    Ordered,
    Refused,
    Issued,
    LostToken,
    Written,
    Conflict,
    Failed,
    Answered,
    AnswerLost,
    Shown,
    Looked,
    Began,
    Ended,
    Started,
    Crashed,
    Owned,
    Begun,
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    at: Ms,
    step: Step,
    value: i64,
}

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    seed: u64,
    digest: DefaultHasher,
    kept: Vec<[Option<Event>; KEPT]>,
    next: Vec<u8>,
}

impl Trace {
    /// Of a run with so many Secrets.
    #[must_use]
    pub fn new(secrets: usize, seed: u64) -> Self {
        Self {
            seed,
            digest: DefaultHasher::new(), // the same keys in every process
            kept: vec![[None; KEPT]; secrets],
            next: vec![0; secrets],
        }
    }

    /// What the run was drawn from.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Something happened to a Secret.
    pub fn of_secret(&mut self, at: Ms, secret: usize, step: Step, value: i64) {
        self.hash(at, secret as u64, step, value);
        let next = usize::from(self.next[secret]);
        self.kept[secret][next] = Some(Event { at, step, value });
        self.next[secret] = ((next + 1) % KEPT) as u8;
    }

    /// Something happened to something else.
    pub fn of_world(&mut self, at: Ms, what: u64, step: Step, value: i64) {
        self.hash(at, u64::MAX - what, step, value);
    }

    fn hash(&mut self, at: Ms, who: u64, step: Step, value: i64) {
        self.digest.write_i64(at);
        self.digest.write_u64(who << 8 | step as u64);
        self.digest.write_i64(value);
    }

    /// Digest of everything so far, in hex.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("{:016x}", self.digest.finish())
    }

    /// The last events of a Secret, the oldest first.
    #[must_use]
    pub fn last_of(&self, secret: usize) -> LastEvents {
        let next = usize::from(self.next[secret]);
        let mut events = self.kept[secret];
        events.rotate_left(next);
        LastEvents(events)
    }
}

/// The last events of one Secret.
#[derive(Clone, Debug)]
pub struct LastEvents([Option<Event>; KEPT]);

impl fmt::Display for LastEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().flatten().try_for_each(|event| {
            writeln!(f, "  {:.3} {:?} {}", stamp(event.at, 0), event.step, event.value)
        })
    }
}
