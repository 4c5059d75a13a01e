//! How far a campaign is.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    campaign::{Campaign, Cannot},
    decision::Away,
    generation::REFUSED_WITHIN,
    name::{SecretName, SecretRef},
    shoot::ShootId,
};

use super::named;

/// Most Secrets that are named for each reason.
const NAMED_MAX: usize = 20;
/// The rate is that of this time.
const RATE_OVER: SignedDuration = SignedDuration::from_secs(30);

/// What keeps a Secret from being renewed for a campaign, for now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaits {
    /// It has no token yet, and gets one anyway.
    NoToken,
    /// Its shoot signs by another key than is wanted.
    KeyNotUsed,
    /// Its token is bound to nothing yet; the next one is, and comes anyway.
    NotBound,
    /// Its generations were not seen yet.
    Unseen,
    /// Its new token is written; older ones live on for their grace.
    Grace,
    /// Its shoot is paused.
    Paused,
    /// Its shoot cannot be asked.
    Shoot(Away),
    /// Another token so soon would be a storm (B12).
    Held,
    /// Its last renewals failed, like this.
    Failing(String),
}

/// Where a campaign is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It goes on.
    #[default]
    Running,
    /// The token of every Secret is as wanted.
    Done,
    /// All are but those that nobody can renew.
    Incomplete,
    /// Somebody ended it.
    Cancelled,
}

/// Secrets of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// How many.
    pub count: usize,
    /// The first of them, at most [`NAMED_MAX`].
    pub first: Vec<SecretRef>,
}

/// How far a campaign is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Where it is.
    pub phase: Phase,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// When it was looked at last; `None` before the first look.
    pub looked: Option<Timestamp>,
    /// Secrets of its selection.
    pub total: usize,
    /// Those whose token is as wanted.
    pub done: usize,
    /// Those to be renewed.
    pub to_do: usize,
    /// Those in the queue or being renewed for it.
    pub under_way: usize,
    /// Those that have to wait.
    pub awaited: BTreeMap<Awaits, Left>,
    /// Those that nobody can renew before somebody mends them.
    pub cannot: BTreeMap<Cannot, Left>,
    /// Of a revocation, when all older generations are gone: from when on no old token works at all.
    pub refused_from: Option<Timestamp>,
    /// Secrets a second that became as wanted, of late.
    pub per_second: f64,
    samples: VecDeque<(Timestamp, usize)>,
}

impl Awaits {
    /// Stable name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::KeyNotUsed => "key_not_used",
            Self::NotBound => "not_bound",
            Self::Unseen => "generations_not_seen",
            Self::Grace => "grace",
            Self::Paused => "shoot_paused",
            Self::Shoot(Away::NotKnown) => "shoot_not_known",
            Self::Shoot(Away::Unreachable) => "shoot_unreachable",
            Self::Shoot(Away::AccountTerminating) => "account_terminating",
            Self::Shoot(Away::NotLookedAt) => "shoot_not_looked_at",
            Self::Shoot(Away::Hibernated) => "shoot_hibernated",
            Self::Held => "held",
            Self::Failing(_) => "failing",
        }
    }
}

impl Progress {
    /// Whether nothing is to be done for it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase != Phase::Running
    }

    /// When it is done at the present rate; `None` where that cannot be said.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        if let (Phase::Running, Some(_)) = (self.phase, self.refused_from) {
            return self.refused_from;
        }
        let left = self.to_do + self.under_way;
        if self.phase != Phase::Running || left == 0 || self.per_second <= 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = SignedDuration::try_from_secs_f64(left as f64 / self.per_second).ok()?;
        self.looked?.checked_add(seconds).ok()
    }

    pub(super) fn cancel(&mut self, campaign: &Campaign) {
        if self.phase == Phase::Running && campaign.cancelled.is_some() {
            (self.phase, self.ended) = (Phase::Cancelled, campaign.cancelled);
        }
    }

    /// An empty one to count into.
    pub(super) fn begin_look(&mut self) -> Self {
        let samples = std::mem::take(&mut self.samples);
        Self { samples, refused_from: self.refused_from, ..Self::default() }
    }

    pub(super) fn awaits(&mut self, why: &Awaits, shoot: &ShootId, name: &SecretName) {
        match self.awaited.get_mut(why) {
            Some(left) => left.add(shoot, name),
            None => self.awaited.entry(why.clone()).or_default().add(shoot, name),
        }
    }

    pub(super) fn cannot(&mut self, why: Cannot, shoot: &ShootId, name: &SecretName) {
        self.cannot.entry(why).or_default().add(shoot, name);
    }

    /// With `confirms` the API servers are given the time after which they take no old token any more.
    pub(super) fn end_look(&mut self, now: Timestamp, mut next: Self, confirms: bool) {
        let count = |left: &Left| left.count;
        let awaited: usize = next.awaited.values().map(count).sum();
        let cannot: usize = next.cannot.values().map(count).sum();
        let open = next.to_do + next.under_way + awaited;
        next.total = next.done + open + cannot;
        next.looked = Some(now);
        let is_settled = confirms && open == 0 && next.done > 0;
        next.refused_from = is_settled.then(|| refused_from(now, next.refused_from));
        next.phase = match (open, cannot) {
            _ if next.refused_from.is_some_and(|from| now < from) => Phase::Running,
            (0, 0) => Phase::Done,
            (0, _) => Phase::Incomplete,
            _ => Phase::Running,
        };
        next.ended = (next.phase != Phase::Running).then_some(now);
        next.sample(now);
        *self = next;
    }

    fn sample(&mut self, now: Timestamp) {
        self.samples.push_back((now, self.done));
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_OVER) {
            self.samples.pop_front();
        }
        let Some((first, done)) = self.samples.front() else { return };
        let seconds = now.duration_since(*first).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let more = self.done.saturating_sub(*done) as f64;
        self.per_second = if seconds > 0.0 { more / seconds } else { 0.0 };
    }
}

/// A clock that was set back does not make it wait for longer.
fn refused_from(now: Timestamp, before: Option<Timestamp>) -> Timestamp {
    let fresh = now.saturating_add(REFUSED_WITHIN).unwrap_or(Timestamp::MAX);
    before.map_or(fresh, |before| before.min(fresh))
}

impl Left {
    fn add(&mut self, shoot: &ShootId, name: &SecretName) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(named(shoot, name));
        }
    }
}
