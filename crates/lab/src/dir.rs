//! The scratch folder of a lab, `LAB_DIR`, and what lies where in it.
//!
//! `logs/<process>.log`, `certs/<service>.{crt,key}` and `certs/ca.crt`, `tls/<service>/` (the
//! `--tls-dir` of a service), `authority/` (who signs them), `run/<process>.{pid,hold,env,flags}`,
//! `run/<service>.admin` (its admin port), `run/<shoot>.{proxy,proxied,address,addressed}`, `clusters/<name>/` (keys
//! of an API server), `kubeconfigs/`, `etcd/`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// How much of a log an error shows.
const TAIL_LINES: usize = 15;

/// Paths below the scratch folder of one lab. Cheap to clone; removes nothing.
#[derive(Clone, Debug)]
pub struct LabDir(PathBuf);

impl LabDir {
    /// Takes over a folder and makes the sub-folders.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn create(root: &Path) -> Result<Self> {
        let dir = Self(fs::canonicalize(root).context("failed to resolve the lab's folder")?);
        for folder in ["logs", "certs", "tls", "run", "clusters", "kubeconfigs", "etcd"] {
            let path = dir.0.join(folder);
            fs::create_dir_all(&path)
                .with_context(|| format!("failed to make {}", path.display()))?;
        }
        Ok(dir)
    }

    /// The folder of a lab that runs already, from `LAB_DIR`.
    ///
    /// # Errors
    /// `LAB_DIR` is not set or names no folder.
    pub fn of_running_lab() -> Result<Self> {
        let path = std::env::var_os("LAB_DIR").context(
            "LAB_DIR is not set: this acts on a running lab, from inside `perennial-lab run … -- COMMAND`",
        )?;
        let path = PathBuf::from(path);
        anyhow::ensure!(path.join("run").is_dir(), "LAB_DIR={} is no lab", path.display());
        Ok(Self(path))
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.0.join("certs")
    }

    /// The authority that signs the gRPC certificates, with its key.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.0.join("authority")
    }

    /// The address of a service's admin port.
    #[must_use]
    pub fn admin_file(&self, service: &str) -> PathBuf {
        self.0.join("run").join(format!("{service}.admin"))
    }

    /// The `--tls-dir` of a service.
    #[must_use]
    pub fn tls(&self, service: &str) -> PathBuf {
        self.0.join("tls").join(service)
    }

    /// Keys and certificates of an API server.
    #[must_use]
    pub fn cluster(&self, name: &str) -> PathBuf {
        self.0.join("clusters").join(name)
    }

    #[must_use]
    pub fn kubeconfig(&self, name: &str) -> PathBuf {
        self.0.join("kubeconfigs").join(format!("{name}.yaml"))
    }

    /// The seed token of a service.
    #[must_use]
    pub fn token(&self, service: &str) -> PathBuf {
        self.0.join("kubeconfigs").join(format!("{service}.token"))
    }

    #[must_use]
    pub fn log(&self, process: &str) -> PathBuf {
        self.0.join("logs").join(format!("{process}.log"))
    }

    #[must_use]
    pub fn pid_file(&self, process: &str) -> PathBuf {
        self.0.join("run").join(format!("{process}.pid"))
    }

    /// While this file is there, the process is not started again.
    #[must_use]
    pub fn hold_file(&self, process: &str) -> PathBuf {
        self.0.join("run").join(format!("{process}.hold"))
    }

    /// More variables for the process, one `NAME=VALUE` a line, read at each start of it.
    #[must_use]
    pub fn env_file(&self, process: &str) -> PathBuf {
        self.0.join("run").join(format!("{process}.env"))
    }

    /// More flags for the process, one a line, read at each start of it; they come last.
    #[must_use]
    pub fn flags_file(&self, process: &str) -> PathBuf {
        self.0.join("run").join(format!("{process}.flags"))
    }

    /// What is wanted of a proxy.
    #[must_use]
    pub fn proxy_file(&self, proxy: &str) -> PathBuf {
        self.0.join("run").join(format!("{proxy}.proxy"))
    }

    /// What a proxy does now.
    #[must_use]
    pub fn proxy_state_file(&self, proxy: &str) -> PathBuf {
        self.0.join("run").join(format!("{proxy}.proxied"))
    }

    /// Where a proxy is wanted to listen.
    #[must_use]
    pub fn proxy_address_file(&self, proxy: &str) -> PathBuf {
        self.0.join("run").join(format!("{proxy}.address"))
    }

    /// Where a proxy listens now.
    #[must_use]
    pub fn proxy_addressed_file(&self, proxy: &str) -> PathBuf {
        self.0.join("run").join(format!("{proxy}.addressed"))
    }

    #[must_use]
    pub fn etcd_data(&self) -> PathBuf {
        self.0.join("etcd")
    }

    /// The last lines of a log, for an error; never fails.
    #[must_use]
    pub fn log_tail(&self, process: &str) -> String {
        let path = self.log(process);
        let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match text {
            Ok(text) => format!("end of {}:\n{}", path.display(), tail(&text, TAIL_LINES)),
            Err(error) => format!("{}: {error}", path.display()),
        }
    }
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Writes a file that only we may read, in one step: a reader sees the old or the new one.
///
/// # Errors
/// The folder is missing or not writable.
pub fn write_private(path: &Path, content: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let mut file = fs::OpenOptions::new();
        let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content.as_bytes())?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }

    #[test]
    fn a_key_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/tls.key");
        write_private(&path, "key").unwrap();

        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
