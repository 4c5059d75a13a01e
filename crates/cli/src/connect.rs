//! Where the scheduler is and who we are.

use std::{io, path::PathBuf, time::Duration};

use clap::Args;
use perennial_core::failure::Failure as _;
use perennial_rpc::{
    client,
    identity::TrustDomain,
    status::Remote,
    tls::{Expected, TlsStore},
};
use tonic::transport::Channel;

/// Longest time one answer may take; a renewal that is waited for takes the longest.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Flags of the connection.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// HOST:PORT of the scheduler.
    #[arg(long, env = "PERENNIAL_ADDR", value_name = "HOST:PORT", global = true)]
    addr: Option<String>,
    /// PEM file with the CA of the services.
    #[arg(long, env = "PERENNIAL_CA", value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// PEM file with the operator's certificate.
    #[arg(long, env = "PERENNIAL_CERT", value_name = "FILE", global = true)]
    cert: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    #[arg(long, env = "PERENNIAL_KEY", value_name = "FILE", global = true)]
    key: Option<PathBuf>,
    /// Trust domain of the services' SPIFFE ids.
    #[arg(long, env = "PERENNIAL_TRUST_DOMAIN", default_value = "cluster.local", global = true)]
    trust_domain: TrustDomain,
}

/// What can go wrong for the one at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag, an address or a certificate; the text says what to do.
    #[error("{0}")]
    Configuration(String),
    /// The scheduler refused or did not answer.
    #[error("{}", told(.0))]
    Call(Box<Remote>),
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
            Self::Configuration(_) | Self::Output(_) => false,
        }
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
            "what answers there is no scheduler; --addr must be the address of one".to_owned()
        }
        "PEER_DEADLINE_EXCEEDED" => "the scheduler did not answer in time".to_owned(),
        _ => format!("the scheduler answered: {remote}"),
    }
}

impl ConnectArgs {
    /// A channel that connects with its first call.
    ///
    /// # Errors
    /// When a flag is missing or a file cannot be used; the text names it.
    pub fn channel(&self) -> Result<Channel, CliError> {
        let file = |value: &Option<PathBuf>, flag: &str, variable: &str| {
            value.clone().ok_or_else(|| missing(flag, variable))
        };
        let addr = self.addr.as_deref().ok_or_else(|| missing("--addr", "PERENNIAL_ADDR"))?;
        let tls = TlsStore::from_files(
            file(&self.cert, "--cert", "PERENNIAL_CERT")?,
            file(&self.key, "--key", "PERENNIAL_KEY")?,
            file(&self.ca, "--ca", "PERENNIAL_CA")?,
        )
        .map_err(|error| CliError::Configuration(perennial_core::failure::chain(&error)))?;
        client::connect(addr, Expected::AnyOf(self.trust_domain.clone()), &tls)
            .map_err(|error| CliError::Configuration(perennial_core::failure::chain(&error)))
    }
}

fn missing(flag: &str, variable: &str) -> CliError {
    CliError::Configuration(format!("{flag} is missing; give it or set {variable}"))
}

/// A request with our deadline.
pub fn with_deadline<T>(message: T) -> tonic::Request<T> {
    client::with_deadline(message, CALL_TIMEOUT)
}
