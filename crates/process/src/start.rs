//! From `main` to the service and back to an exit code.

use std::{io::ErrorKind, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use perennial_core::{
    failure,
    flaw::{Flaw, Flawed},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};

use crate::{
    args::LogArgs,
    crash, memory,
    outage::Refused,
    telemetry::{self, Telemetry},
};

/// Longest time that blocking calls (name resolution) may hold up the end of the process.
const RUNTIME_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Threads that do the work, whatever the node has. A renewal is a chain of short steps that wait for
/// others, and one thread bears more of them than an API server does; a second one is woken more often
/// than it helps: 7 % more CPU a renewal for the three services together (docs/benchmarks.md).
const WORKERS: usize = 1;

/// Why a service ended with an error. The kind of it is the exit code.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A flag that only its use shows to be wrong. Exit code 64.
    #[error("wrong usage")]
    Usage(#[source] Source),
    /// A certificate or kubeconfig that cannot be used; the text of the source says what to do. The
    /// flaw decides the exit code: 66, 65, 75 or 78.
    #[error("bad configuration")]
    Configuration {
        /// What is wrong with it.
        flaw: Flaw,
        /// Which file, and why.
        source: Source,
    },
    /// A port cannot be bound. Exit code 69.
    #[error("cannot listen on {address} ({flag}): {cause}; {}", listen_advice(*cause))]
    Listen {
        /// The flag that holds the address.
        flag: &'static str,
        /// What was to be bound.
        address: SocketAddr,
        /// Why it was refused.
        cause: ErrorKind,
    },
    /// The seed does not let us list what we watch. Exit code 77.
    #[error(transparent)]
    Refused(Refused),
    /// The start failed for another reason. Exit code 1.
    #[error("failed to start")]
    Start(#[source] Source),
    /// The service ran, and ended when nobody asked for it. Exit code 70.
    #[error("stopped")]
    Unexpected(#[source] Source),
}

type Source = Box<dyn std::error::Error + Send + Sync>;

impl StartError {
    /// A flag that cannot be used, for `map_err`.
    pub fn usage(error: impl Into<Source>) -> Self {
        Self::Usage(error.into())
    }

    /// A file that cannot be used, for `map_err`.
    pub fn configuration(error: impl Flawed + Send + Sync + 'static) -> Self {
        Self::Configuration { flaw: error.flaw(), source: error.into() }
    }

    /// A start that failed, for `map_err`.
    pub fn start(error: impl Into<Source>) -> Self {
        Self::Start(error.into())
    }

    /// An end nobody asked for, for `map_err` on [`crate::supervise::Supervisor::run`].
    #[must_use]
    pub fn unexpected(error: anyhow::Error) -> Self {
        match error.downcast::<Refused>() {
            Ok(refused) => Self::Refused(refused),
            Err(error) => Self::Unexpected(error.into()),
        }
    }

    /// The exit code of the process.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Configuration { flaw, .. } => match flaw {
                Flaw::Damaged => Exit::Damaged,
                Flaw::Missing => Exit::Missing,
                Flaw::OutOfTime => Exit::OutOfTime,
                Flaw::Unfit => Exit::Configuration,
            },
            Self::Listen { .. } => Exit::Listen,
            Self::Refused(_) => Exit::Refused,
            Self::Start(_) => Exit::Start,
            Self::Unexpected(_) => Exit::Internal,
        }
    }
}

/// Exit codes, after sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Ended as asked.
    Ok = 0,
    /// The start failed for a reason that has no code of its own.
    Start = 1,
    /// Wrong flags.
    Usage = 64,
    /// A certificate or kubeconfig does not read as one.
    Damaged = 65,
    /// A certificate or kubeconfig is not there.
    Missing = 66,
    /// A port cannot be bound.
    Listen = 69,
    /// An end nobody asked for, or our own mistake.
    Internal = 70,
    /// A certificate has expired or is not valid yet: another start may find a new one.
    OutOfTime = 75,
    /// The seed refuses us.
    Refused = 77,
    /// A certificate or kubeconfig that is good, and not for us.
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
    memory::keep_freed();
    let outcome = prepare(A::command().get_name(), log(&args)).and_then(|(runtime, telemetry)| {
        let _armed = crash::arm();
        let outcome = runtime.block_on(service(args));
        telemetry.close(); // needs the runtime
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

fn prepare(name: &str, log: &LogArgs) -> Result<(Runtime, Telemetry), StartError> {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.map_err(StartError::start)?;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| StartError::start("another rustls crypto provider is already installed"))?;
    let telemetry = {
        let _inside = runtime.enter();
        telemetry::init(name, log)?
    };
    forbid_core_dumps().map_err(StartError::start)?;
    Ok((runtime, telemetry))
}

/// A core file would hold every token that was in flight. The process stays dumpable otherwise:
/// whoever may trace it can read its memory anyway, and `/proc` shows its files and limits.
fn forbid_core_dumps() -> rustix::io::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
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

        assert_eq!(port.exit(), Exit::Listen);
        assert_eq!(
            failure::chain(&port),
            "cannot listen on 127.0.0.1:80 (--listen-addr): permission denied; choose another port"
        );
        assert_eq!(StartError::usage("no address").exit(), Exit::Usage);
        for (flaw, exit) in [
            (Flaw::Missing, Exit::Missing),
            (Flaw::Damaged, Exit::Damaged),
            (Flaw::OutOfTime, Exit::OutOfTime),
            (Flaw::Unfit, Exit::Configuration),
        ] {
            let error = StartError::Configuration { flaw, source: "ca.crt".into() };
            assert_eq!(error.exit(), exit);
        }
        assert_eq!(
            failure::chain(&StartError::unexpected(task)),
            "stopped: task watch ended unexpectedly: forbidden"
        );
    }
}
