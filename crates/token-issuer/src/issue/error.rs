//! Why there is no token.

use std::time::Duration;

use perennial_core::{
    failure::{Failure, Kind},
    name::{AccountRef, Namespace, SecretName, SecretRef},
    shoot::ShootId,
};
use perennial_rpc::convert::ConvertError;

use super::{check::Mismatch, proof::ProofError};
use crate::{attempt::Failed, policy::Refusal, shoot::targets::Unwritable, storm::Held};

/// Why there is no token. The text goes to the caller: it says what to do and holds no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that can never succeed.
    #[error(transparent)]
    Request(#[from] ConvertError),
    /// Only the first lists of the seed can tell a shoot that is unknown.
    #[error("the token-issuer is starting and does not know the shoots yet; try again")]
    Starting,
    /// Nobody told us how to reach it.
    #[error(
        "no shoot is known under namespace {shoot}; it needs the Secret {secret} or {bootstrap}"
    )]
    ShootUnknown {
        /// What was asked for.
        shoot: ShootId,
        /// Name of the own Secret.
        secret: String,
        /// Name of the bootstrap Secret.
        bootstrap: String,
    },
    /// Our own policy.
    #[error(transparent)]
    Policy(#[from] Refusal),
    /// Not now.
    #[error(transparent)]
    Held(#[from] Held),
    /// It is known, but no credential that it takes.
    #[error("shoot {shoot}: {obstacle}")]
    NoCredential {
        /// Which shoot.
        shoot: ShootId,
        /// Whether it was asked and knows none of ours (401).
        refused: bool,
        /// Why, and what to do.
        obstacle: String,
    },
    /// Whoever runs it says so.
    #[error(
        "shoot {shoot} hibernates, so nothing is asked of it; where it is awake, remove \
         perennial.dev/hibernated from the token-issuer's own access Secret"
    )]
    Hibernated {
        /// Which shoot.
        shoot: ShootId,
    },
    /// The shoot did not do it.
    #[error("shoot {shoot}: {cause}")]
    Shoot {
        /// Which shoot.
        shoot: ShootId,
        /// What was tried and answered.
        cause: Box<Failed>,
    },
    /// There is no such namespace, and we make none.
    #[error(
        "shoot {shoot} has no namespace {namespace} for ServiceAccount {account}; create it in the \
         shoot"
    )]
    NamespaceMissing {
        /// Which shoot.
        shoot: ShootId,
        /// What is missing there.
        namespace: Namespace,
        /// What was to be made in it.
        account: AccountRef,
    },
    /// It would issue tokens that it refuses.
    #[error(
        "shoot {shoot}: ServiceAccount {account} is being deleted and a finalizer holds it; no token \
         is issued until it is gone"
    )]
    AccountTerminating {
        /// Which shoot.
        shoot: ShootId,
        /// What is being deleted there.
        account: AccountRef,
    },
    /// The Secret in the shoot that the token is for cannot take it.
    #[error("shoot {shoot}: target Secret {target} is not written: {cause}")]
    Target {
        /// Which shoot.
        shoot: ShootId,
        /// Which Secret there.
        target: SecretRef,
        /// Why, and what to do.
        cause: Unwritable,
    },
    /// We may not make or delete what tokens are bound to.
    #[error(
        "shoot {shoot}: {cause}; tokens of revocable Secrets are bound to Secrets in namespace \
         {namespace} of the shoot: grant create, delete, list and watch there, see ClusterRole \
         perennial-token-issuer-generations in deploy/shoot"
    )]
    GenerationsForbidden {
        /// Which shoot.
        shoot: ShootId,
        /// Where they are.
        namespace: Namespace,
        /// What was tried and answered.
        cause: Box<Failed>,
    },
    /// Somebody else makes or deletes them meanwhile, or a Secret of their name is none of ours.
    #[error(
        "shoot {shoot}: {cause}; where this stays, a Secret there that has the name of a generation \
         lacks the label perennial.dev/purpose=generation: delete it"
    )]
    GenerationContended {
        /// Which shoot.
        shoot: ShootId,
        /// What was tried and answered.
        cause: String,
    },
    /// Without it a Secret would be left without any.
    #[error("shoot {shoot}: generation {generation} is not there, so no older one is deleted")]
    GenerationMissing {
        /// Which shoot.
        shoot: ShootId,
        /// The one to keep.
        generation: SecretRef,
    },
    /// Its generation is deleted.
    #[error(
        "shoot {shoot}: a revoked token of {secret} was not refused within {} s: {last}",
        .limit.as_secs()
    )]
    OldTokenStillTaken {
        /// Which shoot.
        shoot: ShootId,
        /// Whose token.
        secret: SecretName,
        /// How long it was tried.
        limit: Duration,
        /// What was answered last.
        last: String,
    },
    /// As many revocations are under way as are admitted.
    #[error("{max} revocations are under way already; try again")]
    RevokesBusy {
        /// The limit.
        max: usize,
    },
    /// The answer is not what was asked for, and is not passed on.
    #[error("shoot {shoot} answered with another token than was asked for: {cause}")]
    Mismatch {
        /// Which shoot.
        shoot: ShootId,
        /// What differs.
        cause: Mismatch,
    },
    /// The token is for ourselves, and does not work.
    #[error("shoot {shoot}: {cause}")]
    Proof {
        /// Which shoot.
        shoot: ShootId,
        /// What is missing.
        cause: ProofError,
    },
    /// As many issues are under way as are admitted.
    #[error("{max} tokens are being issued already (--issues-in-flight-max); try again")]
    Busy {
        /// The limit.
        max: usize,
    },
    /// Everything together took too long; whether a token was issued is unknown.
    #[error("shoot {shoot} did not {what} within {} s", .limit.as_secs())]
    TimedOut {
        /// Which shoot.
        shoot: ShootId,
        /// What it did not do.
        what: &'static str,
        /// How long we waited.
        limit: Duration,
    },
}

/// Pause that a caller is asked for when too much is in flight. An issue takes some 20 ms.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Pause that a caller is asked for while a shoot hibernates. Whoever follows the state of shoots
/// hears at once when it wakes.
const HIBERNATED_PAUSE: Duration = Duration::from_secs(10);

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Request(_) => Kind::Invalid,
            Self::NoCredential { refused: true, .. } => Kind::Denied,
            Self::Starting
            | Self::NoCredential { refused: false, .. }
            | Self::GenerationContended { .. }
            | Self::OldTokenStillTaken { .. } => Kind::Unavailable,
            Self::GenerationsForbidden { cause, .. } => cause.kind(),
            Self::ShootUnknown { .. } | Self::NamespaceMissing { .. } => Kind::NotFound,
            Self::Policy(refusal) => refusal.kind(),
            Self::Held(held) => held.kind(),
            Self::Shoot { cause, .. } => cause.kind(),
            Self::AccountTerminating { .. }
            | Self::GenerationMissing { .. }
            | Self::Hibernated { .. } => Kind::Held,
            Self::Target { cause: Unwritable::Contended, .. } => Kind::Unavailable,
            Self::Target { .. } => Kind::Denied,
            Self::Mismatch { .. } => Kind::Internal,
            Self::Proof { cause, .. } => cause.kind(),
            Self::Busy { .. } | Self::RevokesBusy { .. } => Kind::Throttled,
            Self::TimedOut { .. } => Kind::TimedOut,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Request(_) => "REQUEST_INVALID",
            Self::Starting => "STARTING",
            Self::ShootUnknown { .. } => "SHOOT_UNKNOWN",
            Self::Policy(refusal) => refusal.reason(),
            Self::Held(held) => held.reason(),
            Self::NoCredential { .. } => "SHOOT_WITHOUT_CREDENTIAL",
            Self::Hibernated { .. } => "SHOOT_HIBERNATED",
            Self::Shoot { cause, .. } => cause.reason(),
            Self::NamespaceMissing { .. } => "NAMESPACE_MISSING",
            Self::AccountTerminating { .. } => "ACCOUNT_TERMINATING",
            Self::Target { cause: Unwritable::Contended, .. } => "TARGET_CONTENDED",
            Self::Target { cause: Unwritable::NamespaceMissing, .. } => "TARGET_NAMESPACE_MISSING",
            Self::Target { .. } => "TARGET_NOT_WRITABLE",
            Self::GenerationsForbidden { .. } => "GENERATIONS_FORBIDDEN",
            Self::GenerationContended { .. } => "GENERATION_CONTENDED",
            Self::GenerationMissing { .. } => "GENERATION_MISSING",
            Self::OldTokenStillTaken { .. } => "OLD_TOKEN_STILL_TAKEN",
            Self::RevokesBusy { .. } => "REVOKES_BUSY",
            Self::Mismatch { .. } => "TOKEN_MISMATCH",
            Self::Proof { cause, .. } => cause.reason(),
            Self::Busy { .. } => "ISSUER_BUSY",
            Self::TimedOut { .. } => "ISSUE_TIMED_OUT",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Shoot { cause, .. } => cause.retry_after(),
            Self::Proof { cause, .. } => cause.retry_after(),
            Self::Held(held) => held.retry_after(),
            Self::Busy { .. } | Self::RevokesBusy { .. } => Some(BUSY_PAUSE),
            Self::Hibernated { .. } => Some(HIBERNATED_PAUSE),
            Self::GenerationsForbidden { cause, .. } => cause.retry_after(),
            Self::Request(_)
            | Self::Starting
            | Self::ShootUnknown { .. }
            | Self::Policy(_)
            | Self::NoCredential { .. }
            | Self::NamespaceMissing { .. }
            | Self::AccountTerminating { .. }
            | Self::Target { .. }
            | Self::GenerationContended { .. }
            | Self::GenerationMissing { .. }
            | Self::OldTokenStillTaken { .. }
            | Self::Mismatch { .. }
            | Self::TimedOut { .. } => None,
        }
    }
}
