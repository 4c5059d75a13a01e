//! A service as a process on its own, without a lab to start it again.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use perennial_lab::{
    http,
    poll::{Look, until},
    repo,
    service::SERVICES,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Longest wait for an end: 30 s of patience with a seed that refuses, on a busy machine.
const END_MAX: Duration = Duration::from_secs(90);

pub(super) struct Program {
    child: Child,
    folder: TempDir,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    /// Lines of level ERROR, and those of clap.
    pub(super) errors: usize,
    /// The last of them.
    pub(super) said: String,
    pub(super) stderr: String,
}

impl Program {
    pub(super) fn start(service: &str, args: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stderr = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let program = repo::folder_with(&SERVICES).unwrap().join(service);
        let child = Command::new(program)
            .args(args)
            .env_clear() // nothing of ours may set a flag
            .stderr(Stdio::from(stderr))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    pub(super) async fn ended(mut self) -> Ended {
        let status = tokio::time::timeout(END_MAX, self.child.wait()).await;
        let stderr = self.log();
        let code = status.unwrap_or_else(|_| panic!("still runs: {stderr}")).unwrap().code();
        let error = |line: &&str| line.contains("ERROR ") || line.starts_with("error: ");
        let errors: Vec<&str> = stderr.lines().filter(error).collect();
        let said = errors.last().copied().unwrap_or_default();
        let said = said.split_once("ERROR ").map_or(said, |(_, said)| said).to_owned();
        Ended { code: code.unwrap_or(-1), errors: errors.len(), said, stderr }
    }

    /// Ends it as a Pod is ended.
    pub(super) async fn terminate(self) -> Ended {
        let pid = self.child.id().unwrap();
        let killed = Command::new("kill").arg(pid.to_string()).status().await.unwrap();
        assert!(killed.success());
        self.ended().await
    }

    /// Waits until `/readyz` says something with these words, and returns it.
    pub(super) async fn wait_readyz(&self, words: &str, admin: SocketAddr) -> String {
        let look = async || {
            Ok(match http::get("/readyz", admin).await {
                Ok((_, body)) if body.contains(words) => Look::Done(body),
                Ok((status, body)) => Look::Waiting(format!("{status} {body}{}", self.log())),
                Err(error) => Look::Waiting(format!("{error:#} {}", self.log())),
            })
        };
        until(&format!("/readyz with {words:?}"), crate::house::MOMENT, look).await.unwrap()
    }
}
