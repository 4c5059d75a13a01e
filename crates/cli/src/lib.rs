//! `perennial`: the command line of operators.
//!
//! [`connect`] says where the services are and who we are. Each command is a module: it asks, and
//! hands messages to a pure part that makes text of them ([`table`], [`explain::text`],
//! [`status::text`]) or to [`json`]. There are no colours, so nothing depends on the terminal but
//! the live table.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use perennial_core::failure;

pub mod args;
pub mod budget;
pub mod campaign;
pub mod connect;
pub mod error;
pub mod exit;
pub mod explain;
pub mod forecast;
pub mod json;
pub mod kubeconfig;
pub mod list;
pub mod live;
pub mod moment;
pub mod pause;
pub mod renew;
pub mod revoke;
pub mod status;
pub mod stop;
pub mod table;
pub mod watch;

use args::{Args, Command};
use error::CliError;
use exit::Exit;

/// Runs the command line and says in one line what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => {
            let exit = if told.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = told.print(); // a closed stderr cannot be told to anybody
            return exit.into();
        }
    };
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(CliError::Output(error)),
    };
    outcome.unwrap_or_else(|error| tell(&error)).into()
}

fn tell(error: &CliError) -> Exit {
    if error.is_closed_pipe() {
        return Exit::Ok;
    }
    // Nothing is left to do when stderr is closed too.
    let _ = writeln!(io::stderr(), "perennial: {}", failure::chain(error).replace('\n', " "));
    error.exit()
}

async fn run(args: Args) -> Result<Exit, CliError> {
    let Args { connect, command } = args;
    match command {
        Command::Status(args) => status::run(&connect, args).await,
        Command::List(args) => list::run(connect.scheduler()?, args).await.map(|()| Exit::Ok),
        Command::Explain(args) => explain::run(connect.scheduler()?, args).await.map(|()| Exit::Ok),
        Command::Forecast(args) => {
            forecast::run(connect.scheduler()?, args).await.map(|()| Exit::Ok)
        }
        Command::Renew(args) => renew::run(connect.scheduler()?, args).await,
        Command::Stop(args) => stop::stop(connect.scheduler()?, args).await.map(|()| Exit::Ok),
        Command::Resume(args) => stop::resume(connect.scheduler()?, args).await.map(|()| Exit::Ok),
        Command::Pause(args) => pause::pause(connect.scheduler()?, args).await,
        Command::Revoke(args) => revoke::run(connect.scheduler()?, args).await,
        Command::Watch(args) => watch::run(connect.scheduler()?, args).await.map(|()| Exit::Ok),
        Command::Budget(args) => budget::run(connect.scheduler()?, args).await,
        Command::Campaign(args) => campaign::run(connect.scheduler()?, args.action).await,
        Command::RotateKeys(args) => campaign::rotate(connect.scheduler()?, args).await,
        Command::Kubeconfig(args) => kubeconfig::run(&connect, args).await.map(|()| Exit::Ok),
    }
}
