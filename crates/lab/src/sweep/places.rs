//! Where a run leaves things behind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Finding, Sweep};

/// A folder or file of a lab in which credentials belong.
#[derive(Clone, Copy, Debug)]
pub struct Spared {
    /// Path below `LAB_DIR`.
    pub path: &'static str,
    /// Why it holds a credential.
    pub why: &'static str,
}

/// What is left out of a sweep of `LAB_DIR`, and nothing else.
pub const SPARED: [Spared; 4] = [
    Spared { path: "etcd", why: "the Secrets themselves are stored here" },
    Spared {
        path: "kubeconfigs/token-issuer.token",
        why: "the token-issuer's token for the seed, as a Pod has it mounted",
    },
    Spared {
        path: "kubeconfigs/secret-writer.token",
        why: "the secret-writer's token for the seed, as a Pod has it mounted",
    },
    Spared {
        path: "kubeconfigs/scheduler.token",
        why: "the scheduler's token for the seed, as a Pod has it mounted",
    },
];

/// What was looked through, and what was found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Tokens, where none should be.
    pub findings: Vec<Finding>,
    /// How many places were looked at.
    pub places: usize,
    /// How much was in them.
    pub bytes: usize,
}

impl Swept {
    /// Looks at one more place.
    pub fn look(&mut self, sweep: &Sweep, content: &[u8], place: &str) {
        self.places += 1;
        self.bytes += content.len();
        self.findings.extend(sweep.look(content, place));
    }

    /// Looks at every file below `root` but those `spared`.
    ///
    /// # Errors
    /// A folder or file cannot be read, or nothing is there that is to be spared.
    pub fn folder(&mut self, sweep: &Sweep, root: &Path, spared: &[Spared]) -> Result<()> {
        let spared: Vec<PathBuf> = spared.iter().map(|spared| root.join(spared.path)).collect();
        for path in &spared {
            anyhow::ensure!(path.exists(), "{} is spared and not there", path.display());
        }
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
            for entry in entries {
                let path = entry?.path();
                if spared.contains(&path) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs::read(&path).with_context(|| path.display().to_string())?;
                    let place = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                    self.look(sweep, &content, &place);
                }
            }
        }
        Ok(())
    }

    /// Looks at arguments and environment of a running process.
    ///
    /// # Errors
    /// It is gone, or not ours.
    pub fn process(&mut self, sweep: &Sweep, pid: i32) -> Result<()> {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            let content = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
            self.look(sweep, &content, &path);
        }
        Ok(())
    }
}
