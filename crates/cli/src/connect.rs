//! Where the services are and who we are.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use perennial_core::failure;
use perennial_proto::scheduler::v1::scheduler_client::SchedulerClient;
use perennial_rpc::{
    client::{self, Channel},
    identity::TrustDomain,
    tls::{Expected, TlsStore},
};

use crate::error::CliError;

/// Longest time one answer may take; a renewal that is waited for takes the longest.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Flags of the connection.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// HOST:PORT of the scheduler.
    #[arg(long, env = "PERENNIAL_ADDR", value_name = "HOST:PORT", global = true)]
    #[arg(hide_env_values = true)]
    addr: Option<String>,
    /// PEM file with the CA of the services.
    #[arg(long, env = "PERENNIAL_CA", value_name = "FILE", global = true)]
    #[arg(hide_env_values = true)]
    ca: Option<PathBuf>,
    /// PEM file with the operator's certificate.
    #[arg(long, env = "PERENNIAL_CERT", value_name = "FILE", global = true)]
    #[arg(hide_env_values = true)]
    cert: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    #[arg(long, env = "PERENNIAL_KEY", value_name = "FILE", global = true)]
    #[arg(hide_env_values = true)]
    key: Option<PathBuf>,
    /// Trust domain of the services' SPIFFE ids.
    #[arg(long, env = "PERENNIAL_TRUST_DOMAIN", value_name = "DOMAIN", global = true)]
    #[arg(default_value = "cluster.local", hide_env_values = true)]
    trust_domain: TrustDomain,
}

/// Who we are and whom we believe.
#[derive(Debug)]
pub struct Identity {
    tls: Arc<TlsStore>,
    expected: TrustDomain,
}

/// The scheduler, as every command but `status` talks to it.
pub type Scheduler = SchedulerClient<Channel>;

impl ConnectArgs {
    /// Reads the certificate.
    ///
    /// # Errors
    /// When a flag is missing or a file cannot be used; the text names it.
    pub fn identity(&self) -> Result<Identity, CliError> {
        let file = |value: &Option<PathBuf>, flag: &str, variable: &str| {
            value.clone().ok_or_else(|| missing(flag, variable))
        };
        let tls = TlsStore::from_files(
            file(&self.cert, "--cert", "PERENNIAL_CERT")?,
            file(&self.key, "--key", "PERENNIAL_KEY")?,
            file(&self.ca, "--ca", "PERENNIAL_CA")?,
        );
        let tls = tls.map_err(|error| CliError::Configuration(failure::chain(&error)))?;
        Ok(Identity { tls, expected: self.trust_domain.clone() })
    }

    /// Address of the scheduler.
    ///
    /// # Errors
    /// When the flag is missing.
    pub fn addr(&self) -> Result<&str, CliError> {
        self.addr.as_deref().ok_or_else(|| missing("--addr", "PERENNIAL_ADDR"))
    }

    /// The scheduler; the connection is made with the first call.
    ///
    /// # Errors
    /// When a flag is missing, or a file or the address cannot be used.
    pub fn scheduler(&self) -> Result<Scheduler, CliError> {
        let addr = self.addr()?;
        Ok(SchedulerClient::new(self.identity()?.channel(addr)?))
    }
}

impl Identity {
    /// A channel that connects with its first call.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn channel(&self, addr: &str) -> Result<Channel, CliError> {
        client::connect(addr, Expected::AnyOf(self.expected.clone()), &self.tls)
            .map_err(|error| CliError::Configuration(failure::chain(&error)))
    }
}

fn missing(flag: &str, variable: &str) -> CliError {
    CliError::Usage(format!("{flag} is missing; give it or set {variable}"))
}

/// A request with our deadline.
pub fn with_deadline<T>(message: T) -> tonic::Request<T> {
    client::with_deadline(message, CALL_TIMEOUT)
}
