//! An operator wants one Secret renewed now, whether it is due or not.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    decision::{Away, ShootView},
    failure::{Failure, Kind},
    generation::Number,
    inputs::Refusal,
    name::SecretRef,
    pause::Pause as ShootPause,
    record::Obstacle,
    stop::Stop,
};

use super::{
    Fleet, RecordsFeed,
    attempts::{Fault, Pause, Why, elapsed},
    entry::{Asked, Standing},
    revocation::REVOCATIONS_MAX,
    schedule::words,
    take::HeldBack,
};

/// Most requests that wait at once.
pub const REQUESTS_MAX: usize = 256;

/// Why it was not renewed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Error {
    #[error("there is no access Secret {0}")]
    NotFound(SecretRef),
    #[error(
        "there is no access Secret {0} that the scheduler knows; the record stream is broken or not \
         whole yet, so a Secret that is new may not be known: is the secret-writer ready?"
    )]
    NotKnownYet(SecretRef),
    #[error("{0} asks for something impossible: {1}")]
    Invalid(SecretRef, Refusal),
    #[error("{0} cannot be written: {words}", words = words::obstacle(*.1))]
    Obstructed(SecretRef, Obstacle),
    #[error("a renewal of {0} is under way")]
    UnderWay(SecretRef),
    #[error(
        "{0} is not renewed: the scheduler is in audit mode (--audit), where everything is decided and \
         shown and nothing is done; start it without --audit"
    )]
    Audit(SecretRef),
    #[error("{0} is not renewed: the fleet is {1}; perennial resume ends that")]
    Stopped(SecretRef, Stop),
    #[error("{0} is not renewed: its shoot is {1}; perennial resume {ns} ends that", ns = .0.namespace)]
    Paused(SecretRef, ShootPause),
    #[error(
        "tokens of {0} are not revoked: the fleet is {1}; perennial resume ends that. Where they must go \
         before, delete the generation that they are bound to in the shoot by hand: they are refused \
         10 s later, and consumers have none until the resume (docs/revocation.md, By hand)"
    )]
    RevokeStopped(SecretRef, Stop),
    #[error("another token for {0} so soon would be a storm; ask again in {s} s", s = .1.as_secs())]
    Storm(SecretRef, Duration),
    #[error("{0} has to wait because somebody asked us to slow down; ask again in {s} s", s = .1.as_secs())]
    Throttled(SecretRef, Duration),
    #[error("the shoot of {0} cannot be asked: {2}")]
    Away(SecretRef, Away, String),
    #[error("{0}")]
    NotReady(String),
    #[error("{REQUESTS_MAX} requests are waiting already; ask again when some are done")]
    TooMany,
    #[error("failed to renew {0}: {message}", message = .1.message)]
    Failed(SecretRef, Fault),
    #[error("the scheduler is stopping; ask again in a moment")]
    Stopping,
    #[error("{0}")]
    NotRevocable(String),
    #[error(
        "{0} has no generation {asked} to revoke: its token is bound to generation {present}, the newest",
        asked = .1, present = .2
    )]
    NoGeneration(SecretRef, Number, Number),
    #[error(
        "{REVOCATIONS_MAX} revocations are under way or were done a moment ago; ask again when some \
         are forgotten"
    )]
    TooManyRevocations,
}

impl Error {
    /// Why a Secret that stands like this cannot be renewed now.
    pub(super) fn of(
        secret: &SecretRef,
        standing: &Standing,
        now: Timestamp,
        view: ShootView<'_>,
    ) -> Self {
        let secret = secret.clone();
        match standing {
            Standing::Invalid(refusal) => Self::Invalid(secret, Refusal::clone(refusal)),
            Standing::Obstructed(obstacle) => Self::Obstructed(secret, *obstacle),
            Standing::Parked { away, .. } => {
                let words = words::away(*away, &secret.namespace, view);
                Self::Away(secret, *away, words)
            }
            Standing::Waiting { until, why: Why::Throttled, .. } => {
                Self::Throttled(secret, elapsed(now, *until))
            }
            Standing::Waiting { until, .. } => Self::Storm(secret, elapsed(now, *until)),
            Standing::Renewing { .. } | Standing::Due { .. } | Standing::Fresh { .. } => {
                Self::UnderWay(secret)
            }
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Away(_, Away::Hibernated, _) => Kind::Held,
            Self::Invalid(..) | Self::NoGeneration(..) => Kind::Invalid,
            Self::Obstructed(..)
            | Self::UnderWay(_)
            | Self::Storm(..)
            | Self::Audit(_)
            | Self::Stopped(..)
            | Self::Paused(..)
            | Self::RevokeStopped(..)
            | Self::NotRevocable(_) => Kind::Held,
            Self::Throttled(..) | Self::TooMany | Self::TooManyRevocations => Kind::Throttled,
            Self::NotKnownYet(_) | Self::Away(..) | Self::NotReady(_) | Self::Stopping => {
                Kind::Unavailable
            }
            Self::Failed(_, fault) => fault.kind,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::NotFound(_) => "SECRET_NOT_FOUND",
            Self::NotKnownYet(_) => "SECRET_NOT_KNOWN_YET",
            Self::Invalid(_, refusal) => &refusal.reason,
            Self::Obstructed(_, Obstacle::Immutable) => "SECRET_IMMUTABLE",
            Self::Obstructed(_, Obstacle::Terminating) => "SECRET_TERMINATING",
            Self::UnderWay(_) => "RENEWAL_UNDER_WAY",
            Self::Storm(..) => "NO_STORM",
            Self::Audit(_) => "AUDIT_MODE",
            Self::Stopped(..) | Self::RevokeStopped(..) => "FLEET_STOPPED",
            Self::Paused(..) => "SHOOT_PAUSED",
            Self::Throttled(..) => "THROTTLED",
            Self::Away(_, Away::NotKnown, _) => "SHOOT_NOT_KNOWN",
            Self::Away(_, Away::Unreachable, _) => "SHOOT_UNREACHABLE",
            Self::Away(_, Away::AccountTerminating, _) => "ACCOUNT_TERMINATING",
            Self::Away(_, Away::NotLookedAt, _) => "SHOOT_NOT_LOOKED_AT",
            Self::Away(_, Away::Hibernated, _) => "SHOOT_HIBERNATED",
            Self::NotReady(_) => "SNAPSHOT_INCOMPLETE",
            Self::TooMany => "TOO_MANY_REQUESTS",
            Self::Failed(_, fault) => &fault.reason,
            Self::Stopping => "STOPPING",
            Self::NotRevocable(_) => "NOT_REVOCABLE",
            Self::NoGeneration(..) => "NO_SUCH_GENERATION",
            Self::TooManyRevocations => "TOO_MANY_REVOCATIONS",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Storm(_, after) | Self::Throttled(_, after) => Some(*after),
            Self::Failed(_, fault) => fault.retry_after,
            Self::NotFound(_)
            | Self::NotKnownYet(_)
            | Self::Invalid(..)
            | Self::Obstructed(..)
            | Self::UnderWay(_)
            | Self::Audit(_)
            | Self::Stopped(..)
            | Self::Paused(..)
            | Self::RevokeStopped(..)
            | Self::Away(..)
            | Self::NotReady(_)
            | Self::TooMany
            | Self::Stopping
            | Self::NotRevocable(_)
            | Self::NoGeneration(..)
            | Self::TooManyRevocations => None,
        }
    }
}

impl Fleet {
    /// Puts a Secret ahead of the queue. It is ordered as soon as the limits admit it; if that
    /// becomes impossible before, [`super::Effects::dismissed`] says so. An ordinary back-off does
    /// not hold it; whoever asked us to slow down, and B12, do.
    ///
    /// # Errors
    /// When it cannot be renewed now.
    pub fn request(&mut self, now: Timestamp, secret: &SecretRef) -> Result<(), Error> {
        if self.members.get(secret).is_none() {
            return Err(self.missing(secret));
        }
        self.take_requests(now, secret)?;
        let slow_down = self.slow_down(now, secret);
        let view = self.shoots.view(&secret.namespace);
        let Some(entry) = self.members.get_mut(secret) else {
            return Err(Error::NotFound(secret.clone()));
        };
        if entry.requested || matches!(entry.standing, Standing::Renewing { .. }) {
            return Err(Error::UnderWay(secret.clone()));
        }
        if let Some(until) = slow_down {
            return Err(Error::Throttled(secret.clone(), elapsed(now, until)));
        }
        let own = secret.name == self.settings.own_secret;
        let asked = Asked { own, revoked: self.revocations.of_entry(entry) };
        entry.attempts.hurry();
        entry.requested = true;
        let standing = entry.judge(now, view, &self.settings.policy, &asked);
        if !matches!(standing, Standing::Due { .. }) {
            entry.requested = false;
            let error = Error::of(secret, &standing, now, view);
            self.settle(now, secret);
            return Err(error);
        }
        self.stand(now, secret, standing);
        Ok(())
    }

    /// Whether anything can be asked for now.
    pub(super) fn take_requests(&self, now: Timestamp, secret: &SecretRef) -> Result<(), Error> {
        match self.held_back_at(now, &secret.namespace) {
            Some(
                why @ (HeldBack::NoRecords
                | HeldBack::NoShoots
                | HeldBack::StaleRecords
                | HeldBack::MembersUnread
                | HeldBack::SwitchUnread),
            ) => Err(Error::NotReady(words::held_back(why))),
            Some(HeldBack::Stopped(stop)) => Err(Error::Stopped(secret.clone(), stop.clone())),
            Some(HeldBack::Paused(pause)) => Err(Error::Paused(secret.clone(), pause.clone())),
            Some(HeldBack::Audit) => Err(Error::Audit(secret.clone())),
            Some(HeldBack::WriterAway(_)) | None => Ok(()),
        }
    }

    /// What is said of a Secret that is not here.
    #[must_use]
    pub fn missing(&self, secret: &SecretRef) -> Error {
        match self.records {
            RecordsFeed::Whole => Error::NotFound(secret.clone()),
            RecordsFeed::First | RecordsFeed::Stale => Error::NotKnownYet(secret.clone()),
        }
    }

    /// Until when the shoot of a Secret asked us to wait.
    pub(super) fn slow_down(&self, now: Timestamp, secret: &SecretRef) -> Option<Timestamp> {
        let pause: Option<Pause> = self.members.shoot(&secret.namespace)?.pause;
        pause.filter(|pause| pause.holds(now)).map(|pause| pause.until)
    }
}
