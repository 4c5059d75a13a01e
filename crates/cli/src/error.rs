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
            Self::Call(remote) => remote.kind().retryable(),
            Self::Usage(_) | Self::Configuration(_) | Self::Nonsense(_) | Self::Output(_) => false,
        }
    }

    /// Stable name of what went wrong, where a service said it.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Call(remote) => remote.reason(),
            Self::Usage(_) | Self::Configuration(_) | Self::Nonsense(_) | Self::Output(_) => "",
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Configuration(_) => Exit::Configuration,
            Self::Call(remote) => Exit::of(remote.kind()),
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
        "SECRET_NOT_FOUND" => {
            format!("{}; perennial list shows those that the scheduler knows", remote.message())
        }
        _ => format!("the scheduler answered: {remote}"),
    }
}
