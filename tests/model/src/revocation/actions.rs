//! What may happen next.

use super::{Action, Following, Phase, Revoking, Scheduler, State, Writer};

impl Revoking {
    /// What happens where nothing fails.
    pub(super) fn usual(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.last && (self.is_fresh(state) || state.budget.lags > 0) {
            actions.push(Action::Tick);
        }
        for who in 0..self.schedulers {
            let scheduler = &state.schedulers[usize::from(who)];
            if !scheduler.up {
                actions.push(Action::StartScheduler(who));
                continue;
            }
            let streams = &state.writers[usize::from(self.streams_from(who))];
            if streams.up && scheduler.view != Some(streams.view) {
                actions.push(Action::Deliver(who));
            }
            if scheduler.seen != Some(state.book) {
                actions.push(Action::Look(who));
            }
            if self.wanted(state, who).is_some() {
                actions.push(Action::Order(who, 0));
            }
            for (number, command) in (0..).zip(&state.commands) {
                if command.asks() && self.answer(state, number, who).is_some() {
                    actions.push(Action::Ask(number, who));
                }
            }
        }
        if state.shoot_up && state.is_news {
            actions.push(Action::Hear);
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
            actions.extend(numbers(&writer.jobs).map(|job| Action::Step(who, job)));
        }
        if !state.late_orders.is_empty() {
            actions.push(Action::ArriveLate);
        }
        if !state.late_patches.is_empty() && state.seed_up {
            actions.push(Action::ArrivePatch);
        }
        if state.shoot_up {
            actions.extend(numbers(&state.orphans).map(Action::StepOrphan));
        }
        if !state.seed_up {
            actions.push(Action::SeedBack);
        }
        if !state.shoot_up {
            actions.push(Action::ShootBack);
        }
    }

    pub(super) fn failures(&self, state: &State, actions: &mut Vec<Action>) {
        let budget = state.budget;
        for who in 0..self.schedulers {
            let scheduler = &state.schedulers[usize::from(who)];
            if scheduler.up && budget.crashes > 0 {
                actions.push(Action::CrashScheduler(who));
            }
            if scheduler.busy && budget.lates > 0 {
                actions.push(Action::GiveUp(who));
            }
            if self.wanted(state, who).is_some() {
                if budget.lates > 0 {
                    actions.push(Action::OrderLate(who, 0));
                }
                if budget.reroutes > 0 {
                    actions.push(Action::Order(who, 1));
                }
            }
            for (number, command) in (0..).zip(&state.commands) {
                let is_first = command.following == Following::NotYet;
                if is_first && budget.losses > 0 && self.answer(state, number, who).is_some() {
                    actions.push(Action::AskLost(number, who));
                }
            }
        }
        for (number, command) in (0..).zip(&state.commands) {
            if budget.interrupts > 0 && command.is_there() {
                actions.push(Action::Interrupt(number));
            }
        }
        for (who, writer) in (0..).zip(&state.writers).filter(|(_, writer)| writer.up) {
            if budget.crashes > 0 {
                actions.push(Action::CrashWriter(who));
            }
            if budget.stolen > 0 {
                actions.push(Action::Stolen(who));
            }
            for (number, job) in (0..).zip(&writer.jobs) {
                let is_call = matches!(job.phase, Phase::Calling(_));
                if is_call && budget.losses > 0 && state.shoot_up {
                    actions.push(Action::CallLost(who, number));
                }
                if is_call && budget.crashes > 0 {
                    actions.push(Action::CrashIssuer(who, number));
                }
                if !is_call && budget.losses > 0 && state.seed_up {
                    actions.push(Action::WriteLost(who, number));
                }
                if !is_call && budget.lates > 0 {
                    actions.push(Action::WriteLate(who, number));
                }
            }
        }
        if budget.aways > 0 {
            actions.extend(state.seed_up.then_some(Action::SeedAway));
            actions.extend(state.shoot_up.then_some(Action::ShootAway));
        }
        if budget.strangers > 0 && state.shoot_up {
            actions.extend(state.present.numbers().map(Action::Delete));
        }
        if budget.edits > 0 && state.seed_up && state.seed.stamp {
            actions.push(Action::RemoveStamp);
        }
    }

    /// Whether everybody who runs has heard what there is to hear from who is there.
    pub(super) fn is_fresh(&self, state: &State) -> bool {
        let is_heard = !state.shoot_up || !state.is_news;
        let is_read = |writer: &Writer| !writer.up || !state.seed_up || writer.view == state.seed;
        let is_told = |(who, scheduler): (u8, &Scheduler)| {
            let streams = &state.writers[usize::from(self.streams_from(who))];
            !scheduler.up
                || (scheduler.seen == Some(state.book)
                    && (!streams.up || scheduler.view == Some(streams.view)))
        };
        is_heard && state.writers.iter().all(is_read) && (0..).zip(&state.schedulers).all(is_told)
    }

    /// Each scheduler takes the record stream of one replica.
    pub(super) fn streams_from(&self, scheduler: u8) -> u8 {
        scheduler.min(self.writers.saturating_sub(1))
    }
}

fn numbers<T>(all: &[T]) -> impl Iterator<Item = u8> + use<T> {
    0..u8::try_from(all.len()).unwrap_or(u8::MAX)
}
