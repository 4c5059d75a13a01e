//! One Secret: its record, where it stands, and the slot in the queue that follows from it.

use std::num::NonZeroU64;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::{self, Away, Decision, Policy, ShootView},
    failure::Kind,
    inputs::Refusal,
    queue::{Slot, Urgency},
    reason::Reason,
    record::{Obstacle, Record},
    signing::Outdated,
    window,
};

use super::{
    attempts::{Attempts, Why},
    kept::Kept,
    revocation::Revoked,
    schedule::State,
};

/// What is known of one Secret.
#[derive(Debug)]
pub(super) struct Entry {
    pub kept: Kept,
    pub standing: Standing,
    pub attempts: Attempts,
    /// Which record stream showed it last.
    pub generation: u32,
    /// An operator wants it renewed whether it is due or not.
    pub requested: bool,
    /// A campaign put it into the queue.
    pub by_campaign: ByCampaign,
    /// Since when it is not as it should be, see [`super::schedule::State::is_trouble`].
    pub troubled_since: Option<Box<Timestamp>>,
    /// The [short digest](perennial_core::digest::Digest::short) of the record that our last renewal
    /// replaced. A stream that lags may show it once more.
    pub superseded: Option<NonZeroU64>,
    /// Its token fits, and is to be replaced all the same.
    pub outdated: Option<Box<Outdated>>,
    /// Where it is counted in [`super::load`], in seconds since the epoch; those of 2106 do not fit.
    pub planned_in: Option<u32>,
}

/// Whether a campaign put a Secret into the queue, whether it is due or not, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ByCampaign {
    #[default]
    No,
    /// For another token.
    Renewal,
    /// For a token of another generation.
    Revocation,
}

impl ByCampaign {
    pub(super) const fn is_some(self) -> bool {
        !matches!(self, Self::No)
    }
}

/// What is known of a Secret beside its record.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// It is the token-issuer's own of its shoot.
    pub own: bool,
    /// Tokens of it are being revoked.
    pub revoked: Option<Revoked>,
}

/// Where a Secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A good token; nothing to do until then.
    Fresh { until: Timestamp },
    /// To be renewed as soon as the limits admit it.
    Due { reason: Reason, since: Timestamp },
    /// A renewal is under way.
    Renewing { reason: Reason, since: Timestamp },
    /// To be renewed, but not before `until`.
    Waiting { reason: Reason, until: Timestamp, why: Why },
    /// Asks for something impossible.
    Invalid(Box<Refusal>),
    /// Cannot be written.
    Obstructed(Obstacle),
    /// To be renewed when its shoot can be asked.
    Parked { reason: Reason, away: Away },
}

impl Standing {
    /// Why it is, or should be, renewed.
    pub(super) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Due { reason, .. }
            | Self::Renewing { reason, .. }
            | Self::Waiting { reason, .. }
            | Self::Parked { reason, .. } => Some(*reason),
            Self::Fresh { .. } | Self::Invalid(_) | Self::Obstructed(_) => None,
        }
    }

    /// Whether it is one of those that make a mass start. Shoots that are away make none.
    pub(super) const fn wants_first_token(&self) -> bool {
        matches!(
            self,
            Self::Due { reason: Reason::NothingHeld, .. }
                | Self::Renewing { reason: Reason::NothingHeld, .. }
                | Self::Waiting { reason: Reason::NothingHeld, .. }
        )
    }

    /// The moment from which it should be looked at, where it is one that passes by itself.
    pub(super) const fn ripe_at(&self) -> Option<Timestamp> {
        match self {
            Self::Fresh { until } | Self::Waiting { until, .. } => Some(*until),
            Self::Due { since, .. } => Some(*since),
            Self::Renewing { .. }
            | Self::Invalid(_)
            | Self::Obstructed(_)
            | Self::Parked { .. } => None,
        }
    }
}

/// Less life than this is less than what is kept until every consumer has read the next token (B4).
fn is_short(left: SignedDuration) -> bool {
    left < SignedDuration::from_secs(window::RESERVE_SECONDS)
}

impl Entry {
    /// Its record, made anew.
    pub(super) fn record(&self) -> Record {
        self.kept.record()
    }

    pub(super) fn new(record: Record, generation: u32) -> Self {
        Self {
            kept: record.into(),
            standing: Standing::Fresh { until: Timestamp::MAX },
            attempts: Attempts::default(),
            generation,
            requested: false,
            by_campaign: ByCampaign::No,
            troubled_since: None,
            superseded: None,
            outdated: None,
            planned_in: None,
        }
    }

    /// Trouble begins with the first standing that is one, and ends with a good token: tries in
    /// between do not end it.
    pub(super) fn note_trouble(&mut self, now: Timestamp, next: &Standing) {
        match State::of(next) {
            State::Fresh | State::Hibernated => self.troubled_since = None,
            state if state.is_trouble() => {
                self.troubled_since.get_or_insert_with(|| Box::new(now));
            }
            _ => {}
        }
    }

    /// What is to be revoked of it for a campaign.
    pub(super) fn revoked_by_campaign(
        &self,
        now: Timestamp,
        shoot: ShootView<'_>,
    ) -> Option<Revoked> {
        if self.by_campaign != ByCampaign::Revocation {
            return None;
        }
        let own = self.record();
        let seen = decision::as_seen(now, &own, shoot);
        decision::bound_to(&seen.record).map(Revoked::up_to)
    }

    /// Where it stands by its record, its shoot, and what its attempts have come to.
    /// `own` is whether it is the token-issuer's own Secret of its shoot.
    pub(super) fn judge(
        &self,
        now: Timestamp,
        shoot: ShootView<'_>,
        policy: &Policy,
        Asked { own, revoked }: &Asked,
    ) -> Standing {
        let (record, outdated) = (&self.record(), self.outdated.as_deref().copied());
        let decide = match (self.requested || self.by_campaign == ByCampaign::Renewal, *own) {
            (true, _) => decision::decide_requested, // neither keeps nor repairs
            (false, true) => decision::decide_own,
            (false, false) => decision::decide,
        };
        let decision = match (decide(now, record, shoot, policy), outdated) {
            (Decision::Keep { .. }, Some(outdated)) => {
                decision::decide_outdated(now, record, shoot, policy, outdated)
            }
            (Decision::Renew(reason), Some(outdated)) if !reason.needs_token() => {
                decision::decide_outdated(now, record, shoot, policy, outdated)
            }
            (decision, _) => decision,
        };
        let decision = match revoked {
            Some(revoked) => revoked.on_top_of(decision, now, record, shoot, policy),
            None => decision,
        };
        let pause = self.attempts.pause(now);
        match (decision, pause) {
            (Decision::Keep { until }, _) => Standing::Fresh { until },
            (Decision::Invalid(refusal), _) => Standing::Invalid(Box::new(refusal)),
            (Decision::Obstructed(obstacle), _) => Standing::Obstructed(obstacle),
            (Decision::WaitForShoot { reason, why }, _) => Standing::Parked { reason, away: why },
            (Decision::Hold { until, reason }, pause) => {
                let until = pause.map_or(until, |pause| pause.until.max(until));
                Standing::Waiting { reason, until, why: Why::Storm }
            }
            (Decision::Renew(reason), _) if !reason.needs_token() => {
                self.judge_repair(now, shoot, policy, reason)
            }
            (Decision::Renew(reason), Some(pause)) => {
                Standing::Waiting { reason, until: pause.until, why: pause.why }
            }
            (Decision::Renew(reason), None) => self.due(now, reason),
        }
    }

    fn due(&self, now: Timestamp, reason: Reason) -> Standing {
        let since = match self.standing {
            Standing::Due { since, .. } => since.min(now),
            _ => now,
        };
        Standing::Due { reason, since }
    }

    /// A repair waits for its own pause, and its token does not wait for either.
    fn judge_repair(
        &self,
        now: Timestamp,
        shoot: ShootView<'_>,
        policy: &Policy,
        reason: Reason,
    ) -> Standing {
        let awaited = self.attempts.pause(now).map(|p| p.until);
        let held = self.attempts.repair_held_until(now, reason);
        let Some(until) = held.max(awaited) else { return self.due(now, reason) };
        let until = match decision::decide_token(now, &self.record(), shoot, policy) {
            Decision::Keep { until: renewal } => until.min(renewal),
            _ => until,
        };
        let until = self.outdated.as_deref().map_or(until, |outdated| until.min(outdated.at));
        Standing::Waiting { reason, until, why: Why::Repaired }
    }

    /// Its slot in the queue; `None` where only an event can bring it back. `now` is by the shoot's
    /// clock.
    pub(super) fn slot(&self, now: Timestamp, own_credential: bool) -> Option<Slot> {
        let at = self.standing.ripe_at()?;
        if self.requested {
            let urgency = Urgency::Requested;
            return Some(Slot { at, urgency, deadline: Timestamp::MIN }); // somebody waits for it
        }
        let usable_until = self.usable_until();
        let is_repair = self.standing.reason().is_some_and(|reason| !reason.needs_token());
        let urgency = match usable_until {
            _ if is_repair => Urgency::Repair,
            _ if own_credential => Urgency::OwnCredential,
            Some(end) if is_short(end.duration_since(now)) => Urgency::Expiring,
            Some(_) => Urgency::Ordinary,
            None => Urgency::NothingUsable,
        };
        Some(Slot { at, urgency, deadline: usable_until.unwrap_or(at) })
    }

    /// Whether it is held for a storm, and not for an attempt that failed. A hold of the
    /// secret-writer is the same storm.
    pub(super) fn is_storm(&self) -> bool {
        let failed = self.attempts.last_failure.as_ref();
        let failed = failed.filter(|failure| failure.trouble.kind != Kind::Held);
        matches!(self.standing, Standing::Waiting { why: Why::Storm, .. }) && failed.is_none()
    }

    /// Until when consumers have a usable token, by the shoot's clock; `None` where they have none.
    pub(super) fn usable_until(&self) -> Option<Timestamp> {
        let nothing_usable = self.standing.reason().is_some_and(Reason::leaves_nothing_usable);
        self.kept.expires_at().filter(|_| !nothing_usable)
    }

    /// Planned moment of renewal, by the shoot's clock.
    pub(super) fn planned(&self, policy: &Policy) -> Option<Timestamp> {
        let latest = self.latest(policy)?;
        Some(self.kept.renew_at().map_or(latest, |renew_at| renew_at.min(latest)))
    }

    /// Latest moment of renewal, by the shoot's clock (B4).
    pub(super) fn latest(&self, policy: &Policy) -> Option<Timestamp> {
        self.kept.latest(policy.basis_seconds)
    }

    /// A place from 0 to 1 that stays the same for this record, whoever asks and how often.
    pub(super) fn place(&self) -> f64 {
        window::place_of(self.kept.seed().as_bytes())
    }
}
