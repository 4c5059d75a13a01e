//! client-go: `tests/consumer`, a program of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{Answer, BEAT, CLIENTS, STAGGER, Until, example::ACCOUNT};

const KIND: &str = "client-go";

/// One line of it.
#[derive(Deserialize)]
struct Use {
    client: usize,
    #[serde(default)]
    user: String,
    #[serde(default)]
    token_id: String,
    #[serde(default)]
    error: String,
}

impl Use {
    fn answer(self) -> Answer {
        if !self.error.is_empty() {
            return Err(self.error);
        }
        match self.user == ACCOUNT && !self.token_id.is_empty() {
            true => Ok(self.token_id),
            false => Err(format!("taken for {:?} by the token {:?}", self.user, self.token_id)),
        }
    }
}

/// `-trimpath`, because the API server was built with it: what it is made of is compiled already. No
/// `-buildvcs`, because a checkout of CI may belong to somebody whom git does not trust.
pub(super) async fn build(folder: &Path) -> PathBuf {
    let program = folder.join("consumer");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-buildvcs=false", "-o"]).arg(&program).arg(".");
    let sources = perennial_lab::repo::root().unwrap().join("tests/consumer");
    assert!(go.current_dir(sources).status().await.unwrap().success(), "go build failed");
    program
}

/// Its stdin is its leash: it ends when that is closed, also by the end of the test.
pub(super) async fn run(program: PathBuf, kubeconfig: PathBuf, mut until: Until) {
    let mut command = Command::new(program);
    command
        .arg(format!("-kubeconfig={}", kubeconfig.display()))
        .args([format!("-clients={CLIENTS}"), format!("-stagger={}s", STAGGER.as_secs())])
        .arg(format!("-beat={}s", BEAT.as_secs()))
        .env_clear();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut leash = child.stdin.take();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        tokio::select! {
            () = until.end(), if leash.is_some() => leash = None,
            line = lines.next_line() => match line.unwrap() {
                None => break,
                Some(line) => {
                    let told: Use = serde_json::from_str(&line).unwrap();
                    until.tell(KIND, told.client, told.answer());
                }
            },
        }
    }
    let status = child.wait().await.unwrap();
    assert!(status.success() && leash.is_none(), "the consumer ended by itself: {status}");
}
