//! A new token for ourselves is proved before it is passed on: the timestamp on our own Secret
//! means "works", and its maker may then delete the bootstrap credential (contract, section F).

use std::time::Duration;

use perennial_core::{
    failure::{Failure, Kind},
    shoot::ShootId,
    token::Token,
};
use perennial_kube::Error as KubeError;

use crate::directory::{Directory, Endpoint};

/// Pause before the second and last look: a grant made just now reaches the authorizer of the API
/// server through a watch, which takes some 100 ms.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a new token of our own is not passed on. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It is known there, and may not do our work.
    #[error(
        "the new token of the token-issuer may not create tokens there; grant create on \
         serviceaccounts/token, see deploy/shoot"
    )]
    Denied,
    /// It is not known there.
    #[error(
        "the shoot does not take the new token of the token-issuer; its audiences must be among \
         those of the shoot's API server (--api-audiences)"
    )]
    Unknown,
    /// It could not be tried.
    #[error("failed to prove the new token of the token-issuer: {0}")]
    Untried(KubeError),
}

impl Failure for ProofError {
    fn kind(&self) -> Kind {
        match self {
            Self::Denied | Self::Unknown => Kind::Denied,
            Self::Untried(cause) => cause.kind(),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Denied => "OWN_TOKEN_NOT_ALLOWED",
            Self::Unknown => "OWN_TOKEN_NOT_TAKEN",
            Self::Untried(cause) => cause.reason(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Denied | Self::Unknown => None,
            Self::Untried(cause) => cause.retry_after(),
        }
    }
}

/// Proves a new token at the own address, or at the bootstrap one where that does not hold.
///
/// # Errors
/// When it is not known or not allowed there, also after a pause; or could not be tried.
pub(super) async fn prove(
    token: &Token,
    shoot: &ShootId,
    directory: &Directory,
) -> Result<(), ProofError> {
    let endpoints = directory.endpoints(shoot);
    match look(token, &endpoints, directory).await {
        Err(ProofError::Denied | ProofError::Unknown) => {
            tokio::time::sleep(PAUSE).await;
            look(token, &endpoints, directory).await
        }
        outcome => outcome,
    }
}

async fn look(
    token: &Token,
    endpoints: &[Endpoint],
    directory: &Directory,
) -> Result<(), ProofError> {
    let mut last = ProofError::Unknown;
    for endpoint in endpoints {
        let connection = endpoint.with_token(token.clone());
        let shoot = directory.connect(&connection).map_err(ProofError::Untried)?;
        match shoot.prove().await {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(ProofError::Denied),
            Err(KubeError::Refused { code: 401, .. }) => return Err(ProofError::Unknown),
            Err(error @ KubeError::Unreachable { .. }) => last = ProofError::Untried(error),
            Err(error) => return Err(ProofError::Untried(error)),
        }
    }
    Err(last)
}
