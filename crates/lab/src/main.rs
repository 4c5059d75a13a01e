//! The binary `perennial-lab`.

use std::process::ExitCode;

/// One thread: the leash of a child (`process::leash`) holds on to the thread that started it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    perennial_lab::cli::main().await
}
