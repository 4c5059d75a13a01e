//! secret-writer: watches access Secrets, reduces them to records and writes renewed tokens.

use perennial_secret_writer::Args;

fn main() -> std::process::ExitCode {
    perennial_process::start::run(|args: &Args| &args.log, perennial_secret_writer::run)
}
