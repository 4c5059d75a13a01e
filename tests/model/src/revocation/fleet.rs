//! What a scheduler remembers and decides: `fleet/revocation`, in small numbers.

use std::cell::RefCell;

use perennial_core::{decision::Decision, reason::Reason};

use super::{Command, Following, Guards, Order, Revoking, Scheduler, State};
use crate::{
    bound::{self, Content, GRACE_USUAL, Number, Until, decided},
    secret::{Kept, Tick, kept},
};

thread_local! {
    static ORDERS: Kept<(Guards, Tick, Scheduler), Option<Order>> = RefCell::default();
}

/// `fleet::revocation::Revocation`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revocation {
    /// Tokens up to this generation go.
    pub up_to: Number,
    /// The shortest grace that was asked for.
    pub grace: Option<Tick>,
    /// When the first token of a newer generation was noted, as far as was seen.
    pub newer_since: Option<Tick>,
    /// What was asked for before of generations older than these.
    pub sooner: Until,
    /// The last deletion failed.
    pub unconfirmed: bool,
    /// All of it is done.
    pub done: bool,
}

impl Revocation {
    const fn new(up_to: Number, grace: Option<Tick>) -> Self {
        let sooner = Until([None; 3]);
        Self { up_to, grace, newer_since: None, sooner, unconfirmed: false, done: false }
    }

    const fn has_newer(&self, seen: Content) -> bool {
        seen.token.generation > self.up_to
    }

    fn ends(&self, seen: Content) -> Until {
        let since = self.newer_since.unwrap_or(seen.noted_at);
        match self.grace.filter(|_| self.has_newer(seen)) {
            Some(grace) => self.sooner.and(Until::one(self.up_to, since + grace)),
            None => self.sooner,
        }
    }

    /// `usual` is the grace where nobody said.
    fn join(
        &mut self,
        now: Tick,
        seen: Content,
        (up_to, grace): (Number, Option<Tick>),
        usual: Tick,
    ) {
        if up_to > self.up_to {
            let sooner = self.ends(seen);
            *self = Self { sooner, ..Self::new(up_to, grace) };
            return;
        }
        let Some(grace) = grace else { return };
        if up_to < self.up_to {
            self.sooner = self.sooner.and(Until::one(up_to, now + grace));
        } else {
            self.grace = Some(grace.min(self.grace.unwrap_or(usual)));
        }
    }

    fn about(&mut self, seen: Content, up_to: Number) -> Option<&mut Self> {
        (!self.done && self.has_newer(seen) && up_to >= self.up_to).then_some(self)
    }
}

impl Scheduler {
    /// What of it counts in a decision.
    fn under_way(&self) -> Option<Revocation> {
        self.revocation.filter(|revocation| !revocation.done)
    }

    /// `Revocations::deleted`
    pub(super) fn deleted(&mut self, seen: Content, up_to: Number) {
        let revocation = self.revocation.as_mut();
        if let Some(revocation) = revocation.and_then(|own| own.about(seen, up_to)) {
            (revocation.unconfirmed, revocation.done) = (false, true);
        }
    }

    /// `Revocations::not_confirmed`
    pub(super) fn not_confirmed(&mut self, up_to: Number) {
        let (Some(seen), Some(revocation)) = (self.view, self.revocation.as_mut()) else { return };
        if let Some(revocation) = revocation.about(seen, up_to) {
            revocation.unconfirmed = true;
        }
    }

    /// `Fleet::review_revocations`
    fn review(&mut self) {
        let (Some(view), Some(revocation)) = (self.view, self.revocation.as_mut()) else { return };
        if !revocation.has_newer(view) {
            return;
        }
        revocation.newer_since.get_or_insert(view.noted_at);
        let is_gone = self.seen.is_some_and(|seen| {
            let oldest = seen.present.numbers().next();
            seen.present.has(view.token) && oldest.is_none_or(|oldest| oldest > revocation.up_to)
        });
        revocation.done |= is_gone && !revocation.unconfirmed;
    }
}

impl Revoking {
    /// What a scheduler would order now.
    pub(super) fn wanted(&self, state: &State, who: u8) -> Option<Order> {
        let scheduler = state.schedulers[usize::from(who)];
        let order = kept(&ORDERS, (self.guards, state.now, scheduler), || {
            self.ordered(state.now, &scheduler)
        });
        order.map(|order| Order { by: Some(who), ..order })
    }

    fn ordered(&self, now: Tick, scheduler: &Scheduler) -> Option<Order> {
        let seen = scheduler.view.filter(|_| scheduler.up && !scheduler.busy)?;
        let under_way = scheduler.under_way();
        let asked = under_way.map(|revocation| (revocation.up_to, revocation.ends(seen)));
        let unconfirmed = under_way.filter(|own| own.unconfirmed && own.has_newer(seen));
        let reason = match *decided(now, seen, scheduler.seen, asked) {
            Decision::Renew(reason) => reason,
            Decision::Keep { .. } if unconfirmed.is_some() => Reason::GenerationLeft,
            _ => return None,
        };
        let is_resumed = matches!(reason, Reason::Revoked | Reason::GenerationLeft);
        if is_resumed && scheduler.revocation.is_none() && !self.guards.resumes {
            return None;
        }
        let ends = bound::ends(now, seen, scheduler.seen);
        let ends = asked.map_or(ends, |(_, asked)| ends.and(asked));
        let order = Order { ends, ..Order::new(seen, reason) };
        if !reason.needs_token() {
            let up_to = unconfirmed.map_or(0, |revocation| revocation.up_to);
            return Some(Order { number: ends.over(now).max(up_to), ..order });
        }
        let up_to = scheduler.revocation.map(|revocation| revocation.up_to);
        let number = bound::generation_wanted(now, seen, scheduler.seen, up_to);
        let raises = number > seen.token.generation;
        let grace =
            (reason == Reason::Revoked || raises).then(|| self.grace(now, scheduler, seen, number));
        Some(Order { number, grace, ..order })
    }

    /// `fleet/revocation/ordered`
    fn grace(&self, now: Tick, scheduler: &Scheduler, seen: Content, number: Number) -> Tick {
        let made = scheduler.seen.and_then(|seen| seen.present.get(number));
        let made = made.and_then(|made| made.grace).filter(|_| self.guards.grace_on_generation);
        let own = scheduler.revocation;
        let own = own.filter(|own| !own.has_newer(seen) || !self.guards.grace_of_its_own);
        let usual = match self.guards.grace_on_generation {
            true => bound::grace_of(now, seen, scheduler.seen, number),
            false => GRACE_USUAL,
        };
        match (own.and_then(|own| own.grace), made) {
            (Some(asked), Some(made)) if self.guards.shortest_wins => asked.min(made),
            (Some(asked), _) => asked,
            (None, _) => usual,
        }
    }

    /// Which generation a scheduler would say that it revokes, where it does not refuse.
    pub(super) fn answer(&self, state: &State, number: u8, who: u8) -> Option<Number> {
        let scheduler = &state.schedulers[usize::from(who)];
        let seen = scheduler.view.filter(|_| scheduler.up)?;
        let present = seen.token.generation;
        match (state.commands[usize::from(number)].wish.generation, scheduler.under_way()) {
            (0, Some(under_way)) => Some(under_way.up_to),
            (0, None) => {
                let there = scheduler.seen.map(|seen| seen.present).unwrap_or_default();
                let older = there.numbers().rfind(|number| *number < present);
                Some(older.unwrap_or(present))
            }
            (asked, _) => Some(asked).filter(|asked| *asked <= present),
        }
    }

    /// `Fleet::revoke`
    pub(super) fn revoke(&self, state: &mut State, number: u8, who: u8) {
        let Some(up_to) = self.answer(state, number, who) else { return };
        let (now, present) = (state.now, state.seed.token.generation);
        let scheduler = &mut state.schedulers[usize::from(who)];
        let Some(seen) = scheduler.view else { return };
        let command = &mut state.commands[usize::from(number)];
        let grace = command.wish.grace;
        let usual = match self.guards.shortest_wins {
            true => bound::grace_of(now, seen, scheduler.seen, up_to + 1),
            false => Tick::MAX,
        };
        match &mut scheduler.revocation {
            Some(own) => own.join(now, seen, (up_to, grace), usual),
            own @ None => *own = Some(Revocation::new(up_to, grace)),
        }
        command.wish.generation = up_to;
        command.following = Following::Scheduler(who);
        let promised = state.ledger.asked(up_to, grace, present);
        command.promised = command.promised.or(promised);
        self.reviewed(state, who);
    }

    /// A scheduler heard something; whoever follows it may be told that all is done. Gives back
    /// whether that is not so.
    pub(super) fn reviewed(&self, state: &mut State, who: u8) {
        let scheduler = &mut state.schedulers[usize::from(who)];
        scheduler.review();
        let Some(revocation) = scheduler.revocation.filter(|own| own.done) else { return };
        let follows = |command: &&mut Command| command.following == Following::Scheduler(who);
        let mut is_told = false;
        for command in state.commands.iter_mut().filter(follows) {
            (command.following, is_told) = (Following::Told, true);
        }
        if is_told && state.ledger.works(state.present, revocation.up_to) {
            Self::not_done(state);
        }
    }
}
