//! `perennial`: the command line of operators.

use std::process::ExitCode;

use clap::Parser as _;
use perennial_cli::Args;

fn main() -> ExitCode {
    perennial_cli::main(Args::parse())
}
