//! The secret-writer: its view of the seed, its guards, and its memory against a storm. It judges by
//! the same functions of core as `secret-writer/renew/permit`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::ordinary_interval,
    record::{Record, Stamp},
    storm::Memory,
};
use perennial_fleet::order::Order;

use crate::{refusal::Refusal, seed::Standing, time::Ms};

/// `--renewal-interval-min`
const INTERVAL_MIN: Duration = Duration::from_secs(180);
/// As in `secret-writer/renew/permit`.
const SETTLED_SHARE: f64 = 0.75;

/// What it holds to. A test takes one away and sees an invariant break.
#[derive(Clone, Copy, Debug)]
pub struct Guards {
    /// Nothing is issued for a Secret that is not the one that was decided on.
    pub digest: bool,
    /// The write tests what stands there.
    pub write_tests: bool,
    /// One renewal per Secret at a time.
    pub one_at_a_time: bool,
    /// No storm.
    pub memory: bool,
    /// While the seed did not take the last write, a look at the Secret comes before a token.
    pub look: bool,
}

impl Guards {
    /// As it is.
    pub const ALL: Self =
        Self { digest: true, write_tests: true, one_at_a_time: true, memory: true, look: true };
}

/// The model.
#[derive(Debug)]
pub struct Writer {
    /// Whether it runs and has its first whole set.
    pub is_up: bool,
    /// How often it was started.
    pub epoch: u32,
    /// Its clock minus the true one.
    pub ahead: Ms,
    /// The seed did not take its last write: it looks before it asks for a token.
    pub doubts_seed: bool,
    /// It sees the seed as it was then; [`Ms::MAX`] where its watch is live.
    pub view: Ms,
    guards: Guards,
    /// What it remembers of a Secret beyond what it sees.
    known: Vec<Known>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    under_way: bool,
    /// A look of its own was ahead of the stale view.
    learned: bool,
    /// Of a token that was issued and does not stand there.
    memory: Option<Memory>,
}

impl Writer {
    /// One that runs.
    #[must_use]
    pub fn new(secrets: usize, ahead: Ms, guards: Guards) -> Self {
        let known = vec![Known::default(); secrets];
        Self { is_up: true, epoch: 0, ahead, doubts_seed: false, view: Ms::MAX, guards, known }
    }

    /// It is gone, and so is what it remembered.
    pub fn crash(&mut self) {
        (self.is_up, self.doubts_seed) = (false, false);
        self.known.fill(Known::default());
    }

    /// It runs again, with a view that ends at `view`.
    pub fn start(&mut self, view: Ms) {
        (self.is_up, self.view) = (true, view);
        self.epoch += 1;
    }

    /// Its watch has caught up.
    pub fn catch_up(&mut self) {
        self.view = Ms::MAX;
        self.known.iter_mut().for_each(|known| known.learned = false);
    }

    /// What it sees of a Secret.
    #[must_use]
    pub fn sees<'a>(&self, secret: usize, standing: &'a Standing) -> &'a Record {
        match self.known[secret].learned {
            true => &standing.record,
            false => standing.as_of(self.view),
        }
    }

    /// What it knows of the last token of a Secret.
    #[must_use]
    pub fn memory(&self, secret: usize, seen: &Record) -> Option<Memory> {
        match (self.known[secret].memory, seen.memory) {
            (Some(known), Some(noted)) if known.at < noted.at => Some(noted),
            (Some(known), _) => Some(known),
            (None, noted) => noted,
        }
    }

    /// Whether an order may be carried out, and what to note beside its token.
    ///
    /// # Errors
    /// What it says to the scheduler where not.
    pub fn permit(
        &mut self,
        now: Timestamp,
        secret: usize,
        (order, basis_seconds): (&Order, i64),
        seen: &Record,
    ) -> Result<Memory, Refusal> {
        if self.guards.one_at_a_time && self.known[secret].under_way {
            return Err(Refusal::UnderWay);
        }
        if self.guards.digest && seen.digest != order.digest {
            return Err(Refusal::Changed);
        }
        let memory = self.memory(secret, seen);
        let inputs = seen.inputs.as_ref().expect("every Secret of the town is valid");
        let ordinary = ordinary_interval(seen, inputs, basis_seconds, order.window);
        let asked = seen.stamp == Stamp::Absent && seen.issued.is_some(); // inputs never change here
        let hold = memory.and_then(|memory| memory.hold_until(now, ordinary, asked));
        if let Some(until) = hold.filter(|_| self.guards.memory) {
            let left = until.duration_since(now);
            return Err(Refusal::Held(Duration::try_from(left).unwrap_or_default()));
        }
        self.known[secret].under_way = true;
        let memory = memory.filter(|_| self.guards.memory);
        let next = |memory: Memory| memory.next(now, settled(seen, memory, now), ordinary, asked);
        Ok(memory.map_or(Memory::new(now, 0), next))
    }

    /// A renewal has ended, well or not.
    pub fn ended(&mut self, secret: usize) {
        self.known[secret].under_way = false;
    }

    /// A token was issued, and nothing says that it was written.
    pub fn remember(&mut self, secret: usize, memory: Memory) {
        self.known[secret].memory = self.guards.memory.then(|| memory.spoilt());
    }

    /// A look of its own at a Secret.
    pub fn learn(&mut self, secret: usize) {
        self.known[secret].learned = true;
    }

    /// Its write was answered.
    pub fn wrote(&mut self, secret: usize) {
        self.known[secret].memory = None;
        self.known[secret].learned = true;
    }

    /// Whether it looks at a Secret before it asks for a token.
    #[must_use]
    pub const fn looks_first(&self) -> bool {
        self.doubts_seed && self.guards.look
    }

    /// Whether a write tests what stands there.
    #[must_use]
    pub const fn tests_writes(&self) -> bool {
        self.guards.write_tests
    }
}

fn settled(seen: &Record, memory: Memory, now: Timestamp) -> bool {
    let Some(note) = &seen.issued else { return false };
    let (age, planned) = (now.duration_since(note.at), note.renew_at.duration_since(note.iat));
    let interval_min = SignedDuration::try_from(INTERVAL_MIN).expect("three minutes");
    memory.at <= note.at
        && planned >= interval_min
        && age >= interval_min
        && age.as_secs_f64() >= SETTLED_SHARE * planned.as_secs_f64()
}
