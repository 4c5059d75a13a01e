//! Why a renewal was refused or failed.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use perennial_core::{
    failure::{Failure, Kind},
    inputs::Refusal,
    name::SecretRef,
    record::Obstacle,
};
use perennial_kube::access::WriteError;
use perennial_rpc::{convert::ConvertError, status::Remote};

use super::check::Unfit;

/// What somebody who was refused for work in flight should wait.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a renewal was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The request makes no sense.
    #[error("cannot understand the order: {0}")]
    Request(#[from] ConvertError),
    /// The first whole set is not in: what is not known may exist.
    #[error("the first snapshot of access Secrets is not complete yet")]
    SnapshotIncomplete,
    /// No such access Secret.
    #[error("there is no access Secret {secret}")]
    NotFound {
        /// Which Secret.
        secret: SecretRef,
    },
    /// Not the Secret that was decided on.
    #[error("Secret {secret} is no longer the one that was decided on")]
    Changed {
        /// Which Secret.
        secret: SecretRef,
    },
    /// It asks for something impossible (B10).
    #[error("Secret {secret} cannot be served: {refusal}")]
    Invalid {
        /// Which Secret.
        secret: SecretRef,
        /// Why.
        refusal: Refusal,
    },
    /// Nothing of it can be revoked.
    #[error("the token of Secret {secret} is bound to no generation, so none is older")]
    NotBound {
        /// Which Secret.
        secret: SecretRef,
    },
    /// It cannot be written (B11).
    #[error("Secret {secret} cannot be written: it is {}", obstacle_text(*obstacle))]
    Obstructed {
        /// Which Secret.
        secret: SecretRef,
        /// Why.
        obstacle: Obstacle,
    },
    /// Everything is decided and shown, and nothing is written.
    #[error(
        "Secret {secret} is not written: the secret-writer is in audit mode (--audit); start it \
         without"
    )]
    Audit {
        /// Which Secret.
        secret: SecretRef,
    },
    /// One renewal per Secret at a time.
    #[error("a renewal of Secret {secret} is under way")]
    UnderWay {
        /// Which Secret.
        secret: SecretRef,
    },
    /// Too many renewals at once.
    #[error("{max} renewals are in flight already (--renewals-in-flight-max)")]
    Full {
        /// How many may be.
        max: usize,
    },
    /// Another token so soon would be a storm (B12).
    #[error("Secret {secret} gets no other token before {until}")]
    Held {
        /// Which Secret.
        secret: SecretRef,
        /// When it may.
        until: Timestamp,
        /// How long that is.
        left: Duration,
    },
    /// The token-issuer gave no token.
    #[error("failed to get a token for Secret {secret}: {cause}")]
    Issue {
        /// Which Secret.
        secret: SecretRef,
        /// What it said.
        cause: Remote,
    },
    /// The token-issuer did not bring the shoot to what the Secret asks for.
    #[error("failed to repair Secret {secret}: {cause}")]
    Sync {
        /// Which Secret.
        secret: SecretRef,
        /// What it said.
        cause: Remote,
    },
    /// The token-issuer gave one that must not be written.
    #[error("the token issued for Secret {secret} does not fit: {problem}")]
    Unfit {
        /// Which Secret.
        secret: SecretRef,
        /// Why.
        problem: Unfit,
    },
    /// The seed did not take it.
    #[error(transparent)]
    Write(WriteError),
    /// A step took too long.
    #[error("failed to renew Secret {secret}: {step} within {} s", .limit.as_secs())]
    TimedOut {
        /// Which Secret.
        secret: SecretRef,
        /// Which step.
        step: Step,
        /// In which time.
        limit: Duration,
    },
    /// We are about to stop.
    #[error("the secret-writer is shutting down")]
    Draining,
    /// Our own mistake.
    #[error("the renewal ended without an answer")]
    Lost,
}

/// A step of a renewal that others carry out for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The token-issuer issues a token.
    Issue,
    /// The seed takes the write.
    Write,
    /// The token-issuer brings the shoot to what the Secret asks for.
    Sync,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issue | Self::Sync => "the token-issuer did not answer",
            Self::Write => "the seed did not answer",
        })
    }
}

impl RenewError {
    /// Whether nobody can say if the token that was issued is written. The watch will show it.
    pub(super) const fn leaves_write_unknown(&self) -> bool {
        matches!(
            self,
            Self::Write(WriteError::Unknown(_)) | Self::TimedOut { step: Step::Write, .. }
        )
    }
}

const fn obstacle_text(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Immutable => "immutable",
        Obstacle::Terminating => "being deleted",
    }
}

impl Failure for RenewError {
    fn kind(&self) -> Kind {
        match self {
            Self::Request(_) | Self::Invalid { .. } | Self::NotBound { .. } => Kind::Invalid,
            Self::SnapshotIncomplete | Self::Draining => Kind::Unavailable,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Changed { .. } => Kind::Changed,
            Self::Obstructed { .. }
            | Self::Audit { .. }
            | Self::UnderWay { .. }
            | Self::Held { .. } => Kind::Held,
            Self::Full { .. } => Kind::Throttled,
            Self::Issue { cause, .. } | Self::Sync { cause, .. } => cause.kind(),
            Self::Write(error) => error.kind(),
            Self::TimedOut { .. } => Kind::TimedOut,
            Self::Unfit { .. } | Self::Lost => Kind::Internal,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Request(_) => "REQUEST_INVALID",
            Self::SnapshotIncomplete => "SNAPSHOT_INCOMPLETE",
            Self::NotFound { .. } => "ACCESS_SECRET_NOT_FOUND",
            Self::Changed { .. } => "RECORD_CHANGED",
            Self::Invalid { refusal, .. } => &refusal.reason,
            Self::NotBound { .. } => "TOKEN_NOT_BOUND",
            Self::Obstructed { obstacle: Obstacle::Immutable, .. } => "SECRET_IMMUTABLE",
            Self::Obstructed { obstacle: Obstacle::Terminating, .. } => "SECRET_TERMINATING",
            Self::Audit { .. } => "AUDIT_MODE",
            Self::UnderWay { .. } => "RENEWAL_UNDER_WAY",
            Self::Full { .. } => "RENEWALS_IN_FLIGHT_MAX",
            Self::Held { .. } => "RENEWAL_HELD",
            Self::Issue { cause, .. } | Self::Sync { cause, .. } => cause.reason(),
            Self::Unfit { .. } => "TOKEN_UNFIT",
            Self::Write(error) => error.reason(),
            Self::TimedOut { step: Step::Issue | Step::Sync, .. } => "RENEWAL_TIMED_OUT",
            Self::TimedOut { step: Step::Write, .. } => "SEED_TIMED_OUT",
            Self::Draining => "SHUTTING_DOWN",
            Self::Lost => "RENEWAL_LOST",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::UnderWay { .. } | Self::Full { .. } => Some(PAUSE),
            Self::Held { left, .. } => Some(*left),
            Self::Issue { cause, .. } | Self::Sync { cause, .. } => cause.retry_after(),
            Self::Write(error) => error.retry_after(),
            Self::Request(_)
            | Self::SnapshotIncomplete
            | Self::NotFound { .. }
            | Self::Changed { .. }
            | Self::Invalid { .. }
            | Self::NotBound { .. }
            | Self::Obstructed { .. }
            | Self::Audit { .. }
            | Self::Unfit { .. }
            | Self::TimedOut { .. }
            | Self::Draining
            | Self::Lost => None,
        }
    }
}
