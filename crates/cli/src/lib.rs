//! `perennial`: the command line of operators.
//!
//! [`connect`] says where the scheduler is and who we are, [`table`] makes text of schedules,
//! [`live`] keeps such a table on a terminal, [`watch`] feeds it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{ListSchedulesRequest, scheduler_client::SchedulerClient};

pub mod connect;
pub mod live;
pub mod table;
pub mod watch;

use connect::{CliError, ConnectArgs};

/// Exit code of a wrong answer or a failed call.
const EXIT_FAILED: u8 = 1;
/// Exit code of certificates or addresses that cannot be used.
const EXIT_CONFIGURATION: u8 = 78;

/// See when the tokens of shoot control planes are renewed, and why then.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  perennial list\n  perennial list --namespace shoot--lab--1\n  perennial watch\n\n\
                  Exit codes: 0 done, 1 the call failed, 2 wrong usage, 78 unusable certificate or address."
)]
pub struct Args {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the schedules once.
    List {
        /// Only those of this namespace on the seed; all when left out.
        #[arg(long, short)]
        namespace: Option<String>,
    },
    /// Keep a live table on the terminal; a line for each change where there is none.
    Watch {
        /// Only those of this namespace on the seed; all when left out.
        #[arg(long, short)]
        namespace: Option<String>,
    },
}

/// Runs the command line and says in one line what went wrong.
pub fn main(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&CliError::Output(error)),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &CliError) -> ExitCode {
    // Nothing is left to do when stderr is closed too.
    let _ = writeln!(io::stderr(), "perennial: {}", perennial_core::failure::chain(error));
    match error {
        CliError::Configuration(_) => EXIT_CONFIGURATION.into(),
        CliError::Call(_) | CliError::Output(_) => EXIT_FAILED.into(),
    }
}

async fn run(args: Args) -> Result<(), CliError> {
    let Args { connect, command } = args;
    let client = SchedulerClient::new(connect.channel()?);
    match command {
        Command::List { namespace } => list(client, namespace.unwrap_or_default()).await,
        Command::Watch { namespace } => watch::run(client, namespace.unwrap_or_default()).await,
    }
}

/// On stderr, so that a program that reads the table reads none.
fn nothing_found(namespace: &str) -> io::Result<()> {
    match namespace {
        "" => writeln!(io::stderr(), "No access Secrets found."),
        namespace => writeln!(io::stderr(), "No access Secrets found in namespace {namespace}."),
    }
}

async fn list(
    mut client: SchedulerClient<tonic::transport::Channel>,
    namespace: String,
) -> Result<(), CliError> {
    let mut schedules = Vec::new();
    let mut page_token = String::new();
    loop {
        let request =
            ListSchedulesRequest { namespace: namespace.clone(), page_size: 0, page_token };
        let page = client
            .list_schedules(connect::with_deadline(request))
            .await
            .map_err(CliError::call)?
            .into_inner();
        schedules.extend(page.schedules);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if schedules.is_empty() {
        return nothing_found(&namespace).map_err(CliError::Output);
    }
    let lines = table::lines(schedules.iter(), SystemClock.now());
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(CliError::Output)
}
