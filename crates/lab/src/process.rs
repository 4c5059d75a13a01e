//! A process that is kept running, as a Deployment would.
//!
//! It is started again when it dies: at once the first time, then with a growing pause. While
//! `run/<name>.hold` is there it stays down. `run/<name>.pid` is written at each start; it goes when
//! the process is down for longer than a moment. So [`control`] can act from another process, and
//! the lab itself uses the same functions. `run/<name>.env` gives it more variables,
//! `run/<name>.flags` more flags.

pub mod control;
mod keeper;
pub mod leash;

use std::path::PathBuf;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dir::LabDir;

/// What to run.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Name of its log and pid file.
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<String>,
}

/// How often a process ended, and how the last time.
#[derive(Clone, Debug, Default)]
pub struct Exits {
    pub count: u32,
    pub last: String,
}

/// A process that is kept running until this is dropped, which kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    dir: LabDir,
    exits: watch::Receiver<Exits>,
    _keeper: JoinSet<()>,
}

impl Process {
    /// Starts it and keeps it running. Must be called within a runtime; the process ends with it.
    #[must_use]
    pub fn keep_running(spec: Spec, dir: &LabDir) -> Self {
        let (sender, exits) = watch::channel(Exits::default());
        let name = spec.name.clone();
        let mut task = JoinSet::new();
        task.spawn(keeper::keep(spec, dir.clone(), sender));
        Self { name, dir: dir.clone(), exits, _keeper: task }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it ended so far.
    #[must_use]
    pub fn exits(&self) -> Exits {
        self.exits.borrow().clone()
    }

    /// The current process id; none while it is down.
    ///
    /// # Errors
    /// The pid file is damaged.
    pub fn pid(&self) -> Result<Option<i32>> {
        control::pid(&self.name, &self.dir)
    }

    /// Kills it with SIGKILL, as the kernel would; it is started again at once. Returns the old pid.
    ///
    /// # Errors
    /// It is down.
    pub fn kill(&self) -> Result<i32> {
        control::kill(&self.name, &self.dir)
    }

    /// SIGSTOP: it stays, keeps its connections, and does nothing until [`Self::thaw`].
    ///
    /// # Errors
    /// It is down.
    pub fn freeze(&self) -> Result<()> {
        control::freeze(&self.name, &self.dir)
    }

    /// Lets it go on after [`Self::freeze`].
    ///
    /// # Errors
    /// It is down.
    pub fn thaw(&self) -> Result<()> {
        control::thaw(&self.name, &self.dir)
    }

    /// Ends it in order; returns the pid of its successor.
    ///
    /// # Errors
    /// It is down, or it neither ends nor starts.
    pub async fn restart(&self) -> Result<i32> {
        control::restart(&self.name, &self.dir).await
    }

    /// Ends it in order and keeps it down until [`Self::start`].
    ///
    /// # Errors
    /// It does not even end by SIGKILL.
    pub async fn stop(&self) -> Result<()> {
        control::stop(&self.name, &self.dir).await
    }

    /// Kills it for good; back when it is gone.
    ///
    /// # Errors
    /// It is not gone after ten seconds.
    pub async fn discard(&self) -> Result<()> {
        control::discard(&self.name, &self.dir).await
    }

    /// Starts it again after [`Self::stop`]; returns the new pid.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self) -> Result<i32> {
        control::start(&self.name, &self.dir).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::poll::{Look, until};

    fn sleeper(dir: &LabDir) -> Process {
        let args = vec!["600".to_owned()];
        Process::keep_running(Spec { name: "sleeper".into(), program: "sleep".into(), args }, dir)
    }

    async fn pid_other_than(old: Option<i32>, process: &Process) -> i32 {
        let look = async || match process.pid()? {
            Some(pid) if Some(pid) != old => Ok(Look::Done(pid)),
            other => Ok(Look::Waiting(format!("{other:?}"))),
        };
        until("a new pid", Duration::from_secs(10), look).await.unwrap()
    }

    #[tokio::test]
    async fn a_killed_process_is_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(&LabDir::create(folder.path()).unwrap());
        let old = pid_other_than(None, &process).await;

        assert_eq!(process.kill().unwrap(), old);
        pid_other_than(Some(old), &process).await;
        assert_eq!(process.exits().count, 1);
        assert!(process.exits().last.contains("signal: 9"));
    }

    #[tokio::test]
    async fn a_stopped_process_stays_down_until_it_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(&LabDir::create(folder.path()).unwrap());
        let old = pid_other_than(None, &process).await;
        process.stop().await.unwrap();

        assert_eq!(process.pid().unwrap(), None);
        assert_ne!(process.start().await.unwrap(), old);
    }

    #[tokio::test]
    async fn variables_of_a_process_are_read_at_its_start_and_no_others_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let dir = LabDir::create(folder.path()).unwrap();
        std::fs::write(dir.env_file("env"), "FAILPOINTS=here=return(/a)\n").unwrap();
        let spec = Spec { name: "env".into(), program: "env".into(), args: vec![] };
        let process = Process::keep_running(spec, &dir);
        process.exits.clone().wait_for(|exits| exits.count > 0).await.unwrap();
        let log = std::fs::read_to_string(dir.log("env")).unwrap();

        assert!(log.lines().any(|line| line == "FAILPOINTS=here=return(/a)"), "{log}");
        assert!(!log.contains("CARGO_MANIFEST_DIR"), "{log}");
    }

    #[tokio::test]
    async fn a_program_that_is_missing_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let dir = LabDir::create(folder.path()).unwrap();
        let program = folder.path().join("no-such-program");
        let process = Process::keep_running(Spec { name: "x".into(), program, args: vec![] }, &dir);
        process.exits.clone().wait_for(|exits| exits.count > 0).await.unwrap();
        let seen = format!("{} {}", process.exits().last, dir.log_tail("x"));

        assert!(seen.contains("no-such-program"), "{seen}");
    }
}
