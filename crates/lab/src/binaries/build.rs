//! One `go build`, with a lock against a second builder and news for the one who waits.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::process::{Child, Command};

use crate::progress::say;
use crate::repo;

/// Longest build we wait for: ten times what two cores need for the largest.
const BUILD_MAX: Duration = Duration::from_secs(60 * 60);

/// Between two lines of news.
const NEWS: Duration = Duration::from_secs(10);

/// Said when `go` cannot be run.
const NO_GO: &str = "Go is missing: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder \
                     with kube-apiserver and etcd";

/// A program that a `go.mod` of this repository pins.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name of the file.
    pub name: &'static str,
    /// Folder of the `go.mod`, from the root of the repository.
    pub module: &'static str,
    /// Go package of its `main`.
    pub package: &'static str,
    pub ldflags: String,
    /// How long it takes as a rule, for the person who waits.
    pub usual: &'static str,
}

impl Program {
    /// The program in `folder`, built if it is not there.
    ///
    /// # Errors
    /// Go is missing, the build failed or took over an hour, or `folder` is not writable.
    pub async fn find_or_build(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(self.name);
        if path.is_file() {
            return Ok(path);
        }
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to make {}", folder.display()))?;
        let _lock = self.lock(folder).await?;
        // The one who held the lock may have built it.
        if !path.is_file() {
            self.build(&path).await.with_context(|| format!("failed to build {}", self.name))?;
        }
        Ok(path)
    }

    /// Held as long as the file is open, so a builder that is killed blocks nobody.
    async fn lock(&self, folder: &Path) -> Result<File> {
        let path = folder.join(format!("{}.lock", self.name));
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let file = file.with_context(|| format!("failed to open {}", path.display()))?;
        let mut news = tokio::time::interval(NEWS);
        for _ in 0..BUILD_MAX.as_secs() / NEWS.as_secs() {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    say(format!("{}: another build runs, waiting", self.name))
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).context("failed to lock the build");
                }
            }
            news.tick().await;
        }
        bail!("{} is still locked after {} s", path.display(), BUILD_MAX.as_secs())
    }

    /// Builds beside the final name and renames, so that an interrupted build leaves no half program.
    async fn build(&self, path: &Path) -> Result<()> {
        let temporary = path.with_file_name(format!("{}.building", self.name));
        say(format!("building {} once, about {}", self.name, self.usual));
        let mut child = self.start(&temporary)?;
        let wait = self.wait_with_news(&mut child);
        let status = tokio::time::timeout(BUILD_MAX, wait)
            .await
            .map_err(|_| anyhow!("not done after {} s", BUILD_MAX.as_secs()))??;
        if !status.success() {
            bail!("`go build` ended with {status}, see above; Go 1.26 or newer is needed");
        }
        std::fs::rename(&temporary, path).context("failed to rename the new program")
    }

    fn start(&self, output: &Path) -> Result<Child> {
        let mut go = Command::new("go");
        go.arg("build")
            .args(["-trimpath", "-ldflags", &self.ldflags, "-o"])
            .arg(output)
            .arg(self.package)
            .current_dir(repo::root()?.join(self.module))
            .kill_on_drop(true);
        go.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!(NO_GO),
            _ => anyhow!(error).context("failed to run go"),
        })
    }

    async fn wait_with_news(&self, child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
        let mut elapsed = Duration::ZERO;
        loop {
            if let Ok(status) = tokio::time::timeout(NEWS, child.wait()).await {
                return status;
            }
            elapsed += NEWS;
            say(format!("building {}: {} s so far", self.name, elapsed.as_secs()));
        }
    }
}
