//! The revocation of what one Secret held, and everybody who has a hand in it.
//!
//! ```text
//! command ──Ask──► scheduler ──Order──► secret-writer ──Step──► token-issuer ──► shoot: generations
//!                     ▲ ▲                    │ patch                                  │
//!                     │ └──Deliver── view ◄──┴── Watch ── seed                        │
//!                     └──Look── book ◄── Hear ────────────────────────────────────────┘
//! ```
//!
//! As in [`crate::renewal`] every message is a step, what fails comes as often as [`Budget`] says, and
//! back-off and the memory against a storm are left out. So is the proof by an old token: whoever has
//! no such token waits half a minute, which is less than a tick.

mod actions;
mod call;
mod calm;
mod fleet;
mod ledger;
mod state;
mod steps;

use perennial_core::invariants::Invariant;
use stateright::{Model, Property};

pub use call::{Call, Issue, Revoke};
pub use fleet::Revocation;
pub use ledger::Ledger;
pub use state::{
    Budget, Command, Following, Job, Order, Patch, Phase, Scheduler, State, Wish, Writer,
};

use crate::{
    bound::{Content, Made, Number, Present, Seen},
    check::{Judged, properties},
    secret::Tick,
};

/// What the product holds to. A test takes one away and sees an invariant break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guards {
    /// Nothing is done for a Secret that is not the one that was decided on
    /// (`secret-writer/renew/permit::decided_on`).
    pub digest: bool,
    /// One renewal or repair per Secret at a time (`secret-writer/renew/under_way`).
    pub one_at_a_time: bool,
    /// The patch tests what the decision saw (`kube/access/write`).
    pub patch_tests: bool,
    /// Whoever did not begin a revocation takes up what is seen of it (`core/decision/generation`).
    pub resumes: bool,
    /// A generation that is made is no older than that of the token (`token-issuer/issue/bind::choose`).
    pub least: bool,
    /// A deletion says up to where (`fleet/revocation/ordered`, `token-issuer/issue/revoke`).
    pub up_to: bool,
    /// Never the generation of the token (`secret-writer/renew/repair`, `token-issuer/issue/revoke`).
    pub keeps_own: bool,
    /// A new token's note keeps what was promised before (`secret-writer/renew/binding::noted`).
    pub keeps_ends: bool,
    /// Who takes up a revocation finds its grace on the generation (`core/decision::grace_of`).
    pub grace_on_generation: bool,
    /// A grace counts for the generations that it was asked for (`fleet/revocation/ordered`).
    pub grace_of_its_own: bool,
    /// The shortest grace wins, also over what is usual or stands on the generation
    /// (`fleet/revocation`, `ordered`).
    pub shortest_wins: bool,
}

impl Guards {
    /// As it is.
    pub const ALL: Self = Self {
        digest: true,
        one_at_a_time: true,
        patch_tests: true,
        resumes: true,
        least: true,
        up_to: true,
        keeps_own: true,
        keeps_ends: true,
        grace_on_generation: true,
        grace_of_its_own: true,
        shortest_wins: true,
    };
}

/// A size, and what may fail in it.
#[derive(Clone, Debug)]
pub struct Revoking {
    /// How many schedulers; all of them believe that the shoot is theirs.
    pub schedulers: u8,
    /// How many secret-writers, each with a token-issuer.
    pub writers: u8,
    /// The last moment.
    pub last: Tick,
    /// Whether the token is due at the beginning.
    pub begins_due: bool,
    /// What operators ask for, each at any moment, of any scheduler.
    pub wishes: Vec<Wish>,
    /// How often what may fail.
    pub budget: Budget,
    /// What is held to.
    pub guards: Guards,
}

/// Who, by number.
type Who = u8;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time goes by.
    Tick,
    /// A command asks a scheduler, for the first time or after the one it followed died.
    Ask(u8, Who),
    /// The same, and the answer is lost: it gives up.
    AskLost(u8, Who),
    /// An operator interrupts a command.
    Interrupt(u8),
    /// The record stream reaches a scheduler.
    Deliver(Who),
    /// The token-issuer hears of the generations.
    Hear,
    /// What it heard reaches a scheduler.
    Look(Who),
    /// A scheduler orders, at this secret-writer.
    Order(Who, Who),
    /// Its order is on its way, and it waits no longer.
    OrderLate(Who, Who),
    /// A scheduler waits no longer for what is being done.
    GiveUp(Who),
    /// An order arrives that nobody waits for.
    ArriveLate,
    /// A scheduler that is wrong, or stolen, has all older generations deleted, and more.
    Stolen(Who),
    /// A secret-writer hears of the seed.
    Watch(Who),
    /// The next step of a job.
    Step(Who, u8),
    /// A call of the token-issuer does its next step, and its answer is lost.
    CallLost(Who, u8),
    /// The token-issuer dies before the next step of a call.
    CrashIssuer(Who, u8),
    /// The next step of a call whose secret-writer died.
    StepOrphan(u8),
    /// The patch is written, and the answer lost.
    WriteLost(Who, u8),
    /// The patch is on its way, and nobody waits for its answer any more.
    WriteLate(Who, u8),
    /// Such a patch arrives.
    ArrivePatch,
    /// A secret-writer dies; its patches and calls may still arrive.
    CrashWriter(Who),
    /// It starts, and lists.
    StartWriter(Who),
    /// A scheduler dies.
    CrashScheduler(Who),
    /// It starts, and knows nothing.
    StartScheduler(Who),
    /// Nobody reaches the seed.
    SeedAway,
    /// It is back.
    SeedBack,
    /// Nobody reaches the shoot.
    ShootAway,
    /// It is back.
    ShootBack,
    /// A stranger deletes a generation.
    Delete(Number),
    /// Somebody removes the timestamp: a renewal like any other.
    RemoveStamp,
}

impl Judged for State {
    fn broken(&self) -> Option<Invariant> {
        self.broken
    }
}

impl Model for Revoking {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let content = Content::first(self.begins_due);
        let mut present = Present::default();
        *present.place(1) = Some(Made { life: 0, grace: None });
        let book = Seen { present, at: 0 };
        let scheduler = Scheduler {
            up: true,
            view: Some(content),
            seen: Some(book),
            revocation: None,
            busy: false,
        };
        let writer = Writer { up: true, view: content, doubt: false, jobs: Vec::new() };
        let command =
            |wish: &Wish| Command { wish: *wish, promised: None, following: Following::NotYet };
        vec![State {
            now: 1,
            seed: content,
            seed_up: true,
            present,
            shoot_up: true,
            book,
            is_news: false,
            schedulers: vec![scheduler; self.schedulers.into()],
            writers: vec![writer; self.writers.into()],
            commands: self.wishes.iter().map(command).collect(),
            orphans: Vec::new(),
            late_orders: Vec::new(),
            late_patches: Vec::new(),
            ledger: Ledger::new(self.begins_due),
            budget: self.budget,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return; // what follows from it is of no interest
        }
        self.usual(state, actions);
        self.failures(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, action);
        (state != *last).then(|| {
            self.judge(&mut state);
            state
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let done = Property::sometimes("a generation is revoked", |_, state: &State| {
            state.ledger.revoked() > 0 && state.commands.iter().any(Command::is_told)
        });
        let mut all = properties();
        all.push(done);
        all
    }
}
