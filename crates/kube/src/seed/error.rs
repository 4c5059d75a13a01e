//! Why a process cannot even try to reach the seed.

use std::path::{Path, PathBuf};

use kube::config::KubeconfigError;
use perennial_core::{
    failure::chain,
    flaw::{Flaw, Flawed},
};

/// What is wrong with the kubeconfig of the seed. The text says what to do, and quotes nothing of the
/// file: it may hold a credential.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file, or one that it names, cannot be read.
    #[error(
        "kubeconfig {file} cannot be read: {problem}; give a file that exists with --seed-kubeconfig \
         or KUBECONFIG"
    )]
    Missing {
        /// The kubeconfig.
        file: PathBuf,
        /// Which file, and why.
        problem: String,
    },
    /// It is no kubeconfig.
    #[error("kubeconfig {file} is no kubeconfig{place}; write one there, as YAML or JSON")]
    Damaged {
        /// The kubeconfig.
        file: PathBuf,
        /// Where it stops making sense.
        place: String,
    },
    /// It reads well and cannot be used.
    #[error("kubeconfig {file} cannot be used: {problem}; correct it, or give another one")]
    Unfit {
        /// The kubeconfig.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// None was given, and this is no Pod.
    #[error(
        "failed to use the ServiceAccount of the Pod: {0}; give --seed-kubeconfig or KUBECONFIG when \
         this runs outside a Pod"
    )]
    NoPod(String),
}

impl Flawed for SeedError {
    fn flaw(&self) -> Flaw {
        match self {
            Self::Missing { .. } => Flaw::Missing,
            Self::Damaged { .. } => Flaw::Damaged,
            Self::Unfit { .. } | Self::NoPod(_) => Flaw::Unfit,
        }
    }
}

impl SeedError {
    pub(super) fn reading(file: &Path, error: &KubeconfigError) -> Self {
        let file = file.to_owned();
        match error {
            // Its text shows the lines around, and with them a token.
            KubeconfigError::Parse(error) => {
                let at = error.location().map(|at| format!(" from line {} on", at.line()));
                Self::Damaged { file, place: at.unwrap_or_default() }
            }
            other => Self::using(&file, other),
        }
    }

    pub(super) fn using(file: &Path, error: &(dyn std::error::Error + 'static)) -> Self {
        let (file, problem) = (file.to_owned(), chain(error));
        let missing = std::iter::successors(Some(error), |error| error.source())
            .any(|error| error.is::<std::io::Error>());
        if missing { Self::Missing { file, problem } } else { Self::Unfit { file, problem } }
    }
}
