//! What is away as a whole, and so gets one order at a time.
//!
//! The seed, the token-issuer and each shoot are what many Secrets need: a [`Class`] each. Where
//! one of them fails for several Secrets in a row, it is not the Secrets:
//!
//! ```text
//!        [`TRIP_AFTER`] different ones failed, none did well between
//! there ───────────────────────────────────────────────────────────► away ──┐ a probe failed:
//!   ▲                                                                   │   │ the next after a
//!   └────────────────────── the first that does well ───────────────────┴◄──┘ longer pause
//! ```
//!
//! While it is away, one order at a time goes to it, at pauses that double from 1 s to 15 s and
//! shrink as a token comes near its end: a *probe*, the most urgent that is ready, or where all
//! that failed are backing off one of those. Its end ends the pauses of all of them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{backoff, name::SecretRef, shoot::ShootId};

use super::{
    Fleet,
    attempts::{Blame, Fault, Pause, Why},
};

#[cfg(test)]
mod tests;

/// So many different ones that fail in a row are no accident: the Secrets of a shoot, the shoots of
/// a token-issuer, any Secrets of the seed.
pub const TRIP_AFTER: usize = 3;
/// Longest pause between two probes: whatever is back is noticed within this.
pub const PROBE_PAUSE_MAX: Duration = Duration::from_secs(15);
/// Most Secrets that are remembered to have failed in one outage. More than are ever in flight fail
/// only one by one; beyond, the oldest keep their own back-off.
const FAILED_MAX: usize = 256;

/// What many Secrets need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The API server that has the Secrets.
    Seed,
    /// Whoever reaches the shoots.
    TokenIssuer,
    /// One shoot.
    Shoot(ShootId),
}

/// Something went away, or is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What.
    pub class: Class,
    /// What the failure said that made it count as away; `None` where it is back.
    pub away: Option<Arc<str>>,
}

/// What an attempt says of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    DoesWell,
    Fails,
    Nothing,
}

/// How an attempt ended, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub secret: &'a SecretRef,
    pub attempt: u64,
    /// Whether it was to write a token.
    pub needs_token: bool,
    pub fault: Option<&'a Fault>,
    /// Until when the Secret has a usable token.
    pub usable_until: Option<Timestamp>,
}

impl End<'_> {
    fn of_seed(&self) -> Word {
        match self.fault {
            None if self.needs_token => Word::DoesWell,
            Some(fault) if fault.blame == Blame::SeedAway => Word::Fails,
            Some(fault) if fault.reason.starts_with("SEED_") => Word::DoesWell, // it answered
            _ => Word::Nothing,
        }
    }

    fn of_issuer(&self) -> Word {
        match self.fault.map(|fault| fault.blame) {
            None if self.needs_token => Word::DoesWell,
            Some(Blame::IssuerAway) => Word::Fails,
            Some(Blame::Shoot | Blame::ShootAway) => Word::DoesWell,
            _ => Word::Nothing,
        }
    }

    fn of_shoot(&self) -> Word {
        match self.fault {
            None if self.needs_token => Word::DoesWell,
            Some(Fault { blame: Blame::ShootAway | Blame::IssuerAway, .. }) => Word::Fails,
            Some(fault) if fault.blame == Blame::Secret && is_of_shoot(fault) => Word::DoesWell,
            _ => Word::Nothing,
        }
    }
}

fn is_of_shoot(fault: &Fault) -> bool {
    fault.reason.starts_with("API_SERVER_")
}

/// One class.
#[derive(Debug)]
struct Circuit<K> {
    /// Different ones that failed in a row; not more than [`TRIP_AFTER`].
    row: BTreeSet<K>,
    /// Those that failed in this row or outage, the longest ago first.
    failed: VecDeque<SecretRef>,
    away: Option<Away>,
}

impl<K> Default for Circuit<K> {
    fn default() -> Self {
        Self { row: BTreeSet::new(), failed: VecDeque::new(), away: None }
    }
}

/// What became of a class.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    None,
    Away(Arc<str>),
    /// With those that failed meanwhile.
    Back(VecDeque<SecretRef>),
}

#[derive(Debug)]
struct Away {
    message: Arc<str>,
    blame: Blame,
    /// Probes that failed in a row.
    probes: u32,
    pause: Pause,
    /// The attempt that is the probe under way.
    probe: Option<u64>,
}

impl<K: Ord> Circuit<K> {
    fn admits(&self, now: Timestamp) -> bool {
        self.away.as_ref().is_none_or(|away| away.probe.is_none() && !away.pause.holds(now))
    }

    /// When the next probe may go; `None` while one is under way, whose end tells.
    fn admits_again_at(&self) -> Option<Timestamp> {
        let away = self.away.as_ref().filter(|away| away.probe.is_none());
        away.map(|away| away.pause.until)
    }

    fn ordered(&mut self, attempt: u64) {
        if let Some(away) = &mut self.away {
            away.probe.get_or_insert(attempt);
        }
    }

    fn ended(&mut self, now: Timestamp, end: End<'_>, word: Word, key: K) -> Change {
        let was_probe = self
            .away
            .as_mut()
            .is_some_and(|away| away.probe.take_if(|probe| *probe == end.attempt).is_some());
        match (word, end.fault) {
            (Word::DoesWell, _) => {
                self.row.clear();
                let failed = std::mem::take(&mut self.failed);
                match self.away.take() {
                    Some(_) => Change::Back(failed),
                    None => Change::None,
                }
            }
            (Word::Fails, Some(fault)) => {
                self.remember(end.secret);
                self.fails(now, end, fault, key, was_probe)
            }
            (Word::Fails | Word::Nothing, _) => Change::None,
        }
    }

    fn fails(
        &mut self,
        now: Timestamp,
        end: End<'_>,
        fault: &Fault,
        key: K,
        probe: bool,
    ) -> Change {
        let message: Arc<str> = fault.message.as_str().into();
        let asked = fault.retry_after.unwrap_or_default();
        let pause = |failures| {
            let own = backoff::pause(now, failures, end.usable_until, 1.0);
            let length = own.max(asked).min(PROBE_PAUSE_MAX);
            Pause::new(now, length, length, Why::Failed)
        };
        match &mut self.away {
            Some(away) if probe => {
                away.probes = away.probes.saturating_add(1);
                away.message = message;
                away.pause = pause(away.probes.saturating_add(1));
                Change::None
            }
            Some(_) => Change::None, // it was under way when it went
            None => {
                self.row.insert(key);
                if self.row.len() < TRIP_AFTER {
                    return Change::None;
                }
                self.row.clear();
                let (blame, pause) = (fault.blame, pause(1));
                let away =
                    Away { message: Arc::clone(&message), blame, probes: 0, pause, probe: None };
                self.away = Some(away);
                Change::Away(message)
            }
        }
    }

    fn remember(&mut self, secret: &SecretRef) {
        self.failed.retain(|failed| failed != secret);
        if self.failed.len() == FAILED_MAX {
            self.failed.pop_front();
        }
        self.failed.push_back(secret.clone());
    }

    /// The next that could be a probe although it backs off.
    fn next_probe(&mut self, now: Timestamp) -> Option<SecretRef> {
        let wants = self.away.is_some() && self.admits(now);
        wants.then(|| self.failed.pop_front()).flatten()
    }
}

/// All classes.
#[derive(Debug, Default)]
pub(super) struct Outages {
    seed: Circuit<SecretRef>,
    issuer: Circuit<ShootId>,
    /// Those where something failed.
    shoots: BTreeMap<ShootId, Circuit<SecretRef>>,
}

impl Outages {
    /// Whether a Secret of this shoot may be ordered.
    pub(super) fn admits(&self, now: Timestamp, shoot: &ShootId) -> bool {
        self.seed.admits(now)
            && self.issuer.admits(now)
            && self.shoots.get(shoot).is_none_or(|circuit| circuit.admits(now))
    }

    /// When a Secret of this shoot may be ordered that may not be now; `None` while a probe is under
    /// way, whose end tells.
    pub(super) fn admits_again_at(&self, shoot: &ShootId) -> Option<Timestamp> {
        let of_shoot = self.shoots.get(shoot).and_then(|circuit| circuit.away.as_ref());
        let away = [self.seed.away.as_ref(), self.issuer.away.as_ref(), of_shoot];
        let mut away = away.into_iter().flatten();
        away.try_fold(Timestamp::MIN, |latest, away| {
            away.probe.is_none().then(|| latest.max(away.pause.until))
        })
    }

    /// When one that backs off may be a probe.
    pub(super) fn next_probe_at(&self) -> Option<Timestamp> {
        fn of<K: Ord>(circuit: &Circuit<K>) -> Option<Timestamp> {
            circuit.admits_again_at().filter(|_| !circuit.failed.is_empty())
        }
        let of_shoots = self.shoots.values().filter_map(of);
        of_shoots.chain(of(&self.seed)).chain(of(&self.issuer)).min()
    }

    pub(super) fn ordered(&mut self, secret: &SecretRef, attempt: u64) {
        self.seed.ordered(attempt);
        self.issuer.ordered(attempt);
        if let Some(circuit) = self.shoots.get_mut(&secret.namespace) {
            circuit.ordered(attempt);
        }
    }

    /// An attempt ended. Gives back what changed with that.
    fn ended(&mut self, now: Timestamp, end: End<'_>) -> Vec<(Class, Change)> {
        let (secret, shoot) = (end.secret, &end.secret.namespace);
        let of_seed = self.seed.ended(now, end, end.of_seed(), secret.clone());
        let of_issuer = self.issuer.ended(now, end, end.of_issuer(), shoot.clone());
        if let Change::Away(_) = of_issuer {
            // It stands for all of them now.
            let is_issuers = |away: &Away| away.blame == Blame::IssuerAway;
            self.shoots.retain(|_, circuit| !circuit.away.as_ref().is_some_and(is_issuers));
        }
        let of_shoot = self.ended_at_shoot(now, end);
        vec![
            (Class::Seed, of_seed),
            (Class::TokenIssuer, of_issuer),
            (Class::Shoot(shoot.clone()), of_shoot),
        ]
    }

    fn ended_at_shoot(&mut self, now: Timestamp, end: End<'_>) -> Change {
        let (secret, shoot) = (end.secret, &end.secret.namespace);
        let is_issuers = end.fault.is_some_and(|fault| fault.blame == Blame::IssuerAway);
        let word = match end.of_shoot() {
            Word::Fails if is_issuers && self.issuer.away.is_some() => Word::Nothing,
            word => word,
        };
        if word == Word::Fails {
            self.shoots.entry(shoot.clone()).or_default();
        }
        let Some(circuit) = self.shoots.get_mut(shoot) else { return Change::None };
        let change = circuit.ended(now, end, word, secret.clone());
        if word == Word::DoesWell {
            self.shoots.remove(shoot);
        }
        change
    }

    /// A shoot answers its probe again, or is gone.
    pub(super) fn forget_shoot(&mut self, shoot: &ShootId) {
        self.shoots.remove(shoot);
    }

    /// What is away of what a shoot needs, what it said, and until when nothing is tried.
    pub(super) fn keeping(&self, shoot: &ShootId) -> Option<(Class, &str, Timestamp)> {
        let of_shoot = self.shoots.get(shoot).and_then(|circuit| circuit.away.as_ref());
        let circuits = [
            (Class::Seed, self.seed.away.as_ref()),
            (Class::TokenIssuer, self.issuer.away.as_ref()),
            (Class::Shoot(shoot.clone()), of_shoot),
        ];
        let away = circuits.into_iter().find_map(|(class, away)| Some((class, away?)))?;
        Some((away.0, &*away.1.message, away.1.pause.until))
    }

    /// How many of each class are away: the seed, the token-issuer, shoots.
    pub(super) fn counts(&self) -> [usize; 3] {
        let shoots = self.shoots.values().filter(|circuit| circuit.away.is_some()).count();
        [usize::from(self.seed.away.is_some()), usize::from(self.issuer.away.is_some()), shoots]
    }

    fn next_probes(&mut self, now: Timestamp) -> Vec<SecretRef> {
        let of_shoots = self.shoots.values_mut().map(|circuit| circuit.next_probe(now));
        let mut probes: Vec<_> = of_shoots.collect();
        probes.extend([self.seed.next_probe(now), self.issuer.next_probe(now)]);
        probes.into_iter().flatten().collect()
    }
}

impl Fleet {
    /// What an attempt that ended says of whatever many Secrets need.
    pub(super) fn judge_outages(&mut self, now: Timestamp, end: End<'_>) -> Vec<Turn> {
        let mut turns = Vec::new();
        for (class, change) in self.outages.ended(now, end) {
            let away = match change {
                Change::None => continue,
                Change::Away(message) => Some(message),
                Change::Back(failed) => {
                    failed.iter().for_each(|secret| self.end_pause(now, secret));
                    None
                }
            };
            turns.push(Turn { class, away });
        }
        turns
    }

    /// Where a probe should go and nothing is ready to be one, a Secret that backs off is.
    pub(super) fn wake_probes(&mut self, now: Timestamp) {
        if self.outages.counts() == [0; 3] {
            return;
        }
        for secret in self.outages.next_probes(now) {
            self.end_pause(now, &secret);
        }
    }

    fn end_pause(&mut self, now: Timestamp, secret: &SecretRef) {
        if let Some(entry) = self.members.get_mut(secret) {
            entry.attempts.shoot_returned();
            self.settle(now, secret);
        }
    }
}
