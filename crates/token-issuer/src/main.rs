//! The token-issuer as a process.

use std::process::ExitCode;

use perennial_token_issuer::{args::Args, run};

fn main() -> ExitCode {
    perennial_process::start::run(|args: &Args| &args.log, run)
}
