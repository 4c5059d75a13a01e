//! The global stop switch as it bears on the fleet, and what a stop does to tokens meanwhile.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{name::SecretRef, stop::Stop};

use super::{Fleet, entry::Standing, named, request};

/// How far ahead an operator who stops is told what expires.
const OUTLOOK: SignedDuration = SignedDuration::from_hours(1);

/// Whether orders may leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// Nobody has looked yet. Nothing is ordered: a restart must not run through a stop.
    #[default]
    Unread,
    /// They may.
    Running,
    /// They may not.
    Stopped(Stop),
}

impl Switch {
    /// The stop that is in force.
    #[must_use]
    pub const fn stopped(&self) -> Option<&Stop> {
        match self {
            Self::Stopped(stop) => Some(stop),
            Self::Unread | Self::Running => None,
        }
    }
}

/// What happens to tokens while nothing is ordered. Fields are explained in `scheduler.proto`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub struct Outlook {
    pub waiting: usize,
    pub unusable: usize,
    pub expiring_within_hour: usize,
    pub next: Option<(Timestamp, SecretRef)>,
}

impl Fleet {
    /// Whether orders may leave, as far as is known.
    #[must_use]
    pub const fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The fleet is stopped, or is not. What was under way ends; requests that wait are dismissed.
    /// Gives back what was known before, where this is another thing.
    pub fn hear_of_stop(&mut self, now: Timestamp, stop: Option<Stop>) -> Option<Switch> {
        let next = stop.map_or(Switch::Running, Switch::Stopped);
        if self.switch == next {
            return None;
        }
        let before = std::mem::replace(&mut self.switch, next);
        if let Switch::Stopped(stop) = self.switch.clone() {
            self.dismiss_requests(now, &stop);
        }
        // What a schedule says of a Secret that is due is another thing now.
        let due = self.members.all().filter(|(_, _, entry)| is_due(&entry.standing));
        let due: Vec<_> = due.map(|(shoot, name, _)| named(shoot, name)).collect();
        self.effects.changed.extend(due);
        Some(before)
    }

    fn dismiss_requests(&mut self, now: Timestamp, stop: &Stop) {
        let requested = self.members.all().filter(|(_, _, entry)| entry.requested);
        let requested: Vec<_> = requested.map(|(shoot, name, _)| named(shoot, name)).collect();
        for secret in requested {
            if let Some(entry) = self.members.get_mut(&secret) {
                entry.requested = false;
            }
            self.settle(now, &secret);
            let error = request::Error::Stopped(secret.clone(), stop.clone());
            self.effects.dismissed.push((secret, error));
        }
    }

    /// What is waiting, and what expires next. The cost grows with the number of Secrets.
    #[must_use]
    pub fn outlook(&self, now: Timestamp) -> Outlook {
        let horizon = now.saturating_add(OUTLOOK).unwrap_or(Timestamp::MAX);
        let mut outlook = Outlook::default();
        for (shoot, name, entry) in self.members.all() {
            outlook.waiting += usize::from(is_due(&entry.standing));
            let end = entry.usable_until().map(|end| self.our_clock(shoot, end));
            let Some(end) = end.filter(|end| *end > now) else {
                outlook.unusable += 1;
                continue;
            };
            outlook.expiring_within_hour += usize::from(end <= horizon);
            if outlook.next.as_ref().is_none_or(|(next, _)| end < *next) {
                outlook.next = Some((end, named(shoot, name)));
            }
        }
        outlook
    }
}

pub(super) const fn is_due(standing: &Standing) -> bool {
    matches!(standing, Standing::Due { .. })
}
