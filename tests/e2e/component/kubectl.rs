//! kubectl: a process for each request, as in a script. It reads the token each time.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use tokio::process::Command;

use super::{ANSWER_MAX, Answer, BEAT, Until, taken_for_the_account};

const KIND: &str = "kubectl";

pub(super) async fn run(program: PathBuf, kubeconfig: PathBuf, home: PathBuf, mut until: Until) {
    loop {
        let answer = whoami(&program, &kubeconfig, &home).await;
        until.tell(KIND, 0, answer);
        if !until.pause(BEAT).await {
            return;
        }
    }
}

async fn whoami(program: &Path, kubeconfig: &Path, home: &Path) -> Answer {
    let mut kubectl = Command::new(program);
    kubectl.args(["auth", "whoami", "-o", "json", "--kubeconfig"]).arg(kubeconfig);
    kubectl.env_clear().env("HOME", home).kill_on_drop(true);
    let output = tokio::time::timeout(ANSWER_MAX, kubectl.output());
    let output = output.await.map_err(|_| "no answer")?.unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let review: SelfSubjectReview =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    taken_for_the_account(review.status.and_then(|status| status.user_info).unwrap_or_default())
}
