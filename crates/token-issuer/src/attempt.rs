//! One call to a shoot, with the second credential where the first does not hold (contract,
//! section F).

use std::{fmt, future::Future};

use perennial_core::failure::{Failure, Kind};
use perennial_kube::{Error, shoot_secrets::Which};

use crate::directory::{Candidate, Purpose};

/// The credentials that were tried, each with its error; at least one.
#[derive(Debug)]
pub struct Failed {
    first: (Which, Error),
    second: Option<(Which, Error)>,
}

impl Failed {
    /// One credential that failed like this.
    #[cfg(test)]
    pub(crate) const fn for_tests(error: Error) -> Self {
        Self { first: (Which::Own, error), second: None }
    }

    /// The error that says most: of the second credential where the shoot took that one, else of
    /// the one in use.
    #[must_use]
    pub fn decisive(&self) -> &Error {
        match &self.second {
            Some((_, error)) if !is_of_way(error) => error,
            _ => &self.first.1,
        }
    }

    /// Whether the way was at fault (no answer, or 401) with every credential, so that a probe
    /// should look.
    #[must_use]
    pub fn is_way_lost(&self) -> bool {
        self.tries().all(|(_, error)| is_unanswered(error) || error.code() == Some(401))
    }

    /// The credential that the shoot knew but would not do this for.
    #[must_use]
    pub fn taken(&self) -> Option<Which> {
        self.tries().find(|(_, error)| error.code() == Some(403)).map(|(which, _)| *which)
    }

    /// Whether the shoot knew none of the credentials.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.tries().all(|(_, error)| error.code() == Some(401))
    }

    /// Whether a call may have taken effect although it brought no result: no answer in time, or
    /// one that cannot be read.
    #[must_use]
    pub fn may_have_worked(&self) -> bool {
        self.tries().any(|(_, error)| match error {
            Error::TimedOut { .. } | Error::Nonsense { .. } => true,
            Error::Unreachable { .. } | Error::Refused { .. } | Error::Unusable { .. } => false,
        })
    }

    fn tries(&self) -> impl Iterator<Item = &(Which, Error)> {
        std::iter::once(&self.first).chain(&self.second)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with the {}: {}", name(self.first.0), self.first.1)?;
        match &self.second {
            Some((which, error)) => write!(f, "; with the {}: {error}", name(*which)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failed {}

impl Failure for Failed {
    fn kind(&self) -> Kind {
        self.decisive().kind()
    }

    fn reason(&self) -> &str {
        self.decisive().reason()
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        self.decisive().retry_after()
    }
}

const fn name(which: Which) -> &'static str {
    match which {
        Which::Own => "own credential",
        Which::Bootstrap => "bootstrap credential",
    }
}

/// Calls with the first candidate, and with the next where the first does not hold. Returns the
/// candidate that was answered; `None` where there is no candidate at all.
pub async fn attempt<T, F>(
    candidates: &[Candidate],
    purpose: Purpose,
    call: impl Fn(Candidate) -> F,
) -> Option<Result<(Candidate, T), Failed>>
where
    F: Future<Output = Result<T, Error>>,
{
    let (first, rest) = candidates.split_first()?;
    let error = match call(first.clone()).await {
        Ok(answer) => return Some(Ok((first.clone(), answer))),
        Err(error) => (first.which, error),
    };
    let Some(next) = rest.first().filter(|next| may_help(&error.1, first, next, purpose)) else {
        return Some(Err(Failed { first: error, second: None }));
    };
    Some(match call(next.clone()).await {
        Ok(answer) => Ok((next.clone(), answer)),
        Err(second) => Err(Failed { first: error, second: Some((next.which, second)) }),
    })
}

/// Another credential helps where this one was refused; another address where this one, or its
/// certificate, does not hold. After a timeout the token may have been issued, so only a probe goes
/// on then; what it finds decides about the next call.
fn may_help(error: &Error, tried: &Candidate, next: &Candidate, purpose: Purpose) -> bool {
    let elsewhere = tried.endpoint != next.endpoint;
    match error {
        Error::Refused { code: 401 | 403, .. } => true,
        Error::Unreachable { .. } => elsewhere,
        Error::TimedOut { .. } => elsewhere && purpose == Purpose::Probe,
        Error::Refused { .. } | Error::Nonsense { .. } | Error::Unusable { .. } => false,
    }
}

/// Whether an error is about address or credential, and not about what was asked for.
fn is_of_way(error: &Error) -> bool {
    is_unanswered(error) || matches!(error.code(), Some(401 | 403))
}

fn is_unanswered(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::TimedOut { .. } => true,
        Error::Refused { .. } | Error::Nonsense { .. } | Error::Unusable { .. } => false,
    }
}
