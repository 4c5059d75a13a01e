//! The task that keeps one process running.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::{Exits, Spec, leash};
use crate::dir::{LabDir, write_private};

/// A process that ran this long is well again: its next restart comes at once.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// First pause between restarts; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// Longest pause between restarts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How soon a process that was held is started again.
const HOLD_BEAT: Duration = Duration::from_millis(50);

/// Variables a child inherits. No other: an ambient `KUBECONFIG`, proxy or `PERENNIAL_*` setting
/// must not change what a lab does, and the admin's kubeconfig is given to nobody. Whoever wants
/// more for one process writes it into `run/<name>.env`.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "GODEBUG"];

/// Starts it again and again, until the task is dropped.
pub(super) async fn keep(spec: Spec, dir: LabDir, exits: watch::Sender<Exits>) {
    let mut pause = Duration::ZERO;
    loop {
        while dir.hold_file(&spec.name).exists() {
            forget_pid(&spec.name, &dir);
            pause = Duration::ZERO;
            tokio::time::sleep(HOLD_BEAT).await;
        }
        let (last, well) = run_once(&spec, &dir).await;
        exits.send_modify(|exits| *exits = Exits { count: exits.count + 1, last });
        if well {
            pause = Duration::ZERO;
        }
        if !pause.is_zero() {
            // Nobody may signal a number that the kernel has given to somebody else by now.
            forget_pid(&spec.name, &dir);
            tokio::time::sleep(pause).await;
        }
        pause = (pause * 2).clamp(PAUSE_FIRST, PAUSE_MAX);
    }
}

/// Runs it until it ends: how it ended, and whether it had been running for a while.
async fn run_once(spec: &Spec, dir: &LabDir) -> (String, bool) {
    let mut child = match spawn(spec, dir) {
        Ok(child) => child,
        Err(error) => return (format!("{error:#}"), false),
    };
    let (ended, well) = match tokio::time::timeout(WELL_AFTER, child.wait()).await {
        Ok(ended) => (ended, false),
        Err(_) => (child.wait().await, true),
    };
    (ended.map_or_else(|error| error.to_string(), |status| status.to_string()), well)
}

fn spawn(spec: &Spec, dir: &LabDir) -> Result<Child> {
    let path = dir.log(&spec.name);
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.with_context(|| format!("failed to open {}", path.display()))?;
    let mut command = Command::from(leash::command(&spec.program)?);
    command
        .args(&spec.args)
        .args(lines(&dir.flags_file(&spec.name))?)
        .env_clear()
        .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(more_variables(&spec.name, dir)?)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("failed to share the log")?)
        .stderr(log)
        // Ctrl-C in the terminal is for the lab, which then ends its processes in order.
        .process_group(0)
        .kill_on_drop(true);
    let child =
        command.spawn().with_context(|| format!("failed to start {}", spec.program.display()))?;
    let pid = child.id().context("a process that was not waited for has an id")?;
    write_private(&dir.pid_file(&spec.name), &format!("{pid}\n"))?;
    Ok(child)
}

/// What `run/<name>.env` says; nothing where it is not there.
fn more_variables(name: &str, dir: &LabDir) -> Result<Vec<(String, String)>> {
    let path = dir.env_file(name);
    let pair = |line: String| {
        let pair = line.split_once('=').with_context(|| format!("{}: {line}", path.display()))?;
        Ok((pair.0.to_owned(), pair.1.to_owned()))
    };
    lines(&path)?.into_iter().map(pair).collect()
}

/// The lines of a file; none where it is not there.
fn lines(path: &Path) -> Result<Vec<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn forget_pid(name: &str, dir: &LabDir) {
    // It may be gone already, and a folder that vanished means that the lab ends.
    let _ = std::fs::remove_file(dir.pid_file(name));
}
