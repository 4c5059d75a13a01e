//! Whose turn it is, under the limits.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{name::SecretRef, pause::Pause, shoot::ShootId, stop::Stop};

use super::{Fleet, RecordsFeed, order::Order, stop::Switch};

/// While more is ready than the limits admit, all that is ready is judged anew this often: tokens
/// expire while they wait, and those then go first.
pub(super) const SWEEP_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// What holds back every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldBack<'a> {
    /// An operator stopped the fleet.
    Stopped(&'a Stop),
    /// An operator paused the shoot that is asked about.
    Paused(&'a Pause),
    /// Whether the fleet is stopped was not read yet.
    SwitchUnread,
    /// The first whole set of records is not in.
    NoRecords,
    /// The first whole set of shoots is not in.
    NoShoots,
    /// The record stream broke, and its next whole set is not in.
    StaleRecords,
    /// Which other schedulers there are was not read yet, or not since this one stood still.
    MembersUnread,
    /// This scheduler only decides and shows.
    Audit,
    /// The secret-writer was not reached a moment ago.
    WriterAway(&'a str),
}

impl Fleet {
    /// Orders what is due, as far as the limits admit. To be called on a short tick and after each
    /// batch of events.
    #[must_use = "an order counts as under way until `finished` is told of it"]
    pub fn tick(&mut self, now: Timestamp) -> Vec<Order> {
        self.notice_standstill(now);
        self.notice_clock(now);
        self.turn_pauses(now);
        self.look_at_paused(now);
        self.review_revocations(now);
        self.drive_campaigns(now);
        self.queue.advance(now);
        self.notice_hanging(now);
        let mut orders = Vec::new();
        if self.held_back(now).is_none() {
            while let Some(secret) = self.take(now) {
                orders.extend(self.order(now, &secret));
            }
            self.wake_probes(now);
        }
        if self.queue.ready_len() > 0 {
            self.sweep(now);
        }
        debug_assert!(self.keeps_limits(), "limits are never exceeded");
        orders
    }

    pub(super) fn held_back(&self, now: Timestamp) -> Option<HeldBack<'_>> {
        let writer = self.writer.as_ref().filter(|away| away.pause.holds(now));
        match &self.switch {
            Switch::Stopped(stop) => return Some(HeldBack::Stopped(stop)),
            Switch::Unread => return Some(HeldBack::SwitchUnread),
            Switch::Running => {}
        }
        match (self.records, self.shoots.has_been_whole(), writer) {
            (RecordsFeed::First, _, _) => Some(HeldBack::NoRecords),
            (_, false, _) => Some(HeldBack::NoShoots),
            (RecordsFeed::Stale, true, _) => Some(HeldBack::StaleRecords),
            (RecordsFeed::Whole, true, _) if self.ownership.is_unread() => {
                Some(HeldBack::MembersUnread)
            }
            (RecordsFeed::Whole, true, _) if self.settings.audit => Some(HeldBack::Audit),
            (RecordsFeed::Whole, true, Some(away)) => Some(HeldBack::WriterAway(&away.message)),
            (RecordsFeed::Whole, true, None) => None,
        }
    }

    /// What holds back orders for a shoot.
    pub(super) fn held_back_at(&self, now: Timestamp, shoot: &ShootId) -> Option<HeldBack<'_>> {
        self.held_back(now).or_else(|| self.pause_of(shoot).map(HeldBack::Paused))
    }

    fn take(&mut self, now: Timestamp) -> Option<SecretRef> {
        if !self.admits(now) {
            return None;
        }
        let (members, most, outages) = (&self.members, self.most_of_shoot(), &self.outages);
        let paused = &self.paused.in_force;
        self.queue.take(|shoot| {
            !paused.contains_key(shoot)
                && members.shoot(shoot).is_some_and(|member| member.admits(now, most))
                && outages.admits(now, shoot)
        })
    }

    fn sweep(&mut self, now: Timestamp) {
        let waited = now.duration_since(self.swept);
        if waited < SWEEP_INTERVAL && !waited.is_negative() {
            return;
        }
        self.swept = now;
        let ripe = self.queue.ready().cloned().collect();
        self.settle_each(now, ripe);
        self.queue.advance(now);
    }

    /// A moment of the shoot's clock by ours.
    pub(super) fn our_clock(&self, shoot: &ShootId, moment: Timestamp) -> Timestamp {
        moment.checked_sub(self.shoots.clock_offset(shoot)).unwrap_or(moment)
    }
}
