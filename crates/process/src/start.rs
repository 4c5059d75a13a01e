//! From `main` to the service and back to an exit code.

use std::{io::ErrorKind, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use perennial_core::failure;
use tokio::runtime::Runtime;

use crate::{args::LogArgs, crash, telemetry};

/// Longest time that blocking calls (name resolution) may hold up the end of the process.
const RUNTIME_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a service ended with an error. The kind of it is the exit code.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or flag reads well but cannot be right: TLS folder, kubeconfig. Exit code 78. The
    /// text of the source says what to do.
    #[error("bad configuration")]
    Configuration(#[source] Source),
    /// A port cannot be bound. Exit code 1.
    #[error("cannot listen on {address} ({flag}): {cause}; {}", listen_advice(*cause))]
    Listen {
        /// The flag that holds the address.
        flag: &'static str,
        /// What was to be bound.
        address: SocketAddr,
        /// Why it was refused.
        cause: ErrorKind,
    },
    /// The start failed for another reason. Exit code 1.
    #[error("failed to start")]
    Start(#[source] Source),
    /// The service ran, and ended when nobody asked for it. Exit code 70.
    #[error("stopped")]
    Unexpected(#[source] Source),
}

type Source = Box<dyn std::error::Error + Send + Sync>;

impl StartError {
    /// Bad configuration, for `map_err`.
    pub fn configuration(error: impl Into<Source>) -> Self {
        Self::Configuration(error.into())
    }

    /// A start that failed, for `map_err`.
    pub fn start(error: impl Into<Source>) -> Self {
        Self::Start(error.into())
    }

    /// An end nobody asked for, for `map_err` on [`crate::supervise::Supervisor::run`].
    pub fn unexpected(error: impl Into<Source>) -> Self {
        Self::Unexpected(error.into())
    }

    /// The exit code of the process.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) => Exit::Configuration,
            Self::Listen { .. } | Self::Start(_) => Exit::Start,
            Self::Unexpected(_) => Exit::Internal,
        }
    }
}

/// Exit codes, after sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Ended as asked.
    Ok = 0,
    /// The start failed (a port is taken).
    Start = 1,
    /// Wrong flags.
    Usage = 64,
    /// An end nobody asked for, or our own mistake.
    Internal = 70,
    /// Configuration that cannot be right.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The whole of a service's `main`: crypto provider, flags, logs, runtime, `service`, exit code.
///
/// ```no_run
/// # use {clap::Parser, perennial_process::{args::LogArgs, start::{self, StartError}}};
/// # #[derive(Parser)] struct Args { #[command(flatten)] log: LogArgs }
/// # async fn serve(args: Args) -> Result<(), StartError> { Ok(()) }
/// fn main() -> std::process::ExitCode {
///     start::run(|args: &Args| &args.log, serve)
/// }
/// ```
pub fn run<A, F>(log: impl FnOnce(&A) -> &LogArgs, service: impl FnOnce(A) -> F) -> ExitCode
where
    A: Parser,
    F: Future<Output = Result<(), StartError>>,
{
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(told) => return usage(&told).into(),
    };
    let outcome = prepare(log(&args)).and_then(|runtime| {
        let _armed = crash::arm();
        let outcome = runtime.block_on(service(args));
        runtime.shutdown_timeout(RUNTIME_CLOSE_TIMEOUT);
        outcome
    });
    match outcome {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            report(&error);
            error.exit().into()
        }
    }
}

/// `--help` and `--version` go to stdout and are no failure; clap itself would exit with 2.
fn usage(told: &clap::Error) -> Exit {
    let exit = if told.use_stderr() { Exit::Usage } else { Exit::Ok };
    let _ = told.print(); // a closed stderr cannot be told to anybody
    exit
}

fn prepare(log: &LogArgs) -> Result<Runtime, StartError> {
    telemetry::init(log).map_err(StartError::start)?;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| StartError::start("another rustls crypto provider is already installed"))?;
    Runtime::new().map_err(StartError::start)
}

/// One ERROR line with the chain of causes. If logs could not be set up, plainly to stderr.
#[expect(clippy::print_stderr, reason = "where there is no subscriber, nobody else would tell")]
fn report(error: &StartError) {
    let line = failure::chain(error).replace('\n', " ");
    if tracing::dispatcher::has_been_set() {
        tracing::error!(exit_code = error.exit() as u8, "{line}");
    } else {
        eprintln!("error: {line}");
    }
}

fn listen_advice(cause: ErrorKind) -> &'static str {
    match cause {
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => "choose another port",
        ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service for tests
    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        log: LogArgs,
        #[command(flatten)]
        drain: crate::args::DrainArgs,
    }

    #[test]
    fn wrong_flags_exit_with_64_and_help_with_0() {
        let exit = |flag| usage(&Args::try_parse_from(["service", flag]).unwrap_err());

        assert_eq!(exit("--no-such-flag"), Exit::Usage);
        assert_eq!(exit("--drain-grace=soon"), Exit::Usage);
        assert_eq!(exit("--log-level=perennial=loud"), Exit::Usage);
        assert_eq!(exit("--help"), Exit::Ok);
    }

    #[test]
    fn help_begins_with_the_service_and_not_with_a_group_of_flags() {
        let help = Args::try_parse_from(["service", "--help"]).unwrap_err().to_string();

        assert!(help.starts_with("A service for tests\n"), "{help}");
    }

    #[test]
    fn flags_have_the_documented_defaults() {
        let args = Args::try_parse_from(["service"]).unwrap();

        assert_eq!(args.drain.drain_grace, Duration::from_secs(20));
        assert_eq!(args.log.log_level, "info".parse().unwrap());
    }

    #[test]
    fn every_error_has_its_exit_code_and_is_one_line() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let cause = ErrorKind::PermissionDenied;
        let port = StartError::Listen { flag: "--listen-addr", address, cause };
        let task = anyhow::anyhow!("forbidden").context("task watch ended unexpectedly");

        assert_eq!(port.exit(), Exit::Start);
        assert_eq!(
            failure::chain(&port),
            "cannot listen on 127.0.0.1:80 (--listen-addr): permission denied; choose another port"
        );
        assert_eq!(StartError::configuration("no CA").exit(), Exit::Configuration);
        assert_eq!(
            failure::chain(&StartError::unexpected(task)),
            "stopped: task watch ended unexpectedly: forbidden"
        );
    }
}
