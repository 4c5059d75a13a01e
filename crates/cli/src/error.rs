//! What can go wrong for the one at the terminal: one line that says what to do.

use std::io;

use perennial_core::failure::Failure as _;
use perennial_rpc::status::Remote;

use crate::exit::Exit;

/// What can go wrong for the one at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag is missing or makes no sense; the text says what to do.
    #[error("{0}")]
    Usage(String),
    /// An address or a certificate cannot be used; the text says what to do.
    #[error("{0}")]
    Configuration(String),
    /// The scheduler refused or did not answer.
    #[error("{}", told(.0))]
    Call(Box<Remote>),
    /// A token-issuer refused or did not answer.
    #[error("the token-issuer {addr}: {remote}")]
    Issuer {
        /// Its address.
        addr: String,
        /// What it said, or how the way to it failed.
        remote: Box<Remote>,
    },
    /// No token-issuer knows the shoot; the text says what to do.
    #[error("{0}")]
    NoShoot(String),
    /// No token-issuer has reached the shoot; the text says why.
    #[error("{0}")]
    ShootAway(String),
    /// An answer that cannot be shown.
    #[error("cannot show the answer of the scheduler: {0}; are both of one version?")]
    Nonsense(String),
    /// The terminal or pipe is gone.
    #[error("cannot write the answer")]
    Output(#[source] io::Error),
}

impl CliError {
    /// The error of a call.
    #[must_use]
    pub fn call(status: tonic::Status) -> Self {
        Self::Call(Box::new(Remote::from(status)))
    }

    /// Whether asking again may help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Call(remote) | Self::Issuer { remote, .. } => remote.kind().retryable(),
            Self::ShootAway(_) => true,
            Self::Usage(_)
            | Self::Configuration(_)
            | Self::NoShoot(_)
            | Self::Nonsense(_)
            | Self::Output(_) => false,
        }
    }

    /// Stable name of what went wrong, where a service said it.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Call(remote) | Self::Issuer { remote, .. } => remote.reason(),
            Self::Usage(_)
            | Self::Configuration(_)
            | Self::NoShoot(_)
            | Self::ShootAway(_)
            | Self::Nonsense(_)
            | Self::Output(_) => "",
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Configuration(_) => Exit::Configuration,
            // Held for good: trying later does not help.
            Self::Call(remote) if remote.reason() == "SECRET_IMMUTABLE" => Exit::Invalid,
            Self::Call(remote) | Self::Issuer { remote, .. } => Exit::of(remote.kind()),
            Self::NoShoot(_) => Exit::NotFound,
            Self::ShootAway(_) => Exit::Unavailable,
            Self::Nonsense(_) => Exit::Internal,
            Self::Output(_) => Exit::Output,
        }
    }

    /// Whether a reader such as `head` has simply had enough.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Who said what, and what to look at where nobody did.
fn told(remote: &Remote) -> String {
    if remote.is_answer() { answered(remote) } else { unanswered(remote) }
}

/// The scheduler's own words, also about a service behind it that it did not reach.
fn answered(remote: &Remote) -> String {
    let message = remote.message();
    match remote.reason() {
        "SECRET_NOT_FOUND" => {
            format!("{message}; perennial list shows those that the scheduler knows")
        }
        "PEER_UNREACHABLE" | "PEER_DEADLINE_EXCEEDED" => format!(
            "the scheduler answered: {message}; see whether the services behind it run and are \
             ready (perennial status)"
        ),
        _ => format!("the scheduler answered: {message}"),
    }
}

/// What to look at where no service of ours said anything.
fn unanswered(remote: &Remote) -> String {
    match remote.reason() {
        "PEER_UNREACHABLE" => format!(
            "the scheduler cannot be reached ({}); is it running, is --addr its address, and are \
             --ca and --cert of its trust domain?",
            remote.message()
        ),
        "PEER_LACKS_METHOD" => {
            "what answers there is no scheduler, or an older one; --addr must be the address of one"
                .to_owned()
        }
        "PEER_DEADLINE_EXCEEDED" => {
            "the scheduler did not answer in time; ask again, and see its log if this lasts"
                .to_owned()
        }
        "PEER_REFUSED_US" => format!(
            "the scheduler refused us: {}; --cert must be a certificate of the operator",
            remote.message()
        ),
        _ => format!("the scheduler answered: {remote}"),
    }
}

#[cfg(test)]
mod tests {
    use perennial_core::failure::{Failure, Kind};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to renew shoot-1/etcd: connection refused")]
    struct IssuerAway;

    impl Failure for IssuerAway {
        fn kind(&self) -> Kind {
            Kind::Unavailable
        }

        fn reason(&self) -> &'static str {
            "PEER_UNREACHABLE"
        }
    }

    #[test]
    fn a_service_behind_the_scheduler_that_is_away_is_not_taken_for_the_scheduler() {
        let error = CliError::call(perennial_rpc::status::to_status(&IssuerAway));
        let told = error.to_string();
        assert!(
            told.starts_with("the scheduler answered: failed to renew shoot-1/etcd: "),
            "{told}"
        );
        assert!(told.ends_with("(perennial status)"), "{told}");
        assert_eq!(error.exit(), Exit::Unavailable);

        let error = CliError::call(tonic::Status::unavailable("connection refused"));
        assert!(error.to_string().starts_with("the scheduler cannot be reached ("), "{error}");
        assert_eq!(error.exit(), Exit::Unavailable);
    }
}
