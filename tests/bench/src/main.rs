//! `bench`, see [`perennial_bench::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    perennial_bench::cli::main()
}
