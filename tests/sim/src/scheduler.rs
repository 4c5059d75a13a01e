//! A replica of the scheduler: the real [`Fleet`], its clock, its beat and its two streams.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    budget::Budget,
    campaign::Campaigns,
    decision::Policy,
    membership,
    record::Record,
    shoot::{ShootId, ShootStatus},
};
use perennial_fleet::{
    Fleet, Settings,
    feed::{Event, RecordEvent, ShootEvent},
    order::Order,
    outcome::Finished,
};

use crate::{
    keeper::{Keeper, News},
    refusal::Refusal,
    time::{Ms, SECOND, stamp, true_moment},
};

/// The beat of the engine. Orders that no event brings leave on it, so lateness is real.
pub const BEAT: Ms = 200;
/// Beats are skipped for so long at most where there are others: half of what counts as a standstill.
const AWAKE: Ms = membership::STILL.as_millis() as Ms / 2;
/// As in `scheduler/engine/remote/apart`: clocks that are no further apart count as one.
const APART_SAME: Ms = 10 * SECOND;
/// By so much two clocks must have moved against each other to be noticed.
const APART_NOTICED: Ms = 60 * SECOND;

/// The settings of the simulation: those that the scheduler ships with, unless a test says else.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        policy: Policy::default(),
        in_flight_max: 64,
        in_flight_per_shoot_max: 8,
        audit: false,
        own_secret: "shoot-access-token-issuer".parse().expect("a name"),
        rate_max: NonZeroU32::new(1_000).expect("not zero"),
        rate_per_shoot_max: NonZeroU32::new(500).expect("not zero"),
        budget: Budget::default(),
    }
}

/// The model around the fleet.
#[derive(Debug)]
pub struct Scheduler {
    /// The real thing.
    pub fleet: Fleet,
    /// Whether it runs.
    pub is_up: bool,
    /// Whether it is one of those that are to run.
    pub is_member: bool,
    /// Its engine wants Leases read at once.
    pub wants_look: bool,
    /// How often it was started.
    pub epoch: u32,
    /// Its clock minus the true one.
    pub ahead: Ms,
    /// Whether the stream of records is open, and how often it was opened.
    pub records: (bool, u32),
    /// When its stream of records has shown the last one.
    pub last_record: Ms,
    /// Whether the stream of shoots is open.
    pub hears_shoots: bool,
    /// Whom it reaches.
    pub reaches: Reaches,
    /// Its Lease; `None` where it is the only one and there are none.
    pub keeper: Option<Keeper>,
    /// Since when it stands still: SIGSTOP, or its machine sleeps.
    pub stands: Option<Ms>,
    /// Its beats come so much after those of the first one.
    phase: Ms,
    settings: Settings,
    /// Its clock minus that of the token-issuer, as it believes.
    apart: Ms,
    /// Clock of each shoot minus its own, as it was told.
    offsets: Vec<Option<Ms>>,
    /// Something was heard since the last tick.
    touched: bool,
    /// When there is something to do, and the beat on which it is done if nothing is heard before.
    ripe: Option<Ms>,
    wake: Option<Ms>,
    /// Under way by its own count, which is of this epoch.
    under_way: Vec<u32>,
    under_way_total: usize,
}

/// Whom a replica reaches.
#[derive(Clone, Copy, Debug)]
pub struct Reaches {
    /// The secret-writer.
    pub writer: bool,
    /// The token-issuer.
    pub issuer: bool,
    /// The seed, where Leases and campaigns are.
    pub seed: bool,
}

impl Scheduler {
    /// One that has heard nothing, and runs unless it is to be started later.
    #[must_use]
    pub fn new(settings: Settings, shoots: usize, ahead: Ms, keeper: Option<Keeper>) -> Self {
        let mut scheduler = Self {
            fleet: Fleet::new(settings.clone()),
            is_up: true,
            is_member: true,
            wants_look: false,
            epoch: 0,
            ahead,
            records: (false, 0),
            last_record: 0,
            hears_shoots: false,
            reaches: Reaches { writer: true, issuer: true, seed: true },
            phase: keeper.as_ref().map_or(0, Keeper::phase),
            keeper,
            stands: None,
            settings,
            apart: 0,
            offsets: vec![None; shoots],
            touched: true,
            ripe: None,
            wake: None,
            under_way: vec![0; shoots],
            under_way_total: 0,
        };
        scheduler.begin(0);
        scheduler
    }

    /// It is started anew and knows nothing.
    pub fn start(&mut self, now: Ms) {
        self.fleet = Fleet::new(self.settings.clone());
        self.is_up = true;
        self.epoch += 1;
        self.offsets.fill(None);
        self.under_way.fill(0);
        self.under_way_total = 0;
        self.begin(now);
    }

    fn begin(&mut self, now: Ms) {
        (self.records.0, self.hears_shoots) = (false, false);
        let now = self.now(now);
        let _ = self.fleet.hear_of_stop(now, None);
        if let Some(keeper) = &mut self.keeper {
            keeper.start(now);
            self.fleet.share(now);
        }
        self.touched = true;
    }

    /// Whether it does anything now.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.is_up && self.stands.is_none()
    }

    /// Whether it would order for a shoot now: by what it believes.
    #[must_use]
    pub fn serves(&self, shoot: &ShootId) -> bool {
        let members = || self.fleet.members().is_none_or(|view| view.is_mine(shoot));
        self.runs() && !self.fleet.is_unread() && members()
    }

    /// Has it tick even if nothing is to be done.
    pub const fn touch(&mut self) {
        self.touched = true;
    }

    /// The present moment by its clock.
    #[must_use]
    pub fn now(&self, now: Ms) -> Timestamp {
        stamp(now, self.ahead)
    }

    /// The true moment of its next beat at which there is something to do.
    #[must_use]
    pub fn next_beat(&self) -> Option<Ms> {
        self.wake.filter(|_| self.runs())
    }

    /// Its clock was set.
    pub fn set_clock(&mut self, ahead: Ms) {
        self.ahead = ahead;
        self.touched = true;
    }

    /// How far its idea of a shoot's clock is ahead of that clock.
    #[must_use]
    pub fn error_of_clock(&self, shoot: usize, shoot_ahead: Ms) -> Ms {
        self.ahead + self.offsets[shoot].unwrap_or(0) - shoot_ahead
    }

    /// The clock of a shoot minus its own, as it was told.
    #[must_use]
    pub fn offset_of(&self, shoot: usize) -> Ms {
        self.offsets[shoot].unwrap_or(0)
    }

    /// Hears of all campaigns.
    pub fn hear_of_campaigns(&mut self, now: Ms, campaigns: Campaigns) {
        let now = self.now(now);
        self.fleet.hear_of_campaigns(now, campaigns);
        self.touched = true;
    }

    /// Hears of a Secret. What is known already is no reason to tick.
    pub fn hear_of_record(&mut self, true_now: Ms, event: RecordEvent) {
        let now = self.now(true_now);
        let is_upsert = matches!(event, Event::Upsert(_));
        self.fleet.hear_of_records(now, event);
        let is_news = !is_upsert || !self.fleet.take_effects().changed.is_empty();
        self.touched |= is_news || self.ripe.is_some_and(|ripe| ripe <= true_now);
    }

    /// Hears all records at the begin of a stream.
    pub fn hear_all_records(&mut self, now: Ms, records: impl Iterator<Item = Record>) {
        self.records = (true, self.records.1 + 1);
        self.hear_of_record(now, Event::Opened);
        records.for_each(|record| self.hear_of_record(now, Event::Upsert(record)));
        self.hear_of_record(now, Event::Complete);
    }

    /// The stream of records breaks.
    pub fn lose_records(&mut self, now: Ms) {
        if std::mem::take(&mut self.records.0) {
            self.hear_of_record(now, Event::Lost);
        }
    }

    /// Hears all shoots at the begin of a stream, from a token-issuer whose clock is so much ahead.
    pub fn hear_all_shoots(
        &mut self,
        now: Ms,
        issuer_ahead: Ms,
        statuses: impl Iterator<Item = ShootStatus>,
    ) {
        let apart = self.ahead - issuer_ahead;
        self.apart = if apart.abs() <= APART_SAME { 0 } else { apart / SECOND * SECOND };
        self.hears_shoots = true;
        self.hear_of_shoots(now, Event::Opened);
        for (number, status) in statuses.enumerate() {
            self.hear_of_shoot(now, number, status);
        }
        self.hear_of_shoots(now, Event::Complete);
    }

    /// Hears of one shoot.
    pub fn hear_of_shoot(&mut self, now: Ms, number: usize, status: ShootStatus) {
        let status = status.by_a_clock_ahead(SignedDuration::from_millis(self.apart));
        if let Some(offset) = status.clock_offset {
            let whole = offset.as_secs() * SECOND;
            self.offsets[number] = Some(whole);
        }
        self.hear_of_shoots(now, Event::Upsert(status));
    }

    fn hear_of_shoots(&mut self, now: Ms, event: ShootEvent) {
        let now = self.now(now);
        self.fleet.hear_of_shoots(now, 0, event);
        self.touched = true;
    }

    /// The stream of shoots breaks.
    pub fn lose_shoots(&mut self, now: Ms) {
        if std::mem::take(&mut self.hears_shoots) {
            self.hear_of_shoots(now, Event::Lost);
        }
    }

    /// Whether it sees that one of two clocks was set, and opens the stream of shoots anew.
    #[must_use]
    pub const fn notices_clocks(&self, issuer_ahead: Ms) -> bool {
        (self.ahead - issuer_ahead - self.apart).abs() > APART_NOTICED
    }

    /// Has its attempt at a Secret of this shoot end.
    pub fn finished(
        &mut self,
        now: Ms,
        shoot: usize,
        order: &Order,
        outcome: Result<Record, Refusal>,
    ) -> Option<Finished> {
        let outcome = outcome.map_err(Refusal::fault);
        let at = self.now(now);
        let finished = self.fleet.finished(at, &order.secret, order.attempt, outcome);
        if finished.is_some() {
            self.under_way[shoot] -= 1;
            self.under_way_total -= 1;
        }
        self.touched = true;
        finished
    }

    /// What it orders now, if there is anything to do.
    pub fn tick(&mut self, now: Ms) -> Vec<Order> {
        if !self.runs() || !(self.touched || self.wake.is_some_and(|wake| wake <= now)) {
            return Vec::new();
        }
        let at = self.now(now);
        let orders = self.fleet.tick(at);
        if let Some(keeper) = &mut self.keeper {
            self.wants_look |= keeper.is_to_look(self.fleet.is_unread());
        }
        drop(self.fleet.take_effects()); // nobody watches
        self.touched = false;
        let wake = self.fleet.wake_at(at).map(|wake| true_moment(wake, self.ahead));
        // One that has others looks at its clock all the time, to notice that it stood still.
        let awake = self.keeper.is_some().then_some(now + AWAKE);
        let beat = |wake: Ms| self.beat_from(wake.max(now + 1));
        (self.ripe, self.wake) = (wake, wake.into_iter().chain(awake).min().map(beat));
        orders
    }

    /// Hears of the others. Gives back whether it is something new.
    pub fn hear_of_members(&mut self, now: Ms, news: News) -> bool {
        let at = self.now(now);
        let Some(keeper) = &mut self.keeper else { return false };
        let was_lost = std::mem::replace(&mut keeper.is_lost, matches!(news, News::Lost));
        let is_new = match news {
            News::Members(asked, view) => {
                let is_new = was_lost || self.fleet.members() != Some(&view);
                self.fleet.hear_of_members(at, asked, view);
                is_new
            }
            News::Lost => {
                self.fleet.members_lost(at);
                !was_lost
            }
        };
        self.touched |= is_new;
        is_new
    }

    /// Counts an order in. Gives back how many are under way in all, and for this shoot.
    pub fn count(&mut self, shoot: usize) -> (usize, usize) {
        self.under_way_total += 1;
        self.under_way[shoot] += 1;
        self.under_way(shoot)
    }

    /// How many are under way in all, and for this shoot.
    #[must_use]
    pub fn under_way(&self, shoot: usize) -> (usize, usize) {
        (self.under_way_total, self.under_way[shoot] as usize)
    }

    /// The first beat that is not before `at`.
    const fn beat_from(&self, at: Ms) -> Ms {
        at + (self.phase - at).rem_euclid(BEAT)
    }
}
