//! What each step does.

use perennial_core::{
    decision::Decision,
    generation::Noted,
    invariants::{every_secret_ends_up_renewed, extra_tokens_within_the_failure_table},
    reason::Reason,
};

use super::{
    Action, Call, Following, Issue, Job, Order, Patch, Phase, Revoke, Revoking, State,
    call::Outcome,
};
use crate::{
    bound::{Content, GENERATIONS, GRACE_USUAL, Number, Token, noted_anew, with_ends},
    check::note,
    secret::at,
};

/// How a job ends.
enum End {
    /// It is done.
    Done(Content),
    /// Not done, and the seed is well.
    Failed,
    /// Whether it is written nobody knows.
    Unknown,
}

impl Revoking {
    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Tick => {
                if !self.is_fresh(state) {
                    state.budget.lags -= 1;
                    state.ledger.failures += 1;
                }
                state.now += 1;
            }
            Action::Ask(number, who) => self.revoke(state, number, who),
            Action::Deliver(who) => {
                let view = state.writers[usize::from(self.streams_from(who))].view;
                state.schedulers[usize::from(who)].view = Some(view);
                self.reviewed(state, who);
            }
            Action::Hear => {
                (state.book.present, state.book.at) = (state.present, state.now);
                state.is_news = false;
            }
            Action::Look(who) => {
                state.schedulers[usize::from(who)].seen = Some(state.book);
                self.reviewed(state, who);
            }
            Action::Order(who, writer) => {
                let Some(order) = self.wanted(state, who) else { return };
                if !self.take(state, order, writer) {
                    return;
                }
                if writer > 0 {
                    state.budget.reroutes -= 1;
                    state.ledger.failures += 1; // two writers may both issue
                }
            }
            Action::ArriveLate => {
                let (writer, order) = state.late_orders.remove(0);
                self.take(state, order, writer);
            }
            Action::Watch(who) => state.writers[usize::from(who)].view = state.seed,
            Action::Step(who, job) => self.step(state, (who.into(), job.into())),
            Action::StepOrphan(number) => {
                let (call, broken) = (state.orphans.remove(number.into()), state.broken);
                if let Outcome::Next(call) = self.call(state, call) {
                    Self::go_on_alone(state, call);
                }
                // Where a stranger left none, it makes what it was told to; docs/model.md says why that is
                // no harm.
                if state.ledger.is_disturbed && matches!(call, Call::Issue { .. }) {
                    state.broken = broken;
                }
            }
            Action::ArrivePatch => {
                let patch = state.late_patches.remove(0);
                self.apply(state, patch);
            }
            Action::SeedBack => state.seed_up = true,
            Action::ShootBack => state.shoot_up = true,
            Action::StartWriter(who) => {
                let writer = &mut state.writers[usize::from(who)];
                (writer.up, writer.view) = (true, state.seed);
            }
            Action::StartScheduler(who) => state.schedulers[usize::from(who)].up = true,
            _ => self.fail(state, action),
        }
    }

    fn fail(&self, state: &mut State, action: Action) {
        match action {
            Action::AskLost(number, who) => {
                state.budget.losses -= 1;
                self.revoke(state, number, who);
                state.commands[usize::from(number)].following = Following::Gone;
            }
            Action::Interrupt(number) => {
                state.budget.interrupts -= 1;
                state.commands[usize::from(number)].following = Following::Gone;
            }
            Action::OrderLate(who, writer) => {
                let Some(order) = self.wanted(state, who) else { return };
                state.budget.lates -= 1; // costs nothing: its digest is tested
                state.late_orders.push((writer, Order { by: None, ..order }));
            }
            Action::GiveUp(who) => {
                state.budget.lates -= 1;
                self.give_up(state, who);
            }
            Action::CallLost(who, number) => {
                state.budget.losses -= 1;
                state.ledger.failures += 1;
                let job = state.writers[usize::from(who)].jobs[usize::from(number)];
                let Phase::Calling(call) = job.phase else { return };
                if let Outcome::Next(call) = self.call(state, call) {
                    Self::go_on_alone(state, call);
                }
                self.end(state, (who.into(), number.into()), &End::Failed);
            }
            Action::CrashIssuer(who, number) => {
                state.budget.crashes -= 1;
                self.end(state, (who.into(), number.into()), &End::Failed);
            }
            Action::WriteLost(who, number) => {
                state.budget.losses -= 1;
                let Some(patch) = Self::patch(state, who, number) else { return };
                state.ledger.failures += 1;
                self.apply(state, patch);
                self.end(state, (who.into(), number.into()), &End::Unknown);
            }
            Action::WriteLate(who, number) => {
                state.budget.lates -= 1;
                let Some(patch) = Self::patch(state, who, number) else { return };
                state.ledger.failures += 1;
                Self::on_its_way(state, patch);
                self.end(state, (who.into(), number.into()), &End::Unknown);
            }
            Action::CrashWriter(who) => self.crash_writer(state, who.into()),
            Action::CrashScheduler(who) => {
                state.budget.crashes -= 1; // costs nothing: what is seen says what to do
                self.give_up(state, who);
                let scheduler = &mut state.schedulers[usize::from(who)];
                (scheduler.up, scheduler.revocation) = (false, None);
                (scheduler.view, scheduler.seen) = (None, None);
                for command in &mut state.commands {
                    if command.following == Following::Scheduler(who) {
                        command.following = Following::Nobody;
                    }
                }
            }
            Action::SeedAway => {
                state.budget.aways -= 1;
                state.ledger.failures += 1;
                state.seed_up = false;
            }
            Action::ShootAway => {
                state.budget.aways -= 1;
                state.ledger.failures += 1;
                state.shoot_up = false;
            }
            Action::Delete(number) => {
                state.budget.strangers -= 1;
                state.ledger.causes += 1;
                state.ledger.failures += 1; // as below, of a token of this one
                state.ledger.is_disturbed = true;
                *state.present.place(number) = None;
                state.is_news = true;
            }
            Action::RemoveStamp => {
                state.budget.edits -= 1;
                state.ledger.causes += 1;
                state.ledger.failures += 1; // a token that was under way is in vain
                state.seed.stamp = false;
            }
            Action::Stolen(who) => {
                state.budget.stolen -= 1;
                state.ledger.is_grace_void = true;
                let seen = state.writers[usize::from(who)].view;
                let order = Order::new(seen, Reason::GenerationLeft);
                let number = GENERATIONS as Number;
                self.take(state, Order { number, ..order }, who);
            }
            other => unreachable!("{other:?} is none of the failures"),
        }
    }

    fn patch(state: &State, who: u8, number: u8) -> Option<Patch> {
        let job = state.writers[usize::from(who)].jobs[usize::from(number)];
        let Phase::Patching(put) = job.phase else { return None };
        Some(Patch { tests: job.seen, put })
    }

    /// A token-issuer does not know that nobody waits.
    fn go_on_alone(state: &mut State, call: Call) {
        state.orphans.push(call);
        state.orphans.sort_unstable();
    }

    fn on_its_way(state: &mut State, patch: Patch) {
        state.late_patches.push(patch);
        state.late_patches.sort_unstable();
    }

    /// Nobody waits any more for what a scheduler ordered.
    fn give_up(&self, state: &mut State, who: u8) {
        let scheduler = &mut state.schedulers[usize::from(who)];
        scheduler.busy = false;
        for job in state.writers.iter_mut().flat_map(|writer| &mut writer.jobs) {
            if job.order.by == Some(who) {
                job.order.by = None;
                if job.order.reason == Reason::GenerationLeft {
                    scheduler.not_confirmed(job.order.number);
                }
            }
        }
    }

    fn crash_writer(&self, state: &mut State, who: usize) {
        state.budget.crashes -= 1;
        state.ledger.failures += 1;
        for job in std::mem::take(&mut state.writers[who].jobs) {
            if let Some(by) = job.order.by {
                state.schedulers[usize::from(by)].busy = false;
            }
            match job.phase {
                Phase::Calling(call) => Self::go_on_alone(state, call),
                Phase::Patching(put) => Self::on_its_way(state, Patch { tests: job.seen, put }),
            }
        }
        (state.writers[who].up, state.writers[who].doubt) = (false, false);
    }

    /// `secret-writer/renew`: one at a time, then `decided_on`. Whether it was taken.
    fn take(&self, state: &mut State, order: Order, who: u8) -> bool {
        let (seed_up, book) = (state.seed_up, state.book);
        let writer = &mut state.writers[usize::from(who)];
        let busy = self.guards.one_at_a_time && !writer.jobs.is_empty();
        let seen = writer.view;
        let is_same = seen.record().digest == order.seen.record().digest;
        if !writer.up || busy || (self.guards.digest && !is_same) || writer.jobs.len() > 1 {
            return false;
        }
        let own = seen.token.generation;
        let phase = match order.reason {
            reason if reason.needs_token() => {
                if writer.doubt && !seed_up {
                    return false; // it is looked at first
                }
                let number = order.number.clamp(own, own + 1);
                let revokes = number > own || reason == Reason::Revoked;
                let grace = revokes.then(|| order.grace.unwrap_or(GRACE_USUAL));
                let least = number;
                let looks = least == 0 || revokes || book.present.newest() < least;
                let next = if looks { Issue::Look } else { Issue::Request(least) };
                Phase::Calling(Call::Issue { least, grace, looked: looks, next })
            }
            Reason::GenerationLeft => {
                let most = if self.guards.keeps_own { own - 1 } else { own };
                let up_to = if self.guards.up_to { order.number.min(most) } else { most };
                if up_to == 0 {
                    return false; // none is older, or to go
                }
                Phase::Calling(Call::Revoke { keep: own, up_to, next: Revoke::List })
            }
            _ => {
                let put = seen.with(&with_ends(seen.noted(), state.now, order.ends));
                if put == seen {
                    return false;
                }
                Phase::Patching(put)
            }
        };
        writer.jobs.push(Job { order, seen, phase });
        if let Some(by) = order.by {
            state.schedulers[usize::from(by)].busy = true;
        }
        true
    }

    fn step(&self, state: &mut State, place: (usize, usize)) {
        let job = state.writers[place.0].jobs[place.1];
        match job.phase {
            Phase::Calling(call) => match self.call(state, call) {
                Outcome::Next(call) => Self::go_on(state, place, Phase::Calling(call)),
                Outcome::Token(token) => self.granted(state, place, token),
                Outcome::Deleted => self.end(state, place, &End::Done(job.seen)),
                Outcome::Failed => self.end(state, place, &End::Failed),
            },
            Phase::Patching(_) if !state.seed_up => self.end(state, place, &End::Unknown),
            Phase::Patching(put) => match self.apply(state, Patch { tests: job.seen, put }) {
                true => self.end(state, place, &End::Done(put)),
                false => {
                    state.writers[place.0].view = state.seed;
                    self.end(state, place, &End::Failed);
                }
            },
        }
    }

    /// A token is there: `secret-writer/renew/carry_out::check_and_write`.
    fn granted(&self, state: &mut State, place: (usize, usize), token: Token) {
        let job = state.writers[place.0].jobs[place.1];
        let changed = self.guards.patch_tests && state.writers[place.0].view != job.seen;
        let own = job.seen.token.generation;
        if changed || token.generation < job.order.number.clamp(own, own + 1) {
            return self.end(state, place, &End::Failed);
        }
        let noted = self.noted(state.now, &job, token);
        let put = Content { token, noted_at: state.now, stamp: true, ..job.seen }.with(&noted);
        Self::go_on(state, place, Phase::Patching(put));
    }

    /// `secret-writer/renew/binding::noted`
    fn noted(&self, now: u8, job: &Job, token: Token) -> Noted {
        let before = job.seen.noted();
        let end = at(now + job.order.grace.unwrap_or(GRACE_USUAL));
        let older_until = match job.seen.token.generation == token.generation {
            true => before.older_until,
            false => Some(end),
        };
        let noted = Noted { older_until, ..noted_anew(token) };
        let is_kept = self.guards.keeps_ends;
        let noted = if is_kept { noted.with(at(now), before.ends(None)) } else { noted };
        if is_kept { with_ends(noted, now, job.order.ends) } else { noted }
    }

    /// The API server of the seed: whether the patch is taken.
    fn apply(&self, state: &mut State, Patch { tests, put }: Patch) -> bool {
        if self.guards.patch_tests && state.seed != tests {
            return false;
        }
        state.ledger.written(state.seed, put);
        state.seed = put;
        true
    }

    fn go_on(state: &mut State, (who, job): (usize, usize), phase: Phase) {
        state.writers[who].jobs[job].phase = phase;
    }

    fn end(&self, state: &mut State, (who, job): (usize, usize), end: &End) {
        let writer = &mut state.writers[who];
        let job = writer.jobs.remove(job);
        let is_patch = matches!(job.phase, Phase::Patching(_));
        match *end {
            End::Done(seen) if is_patch => (writer.view, writer.doubt) = (seen, false),
            End::Done(_) | End::Failed => {}
            End::Unknown => writer.doubt = true,
        }
        let Some(by) = job.order.by else { return };
        let is_deletion = job.order.reason == Reason::GenerationLeft;
        let scheduler = &mut state.schedulers[usize::from(by)];
        scheduler.busy = false;
        match *end {
            End::Done(seen) if is_deletion => scheduler.deleted(seen, job.order.number),
            End::Done(seen) => scheduler.view = Some(seen), // the answer has the record
            _ if is_deletion => scheduler.not_confirmed(job.order.number),
            _ => {}
        }
        self.reviewed(state, by);
    }

    /// Older generations are there, and should not be.
    pub(super) fn not_done(state: &mut State) {
        let left = Decision::Renew(Reason::GenerationLeft);
        note(&mut state.broken, every_secret_ends_up_renewed(&left));
    }

    pub(super) fn judge(&self, state: &mut State) {
        state.ledger.tidy(state.present);
        note(&mut state.broken, state.ledger.stands(state.seed.token));
        let jobs = state.writers.iter().flat_map(|writer| &writer.jobs);
        let in_hand = jobs.filter_map(|job| match job.phase {
            Phase::Patching(put) => Some(put.token),
            Phase::Calling(_) => None,
        });
        let on_its_way = state.late_patches.iter().map(|patch| patch.put.token);
        let extra = state.ledger.extra(in_hand.chain(on_its_way));
        let failures = state.ledger.failures.into();
        note(&mut state.broken, extra_tokens_within_the_failure_table(extra, failures));
        if state.broken.is_none() {
            let calm = self.ends_up(state);
            note(&mut state.broken, calm);
        }
    }
}
