//! `perennial-lab run`: a lab around one command.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::lab::{Lab, Options};
use crate::process::leash::{self, EXIT_NOT_RUN};
use crate::progress::say;

/// The lab did not become ready (`EX_SOFTWARE` of sysexits).
const EXIT_NOT_READY: u8 = 70;

/// How long COMMAND may take to end after a signal.
const COMMAND_GRACE: Duration = Duration::from_secs(10);

/// Runs COMMAND in a lab; returns the exit code.
///
/// # Errors
/// Signals cannot be handled.
pub async fn run(options: Options, command: &[String]) -> Result<u8> {
    let mut signals = Signals::new()?;
    let mut lab = match begin(options, &mut signals).await {
        Ok(lab) => lab,
        Err(code) => return Ok(code),
    };
    say(format!("ready: {}", lab.dir().root().display()));
    let end = match start(command, &lab) {
        Ok(child) => wait(child, &mut signals).await?,
        Err(error) => {
            say(format!("{error:#}"));
            End::Itself(EXIT_NOT_RUN)
        }
    };
    // Nobody looks for a mistake after Ctrl-C.
    if matches!(end, End::Itself(code) if code != 0) {
        lab.keep_dir();
    }
    lab.stop().await?;
    Ok(match end {
        End::Itself(code) => code,
        End::Interrupted(signal) => exit_code_of_signal(signal),
    })
}

/// Starts a lab, unless a signal comes first.
///
/// # Errors
/// The exit code: the lab did not become ready, and that has been said; or there was a signal.
pub(crate) async fn begin(options: Options, signals: &mut Signals) -> Result<Lab, u8> {
    let started = tokio::select! {
        started = Lab::start(options) => started,
        // Dropping the half-started lab ends its processes.
        signal = signals.next() => return Err(exit_code_of_signal(signal)),
    };
    started.map_err(|error| {
        say(format!("not ready: {error:#}"));
        EXIT_NOT_READY
    })
}

/// How COMMAND ended.
enum End {
    /// With this exit code.
    Itself(u8),
    /// Because the lab was asked to end.
    Interrupted(Signal),
}

fn start(command: &[String], lab: &Lab) -> Result<Child> {
    let (program, args) = command.split_first().context("no COMMAND")?;
    let environment = lab.environment()?;
    let mut command = Command::from(leash::command(program.as_ref())?);
    command.args(args).envs(environment).kill_on_drop(true);
    command.spawn().with_context(|| format!("failed to run {program}"))
}

/// Waits for COMMAND; passes a signal on and then waits for a while only.
async fn wait(mut child: Child, signals: &mut Signals) -> Result<End> {
    let signal = tokio::select! {
        status = child.wait() => {
            let status = status.context("failed to wait for COMMAND")?;
            return Ok(End::Itself(exit_code(status)));
        }
        signal = signals.next() => signal,
    };
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // Ctrl-C reached it already, and it may have ended by now.
        let _ = kill_process(pid, signal);
    }
    if tokio::time::timeout(COMMAND_GRACE, child.wait()).await.is_err() {
        child.kill().await.context("failed to kill COMMAND")?;
    }
    Ok(End::Interrupted(signal))
}

/// As a shell has it: 128 and the signal for one that was killed.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

pub(crate) fn exit_code_of_signal(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(1)
}

/// The signals that end a lab.
pub(crate) struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("failed to listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code_of_signal(Signal::TERM), 143);
    }
}
