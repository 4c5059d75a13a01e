//! Children that end even when the lab is killed with SIGKILL.
//!
//! Dropping a child kills it, but nothing is dropped by SIGKILL. On Linux a process can ask for a
//! signal at the death of the thread that started it; between fork and exec only unsafe code could
//! ask, which this workspace forbids. So `perennial-lab leash PARENT -- PROGRAM…` asks and becomes
//! the program: same pid. Where that binary is not at hand (some tests), dropping is all there is.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The shell's code for a command that cannot be run.
pub const EXIT_NOT_RUN: u8 = 127;

/// The program, on a leash where possible.
///
/// # Errors
/// The running program cannot be found.
pub fn command(program: &Path) -> Result<Command> {
    let exe = std::env::current_exe().context("failed to find the running program")?;
    let Some(lab) = lab_near(&exe).filter(|_| cfg!(target_os = "linux")) else {
        return Ok(Command::new(program));
    };
    let mut command = Command::new(lab);
    command.arg("leash").arg(std::process::id().to_string()).arg("--").arg(program);
    Ok(command)
}

/// The running program if it is perennial-lab, else the one beside it (a test runs from `deps/`).
fn lab_near(exe: &Path) -> Option<PathBuf> {
    exe.ancestors().skip(1).take(2).map(|folder| folder.join("perennial-lab")).find(|p| p.is_file())
}

/// Becomes `program` and dies with the parent. Returns only if that failed.
#[must_use]
pub fn become_program(parent: i32, program: &[String]) -> io::Error {
    if let Err(error) = tie_to_parent(parent) {
        return error;
    }
    match program.split_first() {
        Some((program, args)) => {
            let error = Command::new(program).args(args).exec();
            io::Error::new(error.kind(), format!("failed to start {program}: {error}"))
        }
        None => io::Error::from(io::ErrorKind::InvalidInput),
    }
}

#[cfg(target_os = "linux")]
fn tie_to_parent(parent: i32) -> io::Result<()> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before we asked; then no signal comes.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the lab is gone"))
    }
}

#[cfg(not(target_os = "linux"))]
fn tie_to_parent(_parent: i32) -> io::Result<()> {
    Ok(())
}
