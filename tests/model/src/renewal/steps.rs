//! What each step does.

use jiff::SignedDuration;
use perennial_core::{
    inputs::Inputs,
    invariants::{
        extra_tokens_within_the_failure_table, no_call_between_renewals,
        no_usable_token_replaced_by_one_that_does_not_fit,
    },
};

use super::{
    Action, Job, Order, Patch, Phase, Renewal, State, Tests,
    state::{Flight, bit},
};
use crate::{
    check::note,
    secret::{Content, Looked, Token, at, held},
};

/// How a job ends.
enum End {
    /// It stands there.
    Written,
    /// Not written, and the seed is well.
    Failed,
    /// Whether it is written nobody knows.
    Unknown,
}

impl Renewal {
    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Tick => state.now += 1,
            Action::Deliver(who) => {
                let writer = &state.writers[usize::from(self.streams_from(who))];
                state.schedulers[usize::from(who)].view = Some(writer.view.content);
            }
            Action::Look(who) => {
                let looked = Looked { held: state.target, at: state.now };
                state.schedulers[usize::from(who)].looked = Some(looked);
            }
            Action::Order(who, writer) => {
                let order = Self::wanted(state, who).expect("asked before");
                state.schedulers[usize::from(who)].flight =
                    Some(Flight::Sent(Order { writer, ..order }));
                if writer > 0 {
                    state.budget.reroutes -= 1;
                    state.failures += 1; // two writers may both issue
                }
            }
            Action::Arrive(who) => {
                let scheduler = &mut state.schedulers[usize::from(who)];
                let Some(Flight::Sent(order)) = scheduler.flight else { return };
                let taken = self.take(state, order);
                state.schedulers[usize::from(who)].flight = taken.then_some(Flight::Taken);
            }
            Action::GiveUp(who) => {
                state.budget.lates -= 1;
                Self::forget(state, who);
            }
            Action::ArriveLate => {
                let order = state.late_orders.remove(0);
                self.take(state, order);
            }
            Action::Watch(who) => state.writers[usize::from(who)].view = state.seed,
            Action::Step(who, job) => self.step(state, who.into(), job.into()),
            Action::ArrivePatch => {
                let patch = state.late_patches.remove(0);
                self.apply(state, patch);
            }
            Action::SeedBack => state.seed_up = true,
            Action::StartWriter(who) => {
                let seed = state.seed;
                let writer = &mut state.writers[usize::from(who)];
                (writer.up, writer.view) = (true, seed);
            }
            Action::StartScheduler(who) => state.schedulers[usize::from(who)].up = true,
            _ => self.fail(state, action),
        }
    }

    fn fail(&self, state: &mut State, action: Action) {
        match action {
            Action::IssueLost(who, job) => {
                state.budget.losses -= 1;
                state.failures += 1;
                Self::issue(state, 0);
                self.end(state, (who.into(), job.into()), &End::Failed);
            }
            Action::IssueWrong(who, job) => {
                state.budget.wrongs -= 1;
                state.failures += 1;
                self.issued(state, (who.into(), job.into()), 9);
            }
            Action::WriteLost(who, job) => {
                state.budget.losses -= 1;
                state.failures += 1;
                let Phase::Patching { token, tests } = Self::job(state, who, job).phase else {
                    return;
                };
                self.apply(state, Patch { token, tests });
                self.end(state, (who.into(), job.into()), &End::Unknown);
            }
            Action::WriteLate(who, job) => {
                state.budget.lates -= 1;
                state.failures += 1;
                let Phase::Patching { token, tests } = Self::job(state, who, job).phase else {
                    return;
                };
                state.late_patches.push(Patch { token, tests });
                self.end(state, (who.into(), job.into()), &End::Unknown);
            }
            Action::CrashWriter(who) => {
                state.budget.crashes -= 1;
                state.failures += 1;
                self.crash_writer(state, who.into());
            }
            Action::CrashScheduler(who) => {
                state.budget.crashes -= 1; // costs nothing: the records say what to do
                Self::forget(state, who);
                let scheduler = &mut state.schedulers[usize::from(who)];
                (scheduler.up, scheduler.view, scheduler.looked) = (false, None, None);
            }
            Action::SeedAway => {
                state.budget.aways -= 1;
                state.failures += 1;
                state.seed_up = false;
            }
            Action::EditOther => {
                state.budget.edits -= 1; // costs nothing
                state.seed = state.seed.now(state.seed.content);
            }
            Action::RemoveStamp => Self::edit(state, |content| Content { stamp: false, ..content }),
            Action::NameAccount => Self::edit(state, |content| Content { account: 1, ..content }),
            Action::MakeAnew => Self::edit(state, |content| Content {
                uid: content.uid + 1,
                account: content.account,
                ..Content::bare(content.in_target)
            }),
            other => unreachable!("{other:?} is none of the failures"),
        }
    }

    fn job(state: &State, who: u8, job: u8) -> Job {
        state.writers[usize::from(who)].jobs[usize::from(job)]
    }

    fn edit(state: &mut State, edit: impl Fn(Content) -> Content) {
        state.budget.edits -= 1;
        state.failures += 1; // a token that was under way is in vain
        state.seed = state.seed.now(edit(state.seed.content));
    }

    /// Nobody waits any more for what a scheduler ordered.
    fn forget(state: &mut State, who: u8) {
        if let Some(Flight::Sent(order)) = state.schedulers[usize::from(who)].flight.take() {
            state.late_orders.push(Order { by: None, ..order });
        }
        for job in state.writers.iter_mut().flat_map(|writer| &mut writer.jobs) {
            job.order.by = job.order.by.filter(|by| *by != who);
        }
    }

    fn crash_writer(&self, state: &mut State, who: usize) {
        for job in std::mem::take(&mut state.writers[who].jobs) {
            if let Some(by) = job.order.by {
                state.schedulers[usize::from(by)].flight = None;
            }
            if let Phase::Patching { token, tests } = job.phase {
                state.late_patches.push(Patch { token, tests });
            }
        }
        (state.writers[who].up, state.writers[who].doubt) = (false, false);
    }

    /// `secret-writer/renew::renew`: one at a time, then `permit`. Whether it was taken.
    fn take(&self, state: &mut State, order: Order) -> bool {
        let writer = &mut state.writers[usize::from(order.writer)];
        let busy = self.guards.one_at_a_time && !writer.jobs.is_empty();
        let seen = writer.view;
        let same = seen.content.record().digest == order.seen.record().digest;
        if !writer.up || busy || (self.guards.digest && !same) || writer.jobs.len() > 1 {
            return false;
        }
        writer.jobs.push(Job { order, seen, phase: Phase::Permitted });
        let record = held(state.now, seen.content, order.looked);
        let asked =
            no_call_between_renewals(order.reason, &record, at(state.now), SignedDuration::ZERO);
        note(&mut state.broken, asked);
        true
    }

    fn step(&self, state: &mut State, who: usize, number: usize) {
        let job = state.writers[who].jobs[number];
        let place = (who, number);
        match job.phase {
            Phase::Permitted => {
                let looks = state.writers[who].doubt && self.guards.look_in_doubt;
                if looks && !state.seed_up {
                    return self.end(state, place, &End::Unknown);
                }
                if self.in_target {
                    let found = state.target;
                    return Self::go_on(state, place, Phase::Checked { found });
                }
                self.issued(state, place, job.seen.content.account);
            }
            Phase::Checked { .. } => self.issued(state, place, job.seen.content.account),
            Phase::Issued { token, found } => {
                let standing = state.target;
                Self::go_on(state, place, Phase::TargetRead { token, standing, found });
            }
            Phase::TargetRead { token, standing, found } => {
                self.deliver(state, place, (token, standing, found));
            }
            Phase::ToRead { token } => self.read(state, place, token),
            Phase::Patching { token, tests } => {
                if !state.seed_up {
                    return self.end(state, place, &End::Unknown);
                }
                match self.apply(state, Patch { token, tests }) {
                    true => self.end(state, place, &End::Written),
                    false => Self::go_on(state, place, Phase::ToRead { token }),
                }
            }
        }
    }

    /// A token comes, of this account.
    fn issued(&self, state: &mut State, place: (usize, usize), account: u8) {
        let job = state.writers[place.0].jobs[place.1];
        let token = Self::issue(state, account);
        if let Phase::Checked { found } = job.phase {
            // The token-issuer checks before it delivers what is not what was asked for.
            if self.guards.check && account != job.seen.content.account {
                return self.end(state, place, &End::Failed);
            }
            return Self::go_on(state, place, Phase::Issued { token, found });
        }
        let unfit = account != job.seen.content.account;
        let changed = state.writers[place.0].view.content != job.seen.content;
        if (self.guards.check && unfit) || (self.guards.patch_tests && changed) {
            return self.end(state, place, &End::Failed);
        }
        let tests = Tests::Version(job.seen.version);
        Self::go_on(state, place, Phase::Patching { token, tests });
    }

    fn issue(state: &mut State, account: u8) -> Token {
        let serial = u8::try_from(state.issued.count_ones()).unwrap_or(u8::MAX) + 1;
        let token = Token { serial, at: state.now, account };
        state.issued |= bit(token);
        token
    }

    /// `kube/shoot/targets::deliver`
    fn deliver(
        &self,
        state: &mut State,
        place: (usize, usize),
        (token, standing, found): (Token, Option<Token>, Option<Token>),
    ) {
        let later = standing.filter(|standing| {
            Some(*standing) != found
                && standing.account == token.account
                && standing.claims().issued_at >= token.claims().issued_at
        });
        if let Some(later) = later.filter(|_| self.guards.later_wins) {
            return Self::go_on(state, place, Phase::ToRead { token: later });
        }
        if self.guards.target_tests && state.target != standing {
            return Self::go_on(state, place, Phase::Issued { token, found });
        }
        let seen = state.writers[place.0].jobs[place.1].seen.content;
        Self::judge_put(state, state.target, token, seen);
        state.target = Some(token);
        Self::go_on(state, place, Phase::ToRead { token });
    }

    /// `kube/access/write`: what ends an order without another patch, or the next patch.
    fn read(&self, state: &mut State, place: (usize, usize), token: Token) {
        if !state.seed_up {
            return self.end(state, place, &End::Unknown);
        }
        let (job, found) = (state.writers[place.0].jobs[place.1], state.seed);
        if found.content.note.is_some_and(|note| note.token == token) {
            return self.end(state, place, &End::Written);
        }
        let is_still = found.content.record().digest == job.seen.content.record().digest;
        if self.guards.patch_tests && !is_still {
            state.writers[place.0].view = found;
            return self.end(state, place, &End::Failed);
        }
        let tests = Tests::Content(found.content);
        Self::go_on(state, place, Phase::Patching { token, tests });
    }

    /// The API server of the seed: whether the patch is taken.
    fn apply(&self, state: &mut State, Patch { token, tests }: Patch) -> bool {
        let holds = match tests {
            Tests::Version(version) => state.seed.version == version,
            Tests::Content(content) => state.seed.content == content,
        };
        if self.guards.patch_tests && !holds {
            return false;
        }
        let content = state.seed.content;
        if !self.in_target {
            Self::judge_put(state, content.token, token, content);
        }
        state.seed = state.seed.now(content.written(token, state.now));
        state.written |= bit(token);
        true
    }

    fn judge_put(state: &mut State, held: Option<Token>, put: Token, asked: Content) {
        let record = asked.record();
        let inputs: &Inputs = record.inputs.as_ref().expect("what the model asks for is valid");
        let (held, put) = (held.map(Token::claims), put.claims());
        let fits = no_usable_token_replaced_by_one_that_does_not_fit(
            held.as_deref(),
            &put,
            inputs,
            at(state.now),
        );
        note(&mut state.broken, fits);
    }

    fn go_on(state: &mut State, (who, job): (usize, usize), phase: Phase) {
        state.writers[who].jobs[job].phase = phase;
    }

    fn end(&self, state: &mut State, (who, job): (usize, usize), end: &End) {
        let (seed, writer) = (state.seed, &mut state.writers[who]);
        let job = writer.jobs.remove(job);
        match end {
            End::Written => (writer.view, writer.doubt) = (seed, false),
            End::Failed => {}
            End::Unknown => writer.doubt = true,
        }
        if let Some(by) = job.order.by {
            let scheduler = &mut state.schedulers[usize::from(by)];
            scheduler.flight = None;
            if let End::Written = end {
                scheduler.view = Some(seed.content); // the answer has the record
            }
        }
    }

    pub(super) fn judge(&self, state: &mut State) {
        let extra = extra_tokens_within_the_failure_table(state.in_vain(), state.failures);
        note(&mut state.broken, extra);
        if state.broken.is_none() {
            let calm = self.ends_up(state);
            note(&mut state.broken, calm);
        }
    }
}
