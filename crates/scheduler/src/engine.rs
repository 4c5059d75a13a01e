//! Brings the fleet to life: streams in, orders out, attempts watched to their end.
//!
//! One task owns all of it. It wakes on a message, a request, the end of an attempt, or the beat,
//! and looks at the wall clock each time; it never sleeps until a renewal is due.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use perennial_core::{
    campaign::Campaigns,
    failure::{Failure as _, Kind},
    membership::View,
    pause::Pauses,
    stop::Stop,
};
use perennial_process::{crash, supervise::Shutdown};
use perennial_rpc::status::Remote;
use tokio::{
    sync::{Notify, mpsc},
    time,
};
use tracing::{Instrument as _, Span, debug, info, info_span, warn};

use self::waiting::Waiting;
use crate::{board::Board, metrics::Metrics};
use perennial_fleet::{
    attempts::{Blame, Fault},
    feed::{AccountNews, GenerationsNews, RecordEvent, ShootEvent, TargetNews},
    observe::Observation,
    order::Order,
    outages::{Class, Turn},
    outcome::Answer,
    request,
    schedule::Schedule,
    stats::look_interval,
    stop::Switch,
};

pub mod follow;
mod gates;
mod members;
mod outlook;
mod paused;
pub mod remote;
mod waiting;

pub use gates::Gates;
pub use waiting::{Reply, Request};

#[cfg(test)]
mod tests;

/// How often the wall clock is looked at. A renewal is at most this late.
pub const BEAT: Duration = Duration::from_millis(200);
/// Messages of streams that wait for the engine.
pub const INPUTS_MAX: usize = 1_024;
/// Messages of streams that are taken at once before orders are given.
const BATCH_MAX: usize = 256;

/// What the tasks that follow streams hand in.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is a record; a box would cost \
    an allocation each"
)]
pub enum Input {
    /// From the secret-writer.
    Records(RecordEvent),
    /// From the token-issuer of that number.
    Shoots(usize, ShootEvent),
    /// From a token-issuer.
    Account(AccountNews),
    /// From a token-issuer.
    Target(TargetNews),
    /// The fleet is stopped, or is not.
    Stop(Option<Stop>),
    /// The shoots that are paused.
    Pauses(Pauses),
    /// The campaigns.
    Campaigns(Campaigns),
    /// Which replicas of the scheduler there are, by Leases that were asked for then.
    Members {
        /// By our clock.
        asked: Timestamp,
        /// What they say.
        view: View,
    },
    /// Leases could not be read for as long as one lives.
    MembersLost,
    /// From a token-issuer.
    Generations(GenerationsNews),
    /// The secret-writer's stream cannot be opened or broke.
    NoRecords(String),
    /// The stream of a token-issuer cannot be opened or broke.
    NoShoots(String),
}

/// Who carries out orders.
pub trait Renew: Send + Sync + std::fmt::Debug + 'static {
    /// Has one Secret renewed or repaired. Must end by itself.
    fn renew(&self, order: &Order) -> BoxFuture<'static, Result<Answer, Fault>>;
}

/// Who tells token-issuers what to observe.
pub trait Observe: Send + Sync + std::fmt::Debug + 'static {
    /// Tells one of them. Must end by itself.
    fn observe(&self, observation: &Observation) -> BoxFuture<'static, Result<(), Remote>>;
}

/// The long-lived task.
#[derive(Debug)]
pub struct Engine {
    board: Arc<Board>,
    renew: Arc<dyn Renew>,
    observe: Arc<dyn Observe>,
    observations: FuturesUnordered<BoxFuture<'static, (Observation, Result<(), Remote>)>>,
    inputs: mpsc::Receiver<Input>,
    requests: mpsc::Receiver<Request>,
    gates: Gates,
    metrics: Metrics,
    attempts: FuturesUnordered<BoxFuture<'static, Ended>>,
    waiting: Waiting,
    writer_away: bool,
    next_count: Option<time::Instant>,
    outlook: outlook::Outlook,
    looks: Arc<Notify>,
    /// Whether it was unknown which replicas there are.
    was_unread: bool,
}

/// What the engine works with.
#[derive(Debug)]
pub struct Parts {
    /// The fleet.
    pub board: Arc<Board>,
    /// Who carries out orders.
    pub renew: Arc<dyn Renew>,
    /// Who tells token-issuers what to observe.
    pub observe: Arc<dyn Observe>,
    /// What streams say.
    pub inputs: mpsc::Receiver<Input>,
    /// What operators ask for.
    pub requests: mpsc::Receiver<Request>,
    /// Readiness.
    pub gates: Gates,
    /// Metrics.
    pub metrics: Metrics,
    /// Has the Leases of the replicas read at once.
    pub looks: Arc<Notify>,
}

struct Ended {
    span: Span,
    order: Order,
    outcome: Result<Answer, Fault>,
}

impl Engine {
    /// An engine at rest.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { board, renew, observe, inputs, requests, gates, metrics, looks } = parts;
        Self {
            board,
            renew,
            observe,
            observations: FuturesUnordered::new(),
            inputs,
            requests,
            gates,
            metrics,
            attempts: FuturesUnordered::new(),
            waiting: Waiting::default(),
            writer_away: false,
            next_count: None,
            outlook: outlook::Outlook::default(),
            looks,
            was_unread: true, // they are read at the start anyway
        }
    }

    /// Runs until shutdown is requested. Then nothing more is ordered, and what is under way has
    /// `grace` to end: a token that is being issued should be written.
    pub async fn run(mut self, shutdown: Shutdown, grace: Duration) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                _ = self.inputs.recv_many(&mut batch, BATCH_MAX), if !self.inputs.is_closed() => {
                    batch.drain(..).for_each(|input| self.hear(input));
                    self.show_first_sets();
                }
                Some(request) = self.requests.recv() => self.request(request),
                Some(ended) = self.attempts.next(), if !self.attempts.is_empty() => {
                    self.finish(ended);
                }
                Some((observation, taken)) = self.observations.next(),
                    if !self.observations.is_empty() => self.observed(&observation, taken),
                now = beat.tick() => self.count(now),
            }
            self.dispatch();
            self.tell_what_to_observe();
        }
        if time::timeout(grace, self.finish_all()).await.is_err() {
            warn!(left = self.attempts.len(), "left renewals that did not end within {grace:?}");
        }
    }

    async fn finish_all(&mut self) {
        while let Some(ended) = self.attempts.next().await {
            self.finish(ended);
        }
    }

    fn hear(&mut self, input: Input) {
        let ((), dismissed) = match input {
            Input::Records(event) => {
                self.board.update(|fleet, now| fleet.hear_of_records(now, event))
            }
            Input::Shoots(source, event) => {
                self.board.update(|fleet, now| fleet.hear_of_shoots(now, source, event))
            }
            Input::Account(news) => {
                self.board.update(|fleet, now| fleet.hear_of_account(now, news))
            }
            Input::Target(news) => self.board.update(|fleet, now| fleet.hear_of_target(now, news)),
            Input::Stop(stop) => {
                let (turned, dismissed) =
                    self.board.update(|fleet, now| fleet.hear_of_stop(now, stop));
                if let Some(before) = turned {
                    self.log_switch(&before);
                }
                ((), dismissed)
            }
            Input::Pauses(pauses) => {
                self.board.update(|fleet, now| fleet.hear_of_pauses(now, pauses))
            }
            Input::Campaigns(campaigns) => {
                self.board.update(|fleet, now| fleet.hear_of_campaigns(now, campaigns))
            }
            Input::Members { asked, view } => {
                let (news, dismissed) = self.board.update(|fleet, now| {
                    let before = fleet.members().cloned();
                    fleet.hear_of_members(now, asked, view);
                    members::news(before.as_ref(), fleet.members())
                });
                members::log(news, || self.board.read(|fleet, _| fleet.sharing()));
                ((), dismissed)
            }
            Input::MembersLost => self.board.update(|fleet, now| fleet.members_lost(now)),
            Input::Generations(news) => {
                self.board.update(|fleet, now| fleet.hear_of_generations(now, news))
            }
            Input::NoRecords(why) => return self.gates.records.trouble(why),
            Input::NoShoots(why) => return self.gates.shoots.trouble(why),
        };
        self.waiting.dismiss(dismissed);
    }

    /// One line at each turn of the switch, and none where it was never thrown.
    fn log_switch(&self, before: &Switch) {
        match (before, self.board.read(|fleet, _| fleet.switch().clone())) {
            (_, Switch::Stopped(stop)) => {
                warn!(by = %stop.by, "the fleet is stopped, nothing is ordered: {stop}");
            }
            (Switch::Stopped(stop), _) => {
                warn!("the fleet is resumed, orders go out again; it was {stop}");
            }
            (Switch::Unread | Switch::Running, _) => debug!("the fleet is not stopped"),
        }
    }

    fn show_first_sets(&mut self) {
        let (records, shoots) =
            self.board.read(|fleet, _| (fleet.has_records(), fleet.has_shoots()));
        self.gates.records.show(records);
        self.gates.shoots.show(shoots);
    }

    fn request(&mut self, request: Request) {
        let Request { secret, reply } = request;
        if self.waiting.is_full() {
            return reply.say(Err(request::Error::TooMany));
        }
        let (accepted, dismissed) = self.board.update(|fleet, now| fleet.request(now, &secret));
        self.waiting.dismiss(dismissed);
        match accepted {
            Ok(()) => self.waiting.add(secret, reply),
            Err(error) => reply.say(Err(error)),
        }
    }

    fn dispatch(&mut self) {
        let ((orders, turns), dismissed) =
            self.board.update(|fleet, now| (fleet.tick(now), fleet.take_pause_turns()));
        paused::log(turns);
        self.look_at_members();
        self.waiting.dismiss(dismissed);
        for order in orders {
            // The root of a renewal's trace, unless an operator's call is.
            let span = info_span!(
                parent: &self.waiting.asked_in(&order.secret), "renewal",
                namespace = %order.secret.namespace, name = %order.secret.name,
                reason = order.reason.as_str(), attempt = order.attempt
            );
            crash::point("scheduler.ordered");
            span.in_scope(|| debug!("renewal ordered"));
            let outcome = self.renew.renew(&order).instrument(span.clone());
            self.attempts
                .push(Box::pin(async move { Ended { span, order, outcome: outcome.await } }));
        }
    }

    /// After a time in which this process stood still nothing is ordered before Leases were read anew.
    fn look_at_members(&mut self) {
        let is_unread = self.board.read(|fleet, _| fleet.is_unread());
        if is_unread && !std::mem::replace(&mut self.was_unread, is_unread) {
            self.looks.notify_one();
        }
        self.was_unread = is_unread;
    }

    fn tell_what_to_observe(&mut self) {
        let (observations, _) = self.board.update(|fleet, now| fleet.observations(now));
        for observation in observations {
            let told = self.observe.observe(&observation);
            self.observations.push(Box::pin(async move { (observation, told.await) }));
        }
    }

    fn observed(&mut self, observation: &Observation, taken: Result<(), Remote>) {
        let (failures, _) =
            self.board.update(|fleet, now| fleet.observed(now, observation, taken.is_ok()));
        if let (1, Err(error)) = (failures, taken) {
            let Observation { shoot, accounts, targets, families, .. } = observation;
            let (accounts, targets) = (accounts.len(), targets.len());
            warn!(
                %shoot, accounts, targets, families = families.len(), error = error.reason(),
                "a token-issuer does not observe the shoot yet: {}", error.message()
            );
        }
    }

    fn finish(&mut self, ended: Ended) {
        let Ended { span, order, outcome } = ended;
        let _within = span.enter();
        crash::point("scheduler.answered");
        let secret = &order.secret;
        let fault = outcome.as_ref().err().cloned();
        let ((finished, schedule), dismissed) = self.board.update(|fleet, now| {
            let finished = fleet.finished(now, secret, order.attempt, outcome);
            (finished, fleet.schedule(now, secret))
        });
        self.waiting.dismiss(dismissed);
        let Some(finished) = finished else { return };
        self.metrics.finished(&finished, fault.as_ref());
        self.log(&order, finished.took, fault.as_ref(), schedule.as_ref());
        finished.turns.iter().for_each(log_turn);
        let gone = || request::Error::NotFound(secret.clone());
        self.waiting.answer(
            secret,
            match fault {
                Some(fault) => Err(request::Error::Failed(secret.clone(), fault)),
                None => schedule.ok_or_else(gone),
            },
        );
    }

    /// One line per attempt; one for the begin of a time without secret-writer, and one for its end.
    fn log(
        &mut self,
        order: &Order,
        took: Duration,
        fault: Option<&Fault>,
        schedule: Option<&Schedule>,
    ) {
        let (namespace, name) = (&order.secret.namespace, &order.secret.name);
        let reason = order.reason.as_str();
        let next = schedule.and_then(|schedule| schedule.next_at).map(tracing::field::display);
        let away = fault.is_some_and(|fault| fault.blame == Blame::Writer);
        if self.writer_away && !away {
            info!("the secret-writer answers again");
        }
        match fault {
            None if !order.reason.needs_token() => {
                info!(%namespace, %name, reason, ?took, next, "repaired");
            }
            None => info!(%namespace, %name, reason, ?took, next, "renewed"),
            Some(fault) if fault.kind == Kind::Changed => {
                info!(%namespace, %name, reason, "not renewed: {}", fault.message);
            }
            Some(fault) if away && !self.writer_away => {
                warn!(reason = fault.reason, "the secret-writer is not reached: {}", fault.message);
            }
            Some(_) if away => {}
            Some(fault) => warn!(
                %namespace, %name, reason, kind = fault.kind.as_str(), error = fault.reason, next,
                "not renewed: {}", fault.message
            ),
        }
        self.writer_away = away;
    }

    fn count(&mut self, now: time::Instant) {
        if self.next_count.is_none_or(|next| now >= next) {
            let stats = self.board.read(|fleet, now| fleet.stats(now));
            self.next_count = Some(now + look_interval(stats.secrets.values().sum()));
            self.metrics.show(&stats);
            self.outlook.log(&stats);
        }
    }
}

/// One line when something goes away, and one when it is back.
fn log_turn(turn: &Turn) {
    match (&turn.class, &turn.away) {
        (Class::Seed, Some(why)) => {
            warn!("the seed takes no write, one Secret at a time tries: {why}");
        }
        (Class::Seed, None) => info!("the seed takes writes again"),
        (Class::TokenIssuer, Some(why)) => {
            warn!("the token-issuer is not reached, one Secret at a time tries: {why}");
        }
        (Class::TokenIssuer, None) => info!("the token-issuer answers again"),
        (Class::Shoot(shoot), Some(why)) => {
            warn!(%shoot, "calls to the shoot fail, one Secret at a time tries: {why}");
        }
        (Class::Shoot(shoot), None) => info!(%shoot, "the shoot does its work again"),
    }
}
