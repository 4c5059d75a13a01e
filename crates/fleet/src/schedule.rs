//! A Secret as an operator sees it: when it is renewed, and why then.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    decision::{Away, ShootView},
    name::{AccountRef, Namespace, SecretRef},
    reason::Reason,
    shoot::ShootId,
};

use super::{
    Fleet,
    attempts::{Failure, Why},
    entry::{Entry, Standing},
    named,
};

pub(super) mod words;

/// Latest moments are passed a little by every renewal that begins at one: a token is asked for,
/// the Secret written and its record sent back, which takes milliseconds and up to some seconds
/// where a shoot is slow. Only what is later is worth a person's look.
pub(super) const OVERDUE_GRACE: Duration = Duration::from_secs(5);

/// When one Secret is renewed, and why then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Which Secret.
    pub secret: SecretRef,
    /// What is being done about it.
    pub state: State,
    /// Why it is, or should be, renewed.
    pub reason: Option<Reason>,
    /// What keeps it from being renewed and what to do; empty while nothing does.
    pub detail: String,
    /// The ServiceAccount, where the Secret is valid.
    pub account: Option<AccountRef>,
    /// When its token was issued, by the shoot's clock.
    pub issued_at: Option<Timestamp>,
    /// When its token expires, by the shoot's clock.
    pub expires_at: Option<Timestamp>,
    /// Planned moment of renewal, by the shoot's clock.
    pub planned_at: Option<Timestamp>,
    /// Latest moment of renewal, by the shoot's clock.
    pub latest_at: Option<Timestamp>,
    /// When it is looked at again, by our clock.
    pub next_at: Option<Timestamp>,
    /// The renewal that made its token, as noted on the Secret.
    pub last_renewal: Option<Renewal>,
    /// Failed attempts in a row.
    pub failures: u32,
    /// The last failed attempt.
    pub last_failure: Option<Failure>,
    /// Renewals that succeeded since the start of this scheduler.
    pub renewals: u64,
    /// Since when it is in trouble, see [`State::is_trouble`].
    pub troubled_since: Option<Timestamp>,
    /// Whether its latest moment of renewal has passed and the token is still the same.
    pub overdue: bool,
    /// Whether its shoot is paused.
    pub paused: bool,
}

/// A renewal that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// When the token was written.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// From the order to the answer, where this scheduler ordered it.
    pub took: Option<Duration>,
}

/// What is being done about a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub enum State {
    Fresh,
    Due,
    Renewing,
    BackingOff,
    Held,
    Invalid,
    Obstructed,
    WaitingForShoot,
    Hibernated,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Fresh,
        Self::Due,
        Self::Renewing,
        Self::BackingOff,
        Self::Held,
        Self::Invalid,
        Self::Obstructed,
        Self::WaitingForShoot,
        Self::Hibernated,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Due => "due",
            Self::Renewing => "renewing",
            Self::BackingOff => "backing_off",
            Self::Held => "held",
            Self::Invalid => "invalid",
            Self::Obstructed => "obstructed",
            Self::WaitingForShoot => "waiting_for_shoot",
            Self::Hibernated => "hibernated",
        }
    }

    /// Whether something keeps it from being renewed.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        match self {
            Self::Fresh | Self::Due | Self::Renewing | Self::Hibernated => false,
            Self::BackingOff
            | Self::Held
            | Self::Invalid
            | Self::Obstructed
            | Self::WaitingForShoot => true,
        }
    }

    pub(super) const fn of(standing: &Standing) -> Self {
        match standing {
            Standing::Fresh { .. } => Self::Fresh,
            Standing::Due { .. } => Self::Due,
            Standing::Renewing { .. } => Self::Renewing,
            Standing::Waiting { why: Why::Storm | Why::HeldByWriter, .. } => Self::Held,
            Standing::Waiting {
                why: Why::Failed | Why::Throttled | Why::Changed | Why::Repaired,
                ..
            } => Self::BackingOff,
            Standing::Invalid(_) => Self::Invalid,
            Standing::Obstructed(_) => Self::Obstructed,
            Standing::Parked { away: Away::Hibernated, .. } => Self::Hibernated,
            Standing::Parked { .. } => Self::WaitingForShoot,
        }
    }
}

impl Fleet {
    /// Whether it only decides and shows.
    #[must_use]
    pub const fn is_auditing(&self) -> bool {
        self.settings.audit
    }

    /// The schedule of one Secret.
    #[must_use]
    pub fn schedule(&self, now: Timestamp, secret: &SecretRef) -> Option<Schedule> {
        self.members.get(secret).map(|entry| self.read(now, secret, entry))
    }

    /// Schedules ordered by namespace and name: at most `count`, only of `namespace` where one is
    /// given, only behind `after`.
    #[must_use]
    pub fn schedules(
        &self,
        now: Timestamp,
        namespace: Option<&Namespace>,
        after: Option<&SecretRef>,
        count: usize,
    ) -> Vec<Schedule> {
        let secrets = self.members.behind(namespace, after).take(count);
        secrets.map(|(shoot, name, entry)| self.read(now, &named(shoot, name), entry)).collect()
    }

    pub(super) fn read(&self, now: Timestamp, secret: &SecretRef, entry: &Entry) -> Schedule {
        let (record, attempts) = (&entry.record(), &entry.attempts);
        let claims = record.held.claims();
        Schedule {
            secret: secret.clone(),
            state: State::of(&entry.standing),
            reason: entry.standing.reason(),
            detail: self.detail(now, secret, entry),
            account: record.inputs.as_ref().ok().map(|inputs| inputs.account.clone()),
            issued_at: claims.map(|claims| claims.issued_at),
            expires_at: claims.map(|claims| claims.expires_at),
            planned_at: entry.planned(&self.settings.policy),
            latest_at: entry.latest(&self.settings.policy),
            next_at: match entry.standing {
                Standing::Fresh { until } | Standing::Waiting { until, .. } => Some(until),
                _ => None,
            },
            last_renewal: record.issued.as_ref().map(|note| Renewal {
                at: note.at,
                reason: note.reason,
                took: attempts.took(&note.sha256),
            }),
            failures: attempts.failures,
            last_failure: attempts.last_failure.as_deref().cloned(),
            renewals: attempts.renewals.into(),
            troubled_since: entry.troubled_since.as_deref().copied(),
            overdue: self.is_overdue(now, &secret.namespace, entry),
            paused: self.pause_of(&secret.namespace).is_some(),
        }
    }

    /// Whether a Secret still holds a token that should have been replaced by now.
    pub(super) fn is_overdue(&self, now: Timestamp, shoot: &ShootId, entry: &Entry) -> bool {
        if matches!(self.shoots.view(shoot), ShootView::Seen(status) if status.hibernated) {
            return false; // nobody should be waiting for it
        }
        let latest = entry.latest(&self.settings.policy);
        let tolerable = |latest| self.our_clock(shoot, latest).saturating_add(OVERDUE_GRACE);
        latest.is_some_and(|latest| tolerable(latest).is_ok_and(|until| until < now))
    }
}
