//! What is to be written, and what came of it.

use std::sync::Arc;

use jiff::Timestamp;
use perennial_core::{
    failure::{Failure, Kind},
    inputs::Mode,
    issued::Issued,
    kubeconfig::KubeconfigError,
    name::SecretRef,
    token::Token,
};

use super::Seen;
use crate::error::Error;

/// A token with its timestamp and note, for the Secret that a decision saw.
#[derive(Clone, Debug)]
pub struct Order {
    /// The Secret as the decision saw it; its inputs are valid.
    pub seen: Arc<Seen>,
    /// What becomes of its data.
    pub put: Put,
    /// Latest moment of renewal: the renew timestamp.
    pub latest: Timestamp,
    /// The note about this token.
    pub note: Issued,
}

/// What becomes of the data of an access Secret. CA certificates of the shoot are PEM.
#[derive(Clone, Debug)]
pub enum Put {
    /// Token mode. A stale `bundle.crt` is removed where no CA goes beside the token (B5).
    Token {
        /// The token.
        token: Token,
        /// What goes beside it.
        ca_pem: Option<Vec<u8>>,
    },
    /// Kubeconfig mode.
    Kubeconfig {
        /// The token.
        token: Token,
        /// The CA of its cluster, where it is ours to write.
        ca_pem: Option<Vec<u8>>,
    },
    /// The token stands in a target, so it disappears here with all that belonged to it (B7).
    Nothing,
}

impl Put {
    /// Into a Secret of this mode.
    #[must_use]
    pub const fn of(mode: Mode, token: Token, ca_pem: Option<Vec<u8>>) -> Self {
        match mode {
            Mode::Token => Self::Token { token, ca_pem },
            Mode::Kubeconfig => Self::Kubeconfig { token, ca_pem },
        }
    }
}

impl Order {
    /// The token that is written into the Secret itself.
    #[must_use]
    pub const fn token(&self) -> Option<&Token> {
        match &self.put {
            Put::Token { token, .. } | Put::Kubeconfig { token, .. } => Some(token),
            Put::Nothing => None,
        }
    }

    pub(super) fn secret(&self) -> &SecretRef {
        &self.seen.record.secret
    }
}

/// The CA beside a token, for the Secret that a decision saw; the token stays as it is.
#[derive(Clone, Debug)]
pub struct CaOrder {
    /// The Secret as the decision saw it; its inputs are valid.
    pub seen: Arc<Seen>,
    /// Where the CA stands.
    pub mode: Mode,
    /// CA certificates of the shoot, PEM; `None` takes away what stands in `bundle.crt` (B5), and
    /// does nothing to a kubeconfig.
    pub ca_pem: Option<Vec<u8>>,
}

/// Another note about the same token, for the Secret that a decision saw.
#[derive(Clone, Debug)]
pub struct NoteOrder {
    /// The Secret as the decision saw it; its inputs are valid.
    pub seen: Arc<Seen>,
    /// The note.
    pub note: Issued,
}

/// What came of an order.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The Secret holds the token; this is the Secret as it was written.
    Written(Seen),
    /// It is no longer the Secret that the decision saw, and was left alone; this is what it is
    /// now, `None` where it is gone or no longer ours.
    Changed(Option<Seen>),
}

/// Why an order could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The API server refuses, or was not even asked to write: the token is surely not written.
    #[error(transparent)]
    Api(Error),
    /// The API server did not answer a patch, or not clearly; the watch will show what came of it.
    #[error("{0}; whether the token was written is unknown")]
    Unknown(Error),
    /// The kubeconfig cannot take this token.
    #[error("failed to write Secret {secret}: data key kubeconfig cannot take a token: {problem}")]
    Kubeconfig {
        /// Which Secret.
        secret: SecretRef,
        /// Why.
        problem: KubeconfigError,
    },
    /// Others wrote it between every look and write of ours.
    #[error("failed to write Secret {secret}: it changed {rounds} times under our hands")]
    Contended {
        /// Which Secret.
        secret: SecretRef,
        /// How often.
        rounds: usize,
    },
}

impl Failure for WriteError {
    fn kind(&self) -> Kind {
        match self {
            Self::Api(error) | Self::Unknown(error) => error.kind(),
            Self::Kubeconfig { .. } => Kind::Invalid,
            Self::Contended { .. } => Kind::Changed,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Api(error) | Self::Unknown(error) => reason_of_seed(error),
            Self::Kubeconfig { .. } => "KUBECONFIG_INVALID",
            Self::Contended { .. } => "SECRET_CONTENDED",
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Api(error) | Self::Unknown(error) => error.retry_after(),
            Self::Kubeconfig { .. } | Self::Contended { .. } => None,
        }
    }
}

/// An error of the seed under a name of its own. A scheduler hears of seed and shoot through the
/// same RenewToken, and must not make a shoot pay for the seed.
const fn reason_of_seed(error: &Error) -> &'static str {
    match error {
        Error::TimedOut { .. } => "SEED_TIMED_OUT",
        Error::Unreachable { .. } => "SEED_UNREACHABLE",
        Error::Nonsense { .. } => "SEED_NONSENSE",
        Error::Unusable { .. } => "SEED_CREDENTIAL_UNUSABLE",
        Error::Refused { code, .. } => match code {
            401 => "SEED_UNAUTHORIZED",
            403 => "SEED_FORBIDDEN",
            404 => "SEED_NOT_FOUND",
            409 => "SEED_CONFLICT",
            429 => "SEED_THROTTLED",
            _ => "SEED_REFUSED",
        },
    }
}
