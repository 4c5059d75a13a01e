//! Acting on a process of a lab by its name, from within the lab or from another process.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::dir::{LabDir, write_private};
use crate::poll::{Look, until};

/// How long an orderly end may take before SIGKILL: the services drain for up to 20 s.
const STOP_GRACE: Duration = Duration::from_secs(25);

/// How long the keeper may need to see that a process ended, or to start it.
const KEEPER_MAX: Duration = Duration::from_secs(10);

/// The current process id; none while it is down.
///
/// # Errors
/// The pid file is damaged.
pub fn pid(name: &str, dir: &LabDir) -> Result<Option<i32>> {
    let path = dir.pid_file(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let pid = text.trim().parse().with_context(|| format!("{}: no pid", path.display()))?;
            Ok(Some(pid))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

/// Sends a signal; returns the pid it went to.
///
/// # Errors
/// The process is down.
pub fn signal(name: &str, signal: Signal, dir: &LabDir) -> Result<i32> {
    let raw = pid(name, dir)?.with_context(|| format!("{name} is not running"))?;
    let pid = Pid::from_raw(raw).with_context(|| format!("{raw} is no process id"))?;
    kill_process(pid, signal).with_context(|| format!("failed to signal {name}, process {raw}"))?;
    Ok(raw)
}

/// SIGKILL; the process is started again at once.
///
/// # Errors
/// As [`signal`].
pub fn kill(name: &str, dir: &LabDir) -> Result<i32> {
    signal(name, Signal::KILL, dir)
}

/// SIGSTOP: the process stays, keeps its connections, and does nothing.
///
/// # Errors
/// As [`signal`].
pub fn freeze(name: &str, dir: &LabDir) -> Result<()> {
    signal(name, Signal::STOP, dir).map(drop)
}

/// SIGCONT: the process goes on where it was frozen.
///
/// # Errors
/// As [`signal`].
pub fn thaw(name: &str, dir: &LabDir) -> Result<()> {
    signal(name, Signal::CONT, dir).map(drop)
}

/// Ends the process with SIGTERM, after the grace with SIGKILL, and keeps it down.
///
/// # Errors
/// The lab does not take notice: it does not run any more.
pub async fn stop(name: &str, dir: &LabDir) -> Result<()> {
    write_private(&dir.hold_file(name), "")?;
    if pid(name, dir)?.is_none() {
        return Ok(());
    }
    // One that died in this moment cannot be signalled, and is down as it should be.
    let _ = signal(name, Signal::TERM, dir);
    // One that is frozen takes notice only when it goes on.
    let _ = thaw(name, dir);
    if wait_for_end(name, STOP_GRACE, dir).await.is_ok() {
        return Ok(());
    }
    let _ = kill(name, dir);
    wait_for_end(name, KEEPER_MAX, dir).await
}

/// Lets the process run again; returns its pid.
///
/// # Errors
/// It does not start.
pub async fn start(name: &str, dir: &LabDir) -> Result<i32> {
    let hold = dir.hold_file(name);
    if hold.exists() {
        std::fs::remove_file(&hold)
            .with_context(|| format!("failed to remove {}", hold.display()))?;
    }
    let look = async || Ok(pid(name, dir)?.map_or(Look::Waiting("no pid".to_owned()), Look::Done));
    until(&format!("start of {name}"), KEEPER_MAX, look).await
}

/// Ends the process in order and waits for its successor; returns the new pid.
///
/// # Errors
/// It is down, or it neither ends nor starts.
pub async fn restart(name: &str, dir: &LabDir) -> Result<i32> {
    let old = signal(name, Signal::TERM, dir)?;
    if let Ok(new) = wait_for_successor(old, name, STOP_GRACE, dir).await {
        return Ok(new);
    }
    let _ = kill(name, dir);
    wait_for_successor(old, name, KEEPER_MAX, dir).await
}

/// Waits until the process runs under another pid than `old`.
///
/// # Errors
/// It does not within `bound`.
pub async fn wait_for_successor(
    old: i32,
    name: &str,
    bound: Duration,
    dir: &LabDir,
) -> Result<i32> {
    let look = async || {
        Ok(match pid(name, dir)? {
            Some(pid) if pid != old => Look::Done(pid),
            other => Look::Waiting(format!("pid {other:?}")),
        })
    };
    until(&format!("restart of {name}"), bound, look).await
}

/// Kills the process and keeps it down; back when it is gone.
///
/// # Errors
/// The lab does not take notice: it does not run any more.
pub async fn discard(name: &str, dir: &LabDir) -> Result<()> {
    write_private(&dir.hold_file(name), "")?;
    // One that is down already cannot be signalled, and is as it should be.
    let _ = kill(name, dir);
    wait_for_end(name, KEEPER_MAX, dir).await
}

async fn wait_for_end(name: &str, bound: Duration, dir: &LabDir) -> Result<()> {
    let look = async || {
        let pid = pid(name, dir)?;
        Ok(pid.map_or(Look::Done(()), |pid| Look::Waiting(format!("process {pid} is there"))))
    };
    until(&format!("end of {name}"), bound, look).await
}
