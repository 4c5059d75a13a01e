//! One Secret, and everybody who may touch it.
//!
//! ```text
//! scheduler ──Order──► secret-writer ──Issue──► shoot
//!     ▲                    │ Patch                 (target)
//!     └──Deliver── view ◄──┴── Watch ── seed
//! ```
//!
//! Every message is a step of its own, so all others may come between. What is lost, late or dead is
//! a step too, and comes as often as [`Budget`] says. Left out: the memory against a storm and every
//! back-off. Both only hold an order back, so here is more than can happen.

mod calm;
mod state;
mod steps;

use perennial_core::{decision::Decision, invariants::Invariant};
use stateright::{Model, Property};

pub use state::{Budget, Job, Order, Patch, Phase, Scheduler, Standing, State, Tests, Writer};

use crate::{
    check::{Judged, properties},
    secret::{Content, Tick, Token, decided},
};

/// What the product holds to. A test takes one away and sees an invariant break.
#[derive(Clone, Copy, Debug)]
pub struct Guards {
    /// Nothing is issued for a Secret that is not the one that was decided on
    /// (`secret-writer/renew/permit::decided_on`).
    pub digest: bool,
    /// One renewal per Secret at a time (`secret-writer/renew/under_way`).
    pub one_at_a_time: bool,
    /// While the seed did not take the last write, it is read before a token is asked for
    /// (`secret-writer/renew/doubt`).
    pub look_in_doubt: bool,
    /// A token is what was asked for before it is written (`secret-writer/renew/check`).
    pub check: bool,
    /// The patch tests what the decision saw (`kube/access/write`, `operations`).
    pub patch_tests: bool,
    /// A target that somebody filled later stays as it is (`kube/shoot/targets/edit::later`).
    pub later_wins: bool,
    /// The patch of a target tests what was read (`kube/shoot/targets/edit::tests`).
    pub target_tests: bool,
}

impl Guards {
    /// As it is.
    pub const ALL: Self = Self {
        digest: true,
        one_at_a_time: true,
        look_in_doubt: true,
        check: true,
        patch_tests: true,
        later_wins: true,
        target_tests: true,
    };
}

/// A size, and what may fail in it.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// How many schedulers; all of them believe that the Secret is theirs.
    pub schedulers: u8,
    /// How many secret-writers.
    pub writers: u8,
    /// The last moment.
    pub last: Tick,
    /// Whether the token goes to a target.
    pub in_target: bool,
    /// Whether a token that is due is there at the beginning.
    pub begins_with_token: bool,
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
    /// The record stream reaches a scheduler.
    Deliver(Who),
    /// The shoot status reaches a scheduler: what stands in the target.
    Look(Who),
    /// A scheduler orders, at this secret-writer.
    Order(Who, Who),
    /// The order arrives.
    Arrive(Who),
    /// A scheduler waits no longer; its order may arrive all the same.
    GiveUp(Who),
    /// An order arrives that nobody waits for.
    ArriveLate,
    /// A secret-writer hears of the seed.
    Watch(Who),
    /// The next step of a job.
    Step(Who, u8),
    /// A token is issued, and the answer lost.
    IssueLost(Who, u8),
    /// The token that comes is of another account.
    IssueWrong(Who, u8),
    /// The patch is written, and the answer lost.
    WriteLost(Who, u8),
    /// The patch is on its way, and nobody waits for its answer any more.
    WriteLate(Who, u8),
    /// Such a patch arrives.
    ArrivePatch,
    /// A secret-writer dies; its patches may still arrive.
    CrashWriter(Who),
    /// It starts, and lists.
    StartWriter(Who),
    /// A scheduler dies; its order may still arrive.
    CrashScheduler(Who),
    /// It starts, and knows nothing.
    StartScheduler(Who),
    /// Nobody reaches the seed.
    SeedAway,
    /// It is back.
    SeedBack,
    /// Somebody edits what does not matter.
    EditOther,
    /// Somebody removes the timestamp.
    RemoveStamp,
    /// Somebody names another account.
    NameAccount,
    /// Somebody deletes the Secret and makes it anew.
    MakeAnew,
}

impl Judged for State {
    fn broken(&self) -> Option<Invariant> {
        self.broken
    }
}

impl Model for Renewal {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let bare = Content::bare(self.in_target);
        let content = if self.begins_with_token { bare.written(Token::FIRST, 0) } else { bare };
        let target = Some(Token::FIRST).filter(|_| self.in_target && self.begins_with_token);
        let standing = Standing { content, version: 0 };
        let scheduler = Scheduler { up: true, view: Some(content), looked: None, flight: None };
        let writer = Writer { up: true, view: standing, doubt: false, jobs: Vec::new() };
        vec![State {
            now: 1,
            seed: standing,
            seed_up: true,
            target,
            schedulers: vec![scheduler; self.schedulers.into()],
            writers: vec![writer; self.writers.into()],
            late_orders: Vec::new(),
            late_patches: Vec::new(),
            issued: 0,
            written: 0,
            failures: 0,
            budget: self.budget,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return; // what follows from it is of no interest
        }
        self.usual(state, actions);
        Self::failures(state, actions);
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
        let renewed = Property::sometimes("a token is written", |_, state: &State| {
            state.written > 0 && state.writers.iter().all(|writer| writer.jobs.is_empty())
        });
        let mut all = properties();
        all.push(renewed);
        all
    }
}

impl Renewal {
    /// What a scheduler would order now.
    pub(crate) fn wanted(state: &State, who: Who) -> Option<Order> {
        let scheduler = &state.schedulers[usize::from(who)];
        let (looked, free) = (scheduler.looked, scheduler.up && scheduler.flight.is_none());
        let seen = scheduler.view.filter(|_| free)?;
        match *decided(state.now, seen, looked) {
            Decision::Renew(reason) if reason.needs_token() => {
                Some(Order { by: Some(who), writer: 0, seen, looked, reason })
            }
            _ => None,
        }
    }

    /// What happens where nothing fails.
    fn usual(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.last {
            actions.push(Action::Tick);
        }
        for who in 0..self.schedulers {
            let scheduler = &state.schedulers[usize::from(who)];
            if !scheduler.up {
                actions.push(Action::StartScheduler(who));
                continue;
            }
            let streams = &state.writers[usize::from(self.streams_from(who))];
            if streams.up && scheduler.view != Some(streams.view.content) {
                actions.push(Action::Deliver(who));
            }
            let known = scheduler.looked.map(|looked| looked.held);
            if self.in_target && known != Some(state.target) {
                actions.push(Action::Look(who));
            }
            if Self::wanted(state, who).is_some() {
                actions.push(Action::Order(who, 0));
            }
            if matches!(scheduler.flight, Some(state::Flight::Sent(_))) {
                actions.push(Action::Arrive(who));
            }
        }
        if !state.late_orders.is_empty() {
            actions.push(Action::ArriveLate);
        }
        if !state.late_patches.is_empty() && state.seed_up {
            actions.push(Action::ArrivePatch);
        }
        for who in 0..self.writers {
            let writer = &state.writers[usize::from(who)];
            if !writer.up {
                if state.seed_up {
                    actions.push(Action::StartWriter(who));
                }
                continue;
            }
            if state.seed_up && writer.view != state.seed {
                actions.push(Action::Watch(who));
            }
            let jobs = 0..writer.jobs.len();
            actions.extend(jobs.map(|job| Action::Step(who, u8::try_from(job).unwrap_or(u8::MAX))));
        }
        if !state.seed_up {
            actions.push(Action::SeedBack);
        }
    }

    fn failures(state: &State, actions: &mut Vec<Action>) {
        let Budget { crashes, losses, lates, reroutes, aways, edits, wrongs } = state.budget;
        for (who, scheduler) in (0_u8..).zip(&state.schedulers) {
            if scheduler.up && crashes > 0 {
                actions.push(Action::CrashScheduler(who));
            }
            if scheduler.flight.is_some() && lates > 0 {
                actions.push(Action::GiveUp(who));
            }
            if reroutes > 0 && state.writers.len() > 1 && Self::wanted(state, who).is_some() {
                actions.push(Action::Order(who, 1));
            }
        }
        for (who, writer) in (0_u8..).zip(&state.writers) {
            if writer.up && crashes > 0 {
                actions.push(Action::CrashWriter(who));
            }
            for (number, job) in (0_u8..).zip(&writer.jobs) {
                match job.phase {
                    Phase::Permitted | Phase::Checked { .. } => {
                        if losses > 0 {
                            actions.push(Action::IssueLost(who, number));
                        }
                        if wrongs > 0 {
                            actions.push(Action::IssueWrong(who, number));
                        }
                    }
                    Phase::Patching { .. } if losses > 0 && state.seed_up => {
                        actions.push(Action::WriteLost(who, number));
                    }
                    _ => {}
                }
                if matches!(job.phase, Phase::Patching { .. }) && lates > 0 {
                    actions.push(Action::WriteLate(who, number));
                }
            }
        }
        if aways > 0 && state.seed_up {
            actions.push(Action::SeedAway);
        }
        if edits > 0 && state.seed_up {
            let edits = [Action::EditOther, Action::RemoveStamp, Action::NameAccount];
            actions.extend(edits.into_iter().chain([Action::MakeAnew]));
        }
    }

    /// Each scheduler takes the record stream of one replica.
    pub(crate) fn streams_from(&self, scheduler: Who) -> Who {
        scheduler.min(self.writers.saturating_sub(1))
    }
}
