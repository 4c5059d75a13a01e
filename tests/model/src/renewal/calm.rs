//! What becomes of a state when nothing fails any more.

use perennial_core::invariants::{Broken, every_secret_ends_up_renewed};

use super::{Action, Renewal, State};
use crate::secret::{Looked, decided};

/// Steps until nothing is to be done; a renewal has ten at most, for each of two schedulers and after
/// each of two ticks.
const STEPS_MAX: usize = 100;

impl Renewal {
    /// From here on all are well, and each does what it has to do: what is decided then. Asked where
    /// nothing is under way, which every state comes to.
    pub(super) fn ends_up(&self, state: &State) -> Result<(), Broken> {
        let is_busy = state.writers.iter().any(|writer| !writer.jobs.is_empty())
            || state.schedulers.iter().any(|scheduler| scheduler.flight.is_some());
        let looked =
            |state: &State| self.in_target.then_some(Looked { held: state.target, at: state.now });
        let now = |state: &State| decided(state.now, state.seed.content, looked(state));
        if is_busy || every_secret_ends_up_renewed(&now(state)).is_ok() {
            return Ok(());
        }
        let mut calm = state.clone();
        for _ in 0..2 {
            for _ in 0..STEPS_MAX {
                let Some(action) = self.next(&calm) else { break };
                self.act(&mut calm, action);
            }
            calm.now += 1;
        }
        every_secret_ends_up_renewed(&now(&calm))
    }

    /// The one step that comes next when nothing fails.
    fn next(&self, state: &State) -> Option<Action> {
        let mut actions = Vec::new();
        self.usual(state, &mut actions);
        let is_news = |action: &Action| !matches!(action, Action::Tick);
        // Orders last: whoever orders has heard what there is to hear.
        let is_order = |action: &Action| matches!(action, Action::Order(..));
        let mut news = actions.into_iter().filter(is_news);
        let first = news.next()?;
        if !is_order(&first) {
            return Some(first);
        }
        news.find(|action| !is_order(action)).or(Some(first))
    }
}
