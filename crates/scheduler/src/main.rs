//! scheduler: decides which token is renewed when, and never sees one.

use std::process::ExitCode;

use perennial_process::start;
use perennial_scheduler::{args::Args, run};

fn main() -> ExitCode {
    start::run(|args: &Args| &args.log, run)
}
