//! What becomes of a state when nothing fails any more.

use std::{cell::RefCell, collections::HashSet};

use perennial_core::{
    decision::Decision,
    invariants::{Broken, every_secret_ends_up_renewed},
    reason::Reason,
};

use super::{Action, Budget, Command, Following, Guards, Revoking, State};
use crate::bound::decided;

/// Steps until nothing is to be done in a tick; an order has six at most, for each of two schedulers, and
/// three follow each other.
const STEPS_MAX: usize = 60;
/// The longest grace of a model is 3 ticks.
const TICKS: u8 = 5;

thread_local! {
    /// States that end well.
    static GOOD: RefCell<HashSet<(Guards, State)>> = RefCell::default();
}

impl Revoking {
    /// From here on all are well, and each does what it has to do: older generations go when they were
    /// promised to, and nothing is left to do then. Asked where nothing is under way, which every state
    /// comes to.
    pub(super) fn ends_up(&self, state: &State) -> Result<(), Broken> {
        let is_busy = state.writers.iter().any(|writer| !writer.jobs.is_empty());
        if is_busy || state.schedulers.iter().any(|scheduler| scheduler.busy) {
            return Ok(());
        }
        let begun = (self.guards, self.calm(state));
        if GOOD.with_borrow(|good| good.contains(&begun)) {
            return Ok(());
        }
        let mut calm = begun.1.clone();
        // A new token is due a moment after a stranger took the generation of the last one, and older
        // ones go no sooner.
        let judged_from = state.now + u8::from(state.ledger.is_disturbed);
        while calm.now < state.now + TICKS {
            for _ in 0..STEPS_MAX {
                let Some(action) = self.next(&calm) else { break };
                self.act(&mut calm, action);
                if let Some(invariant) = calm.broken {
                    return Err(Broken { invariant, seen: format!("{action:?}") });
                }
            }
            if calm.now >= judged_from {
                Self::late(&calm)?;
            }
            calm.now += 1;
        }
        calm.now -= 1;
        Self::left(&calm)?;
        GOOD.with_borrow_mut(|good| good.insert(begun));
        Ok(())
    }

    /// Everybody is back and has heard all; what is on its way is lost.
    fn calm(&self, state: &State) -> State {
        let mut calm = State {
            seed_up: true,
            shoot_up: true,
            orphans: Vec::new(),
            late_orders: Vec::new(),
            late_patches: Vec::new(),
            ledger: state.ledger.calm(),
            budget: Budget::default(),
            ..state.clone()
        };
        for command in calm.commands.iter_mut().filter(|command| !command.is_there()) {
            *command = Command { following: Following::Gone, promised: None, ..*command };
            command.wish.generation = 0;
        }
        if std::mem::take(&mut calm.is_news) {
            (calm.book.present, calm.book.at) = (calm.present, calm.now);
        }
        for writer in &mut calm.writers {
            (writer.up, writer.doubt, writer.view) = (true, false, calm.seed);
        }
        for who in 0..self.schedulers {
            let scheduler = &mut calm.schedulers[usize::from(who)];
            (scheduler.up, scheduler.view) = (true, Some(calm.seed));
            scheduler.seen = Some(calm.book);
            self.reviewed(&mut calm, who);
        }
        calm
    }

    /// The one step that comes next when nothing fails.
    fn next(&self, state: &State) -> Option<Action> {
        let mut actions = Vec::new();
        self.usual(state, &mut actions);
        let is_news = |action: &Action| !matches!(action, Action::Tick | Action::Order(..));
        // Orders last: whoever orders has heard what there is to hear.
        let is_order = |action: &&Action| matches!(action, Action::Order(..));
        actions.iter().find(|action| is_news(action)).or(actions.iter().find(is_order)).copied()
    }

    /// None lives longer than was noted, or than somebody was promised who is still there.
    fn late(state: &State) -> Result<(), Broken> {
        let present = state.seed.token.generation;
        for number in state.present.numbers().filter(|number| *number < present) {
            let commands = state.commands.iter();
            let own = commands.filter(|own| own.is_there() && own.wish.generation >= number);
            let asked = own.filter_map(|own| Some(state.seed.noted_at + own.promised?));
            let end = asked.chain(state.ledger.promised(number)).min();
            if end.is_some_and(|end| end <= state.now) {
                return every_secret_ends_up_renewed(&Decision::Renew(Reason::GenerationLeft));
            }
        }
        Ok(())
    }

    /// What should have been done by now.
    fn left(state: &State) -> Result<(), Broken> {
        let token = state.seed.token;
        let is_older = |number: u8| number < token.generation;
        let should = if state.present.newest() > token.generation {
            Some(Reason::Revoked)
        } else if !state.present.has(token) {
            Some(Reason::GenerationGone)
        } else if state.present.numbers().any(is_older) {
            Some(Reason::GenerationLeft)
        } else {
            let waits = state.commands.iter().any(Command::is_there);
            waits.then_some(Reason::Revoked)
        };
        if let Some(reason) = should {
            every_secret_ends_up_renewed(&Decision::Renew(reason))?;
        }
        state.schedulers.iter().try_for_each(|scheduler| {
            let view = scheduler.view.unwrap_or(state.seed);
            every_secret_ends_up_renewed(&decided(state.now, view, scheduler.seen, None))
        })
    }
}
