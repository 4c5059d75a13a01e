//! No storm, whoever calls (contract, B12): a stolen secret-writer, a scheduler that orders without
//! end through an honest one, an account whose tokens are refused as soon as they are issued.
//!
//! What is counted is tokens that a shoot granted, for each access Secret, by the same function
//! that scheduler and secret-writer judge by ([`perennial_core::storm`]), and never more than sixteen
//! in twenty minutes. A token that is not passed on counts, and so does a call of which nobody
//! knows how it ended; a call that was refused does not. One call for a Secret is under way at a
//! time, or many at once would all see the same memory.
//!
//! The memory lives in this process only: docs/decisions/0004-memory-against-a-storm.md.

mod entry;
mod held;
mod pace;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{
    clock::Clock,
    name::{SecretName, SecretRef},
    shoot::ShootId,
};

pub use self::held::Held;
use self::{entry::Entry, pace::Pace};

/// Most Secrets that are remembered, some 40 MB. Four times the 30,000 Secrets of the largest shoot
/// that was measured; those whose tokens are long in order are dropped before.
const SECRETS_MAX: usize = 1 << 17;
/// Below, nobody looks for Secrets that can be dropped.
const SWEEP_FROM: usize = 1 << 10;

/// Bounds of the memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `--renewal-interval-min`
    pub interval_min: Duration,
    /// `--issues-in-flight-per-shoot-max`
    pub in_flight_per_shoot_max: usize,
}

/// The memory against a storm.
#[derive(Debug)]
pub struct Storms {
    clock: Arc<dyn Clock>,
    pace: Pace,
    in_flight_per_shoot_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    known: BTreeMap<SecretRef, Entry>,
    sweep_at: usize,
    /// Not more than `--issues-in-flight-max`, which is taken before.
    under_way: BTreeMap<ShootId, BTreeSet<SecretName>>,
}

impl Storms {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let Limits { interval_min, in_flight_per_shoot_max } = limits;
        let state =
            State { known: BTreeMap::new(), sweep_at: SWEEP_FROM, under_way: BTreeMap::new() };
        let pace = Pace { interval_min };
        Self { clock, pace, in_flight_per_shoot_max, state: Mutex::new(state) }
    }

    /// Lets a request for a token pass. `lifetime_seconds` is what it asks for.
    ///
    /// # Errors
    /// It must wait.
    pub fn admit(&self, secret: &SecretRef, lifetime_seconds: i64) -> Result<Ticket<'_>, Held> {
        let now = self.clock.now();
        let mut state = self.lock();
        let hold = state.known.get(secret).and_then(|entry| {
            let until = entry.hold_until(now, self.pace)?;
            Some((until, entry.dropped.clone()))
        });
        if let Some((until, dropped)) = hold {
            return Err(Held::storm(secret, now, until, dropped));
        }
        let of_shoot = state.under_way.entry(secret.namespace.clone()).or_default();
        if of_shoot.contains(&secret.name) {
            return Err(Held::UnderWay { secret: secret.clone() });
        }
        if of_shoot.len() >= self.in_flight_per_shoot_max {
            let max = self.in_flight_per_shoot_max;
            return Err(Held::ShootBusy { shoot: secret.namespace.clone(), max });
        }
        of_shoot.insert(secret.name.clone());
        drop(state);
        Ok(Ticket { storms: self, secret: secret.clone(), lifetime_seconds, may_exist: false })
    }

    /// How many Secrets are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.lock().known.len()
    }

    /// The moment that is remembered: cut to whole seconds as in the note of the secret-writer, so
    /// that by the same clock nobody is held here whom that one lets pass.
    fn moment(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    fn count(&self, secret: &SecretRef, granted_seconds: i64) {
        let (now, pace) = (self.moment(), self.pace);
        let mut state = self.lock();
        if let Some(entry) = state.known.get_mut(secret) {
            entry.count(now, granted_seconds, pace);
            return;
        }
        state.make_room(now, pace);
        state.known.insert(secret.clone(), Entry::first(now, granted_seconds));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops what holds nothing any more, each time twice as many are known as were left the last
    /// time, so that it costs little for each token.
    ///
    /// Where all of them are still needed, those that wait for nothing are dropped, and where none
    /// is left to drop, all. That takes more than 100,000 tokens within some hours, most of them
    /// for Secrets that do not exist; whoever can have so many gains nothing by a few more of one.
    fn make_room(&mut self, now: Timestamp, pace: Pace) {
        if self.known.len() < self.sweep_at {
            return;
        }
        self.known.retain(|_, entry| !entry.is_spent(now, pace));
        if self.known.len() >= SECRETS_MAX {
            self.known.retain(|_, entry| entry.hold_until(now, pace).is_some());
        }
        if self.known.len() >= SECRETS_MAX {
            self.known.clear();
        }
        self.sweep_at = self.known.len().saturating_mul(2).clamp(SWEEP_FROM, SECRETS_MAX);
    }
}

/// A request that may be sent. The Secret is free for the next one when it is dropped, also by a
/// caller who goes away: then a token may have been issued, and counts.
#[derive(Debug)]
pub struct Ticket<'a> {
    storms: &'a Storms,
    secret: SecretRef,
    lifetime_seconds: i64,
    may_exist: bool,
}

impl Ticket<'_> {
    /// It is being sent: from now on there may be a token.
    pub fn sent(&mut self) {
        self.may_exist = true;
    }

    /// The answer says that there is none.
    pub fn refused(&mut self) {
        self.may_exist = false;
    }

    /// There is one, of this lifetime where it says so.
    pub fn granted(&mut self, lifetime_seconds: Option<i64>) {
        self.may_exist = false;
        self.storms.count(&self.secret, lifetime_seconds.unwrap_or(self.lifetime_seconds));
    }

    /// It is not passed on. The reason is shown to whoever is held because of it.
    pub fn dropped(&self, reason: &str) {
        if let Some(entry) = self.storms.lock().known.get_mut(&self.secret) {
            entry.dropped = Some(reason.to_owned());
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.may_exist {
            self.storms.count(&self.secret, self.lifetime_seconds);
        }
        let mut state = self.storms.lock();
        if let Some(of_shoot) = state.under_way.get_mut(&self.secret.namespace) {
            of_shoot.remove(&self.secret.name);
            if of_shoot.is_empty() {
                state.under_way.remove(&self.secret.namespace);
            }
        }
    }
}
