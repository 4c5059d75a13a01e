//! Paused shoots as they bear on the fleet, and what a pause does to tokens meanwhile.
//!
//! A pause with an end is over when the clock says so; [`Fleet::tick`] looks. Between two looks what
//! the last one found holds.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    name::SecretRef,
    pause::{Pause, Pauses},
    shoot::ShootId,
};

use super::{Fleet, entry::Entry, named, request, stop::is_due};

/// How far ahead a pause without an end is said to let a token expire: whoever pauses without one is
/// back within the hour, or has said that it does not matter.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Most tokens that an outlook names.
const FIRST_MAX: usize = 10;
/// Tokens of paused shoots are looked at this often.
const LATE_INTERVAL: SignedDuration = SignedDuration::from_secs(1);
/// Most turns that are kept for whoever logs them, who takes them after each batch of events: a begin,
/// an end and a warning for each pause that a ConfigMap has room for as a rule.
const TURNS_MAX: usize = 3 * perennial_core::pause::PAUSES_MAX;

/// What is known of pauses.
#[derive(Debug, Default)]
pub(super) struct Paused {
    /// What the seed says, also of pauses that are over.
    told: Pauses,
    pub(super) in_force: Pauses,
    /// Paused shoots of which it was said that a token is late.
    late: BTreeSet<ShootId>,
    looked: Option<Timestamp>,
    turns: Vec<Turn>,
    revision: u64,
}

/// Something about pauses that is worth a line in the log, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A shoot is paused, or its pause says something else now.
    Began(ShootId, Pause),
    /// It is not any more: somebody resumed it, or the end has come.
    Ended(ShootId, Pause),
    /// The first token that should have been replaced by now, and when it expires.
    Late(SecretRef, Option<Timestamp>),
}

/// What happens to the tokens of a shoot while it is paused. Fields are explained in `pause.proto`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in pause.proto")]
pub struct PauseOutlook {
    pub secrets: usize,
    pub waiting: usize,
    pub unusable: usize,
    pub expiring: usize,
    pub expiring_within_hour: usize,
    pub expiring_within_day: usize,
    pub first: Vec<(Timestamp, SecretRef)>,
}

/// Counts of paused shoots and their tokens, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseStats {
    /// Paused shoots.
    pub shoots: usize,
    /// Secrets of theirs past their latest moment of renewal.
    pub overdue: usize,
    /// Tokens of theirs that expire before the pause ends; where it has no end, within the hour.
    pub expiring: usize,
}

impl Fleet {
    /// Which shoots are paused, by all that the seed says. What is under way ends; requests that wait
    /// are dismissed.
    pub fn hear_of_pauses(&mut self, now: Timestamp, pauses: Pauses) {
        self.paused.told = pauses;
        self.turn_pauses(now);
    }

    /// Pauses that are in force.
    #[must_use]
    pub const fn pauses(&self) -> &Pauses {
        &self.paused.in_force
    }

    /// Another number whenever [`Self::pauses`] are others.
    #[must_use]
    pub const fn pauses_revision(&self) -> u64 {
        self.paused.revision
    }

    /// What is worth a line in the log since the last call.
    #[must_use]
    pub fn take_pause_turns(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.paused.turns)
    }

    /// Whether a Secret or a token-issuer names this shoot; `None` where that cannot be said, because
    /// not all Secrets are known.
    #[must_use]
    pub fn knows_shoot(&self, shoot: &ShootId) -> Option<bool> {
        let is_known = self.members.shoot(shoot).is_some() || self.shoots.knows(shoot);
        match (is_known, self.records) {
            (true, _) => Some(true),
            (false, super::RecordsFeed::Whole) => Some(false),
            (false, super::RecordsFeed::First | super::RecordsFeed::Stale) => None,
        }
    }

    pub(super) fn pause_of(&self, shoot: &ShootId) -> Option<&Pause> {
        self.paused.in_force.get(shoot)
    }

    /// When the next pause is over by itself.
    pub(super) fn next_pause_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.paused.told.values().filter_map(|pause| pause.until);
        ends.filter(|end| *end > now).min()
    }

    /// Pauses begin and end, by what is told of them or by the clock.
    pub(super) fn turn_pauses(&mut self, now: Timestamp) {
        let Paused { told, in_force, .. } = &self.paused;
        let holding = || told.iter().filter(|(_, pause)| pause.holds(now));
        if holding().eq(in_force.iter()) {
            return;
        }
        let next: Pauses = holding().map(|(shoot, pause)| (shoot.clone(), pause.clone())).collect();
        let before = std::mem::replace(&mut self.paused.in_force, next.clone());
        self.paused.revision += 1;
        for (shoot, pause) in &before {
            if !next.contains_key(shoot) {
                self.paused.late.remove(shoot);
                self.tell_of_pause(shoot, Turn::Ended(shoot.clone(), pause.clone()));
            }
        }
        for (shoot, pause) in &next {
            if before.get(shoot) != Some(pause) {
                self.dismiss_requests_of(now, shoot, pause);
                self.tell_of_pause(shoot, Turn::Began(shoot.clone(), pause.clone()));
            }
        }
    }

    fn tell_of_pause(&mut self, shoot: &ShootId, turn: Turn) {
        // What a schedule says of its shoot is another thing now.
        self.effects.changed.extend(self.members.of(shoot));
        self.paused.say(turn);
    }

    fn dismiss_requests_of(&mut self, now: Timestamp, shoot: &ShootId, pause: &Pause) {
        let Some(member) = self.members.shoot(shoot) else { return };
        let requested = member.secrets.iter().filter(|(_, entry)| entry.requested);
        let requested: Vec<_> = requested.map(|(name, _)| named(shoot, name)).collect();
        for secret in requested {
            if let Some(entry) = self.members.get_mut(&secret) {
                entry.requested = false;
            }
            self.settle(now, &secret);
            let error = request::Error::Paused(secret.clone(), pause.clone());
            self.effects.dismissed.push((secret, error));
        }
    }

    /// Says once for each pause that a token of its shoot should have been replaced by now.
    pub(super) fn look_at_paused(&mut self, now: Timestamp) {
        let waited = self.paused.looked.map(|looked| now.duration_since(looked));
        let is_soon = |waited: SignedDuration| waited < LATE_INTERVAL && !waited.is_negative();
        if self.paused.in_force.is_empty() || waited.is_some_and(is_soon) {
            return;
        }
        self.paused.looked = Some(now);
        let unsaid = self.paused.in_force.keys().filter(|shoot| !self.paused.late.contains(*shoot));
        let late: Vec<_> = unsaid.filter_map(|shoot| self.first_late(now, shoot)).collect();
        for (expires_at, secret) in late {
            self.paused.late.insert(secret.namespace.clone());
            self.paused.say(Turn::Late(secret, Some(expires_at)));
        }
    }

    /// The token that expires first of those of a shoot that should have been replaced by now.
    fn first_late(&self, now: Timestamp, shoot: &ShootId) -> Option<(Timestamp, SecretRef)> {
        let secrets = &self.members.shoot(shoot)?.secrets;
        let late = secrets.iter().filter(|(_, entry)| self.is_overdue(now, shoot, entry));
        late.filter_map(|(name, entry)| {
            let end = entry.kept.expires_at()?;
            Some((self.our_clock(shoot, end), named(shoot, name)))
        })
        .min()
    }

    /// What waits and what expires in a shoot while it is paused until then, or without an end. The
    /// cost grows with the number of its Secrets.
    #[must_use]
    pub fn pause_outlook(
        &self,
        now: Timestamp,
        shoot: &ShootId,
        until: Option<Timestamp>,
    ) -> PauseOutlook {
        let mut outlook = PauseOutlook::default();
        let ahead = |length| now.saturating_add(length).unwrap_or(Timestamp::MAX);
        let (hour, day) = (ahead(HOUR), ahead(DAY));
        let secrets =
            self.members.shoot(shoot).into_iter().flat_map(|member| member.secrets.iter());
        for (name, entry) in secrets {
            outlook.secrets += 1;
            outlook.waiting += usize::from(is_due(&entry.standing));
            let Some(end) = self.end_of_use(now, shoot, entry) else {
                outlook.unusable += 1;
                continue;
            };
            outlook.expiring += usize::from(end <= until.unwrap_or(hour));
            outlook.expiring_within_hour += usize::from(end <= hour);
            outlook.expiring_within_day += usize::from(end <= day);
            outlook.first.push((end, named(shoot, name)));
        }
        outlook.first.sort();
        outlook.first.truncate(FIRST_MAX);
        outlook
    }

    /// Until when consumers have a usable token, by our clock; `None` where they have none now.
    fn end_of_use(&self, now: Timestamp, shoot: &ShootId, entry: &Entry) -> Option<Timestamp> {
        let end = self.our_clock(shoot, entry.usable_until()?);
        (end > now).then_some(end)
    }

    pub(super) fn pause_stats(&self, now: Timestamp) -> PauseStats {
        let mut stats = PauseStats { shoots: self.paused.in_force.len(), ..PauseStats::default() };
        for (shoot, pause) in &self.paused.in_force {
            stats.expiring += self.pause_outlook(now, shoot, pause.until).expiring;
            let entries = self.members.shoot(shoot).into_iter().flat_map(|m| m.secrets.values());
            stats.overdue += entries.filter(|entry| self.is_overdue(now, shoot, entry)).count();
        }
        stats
    }
}

impl Paused {
    fn say(&mut self, turn: Turn) {
        if self.turns.len() < TURNS_MAX {
            self.turns.push(turn);
        }
    }
}
