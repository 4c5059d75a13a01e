//! kube-apiserver and etcd: found, or built from `tests/cluster`, which pins both.

pub mod build;
pub mod cache;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use self::build::Program;

/// The version of kube-apiserver in `tests/cluster/go.mod`; a test compares them.
pub const KUBERNETES_VERSION: &str = "v1.37.2";

/// Paths of the two programs.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub kube_apiserver: PathBuf,
    pub etcd: PathBuf,
}

impl Binaries {
    /// Takes them from `KUBEBUILDER_ASSETS` if that is set, else from the cache of the user, else
    /// builds them into it: seven minutes on two cores, once.
    ///
    /// # Errors
    /// `KUBEBUILDER_ASSETS` lacks one, Go is missing, or a build failed.
    pub async fn find_or_build() -> Result<Self> {
        if let Some(folder) = assets() {
            return Self::in_assets(&folder);
        }
        let folder = kubernetes()?;
        let etcd = Program {
            name: "etcd",
            module: "tests/cluster",
            package: "go.etcd.io/etcd/server/v3",
            ldflags: "-s -w".to_owned(),
            usual: "a minute on two cores",
        };
        let kube_apiserver = Program {
            name: "kube-apiserver",
            module: "tests/cluster",
            package: "k8s.io/kubernetes/cmd/kube-apiserver",
            ldflags: stamp(),
            usual: "six minutes on two cores",
        };
        Ok(Self {
            etcd: etcd.find_or_build(&folder).await?,
            kube_apiserver: kube_apiserver.find_or_build(&folder).await?,
        })
    }

    fn in_assets(folder: &Path) -> Result<Self> {
        let found =
            Self { kube_apiserver: folder.join("kube-apiserver"), etcd: folder.join("etcd") };
        for path in [&found.kube_apiserver, &found.etcd] {
            if !path.is_file() {
                bail!("KUBEBUILDER_ASSETS is set, but there is no {}", path.display());
            }
        }
        Ok(found)
    }
}

/// kubectl, of the version of the API servers: from `KUBEBUILDER_ASSETS` if it is there, else from the
/// cache of the user, else built into it.
///
/// # Errors
/// Go is missing, or the build failed.
pub async fn kubectl() -> Result<PathBuf> {
    let found = assets().map(|folder| folder.join("kubectl")).filter(|path| path.is_file());
    if let Some(path) = found {
        return Ok(path);
    }
    let kubectl = Program {
        name: "kubectl",
        module: "tests/cluster",
        package: "k8s.io/kubernetes/cmd/kubectl",
        ldflags: stamp(),
        usual: "a minute on two cores once kube-apiserver is built",
    };
    kubectl.find_or_build(&kubernetes()?).await
}

/// grpcurl for the person who debugs, pinned by `tests/tools`.
///
/// # Errors
/// Go is missing, or the build failed.
pub async fn grpcurl() -> Result<PathBuf> {
    let grpcurl = Program {
        name: "grpcurl",
        module: "tests/tools",
        package: "github.com/fullstorydev/grpcurl/cmd/grpcurl",
        ldflags: "-s -w".to_owned(),
        usual: "a minute on two cores",
    };
    grpcurl.find_or_build(&cache::tools()?).await
}

/// `KUBEBUILDER_ASSETS`, where that is set.
fn assets() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Where programs of this version of Kubernetes are, and the etcd it wants.
fn kubernetes() -> Result<PathBuf> {
    Ok(cache::folder()?.join(format!("kubernetes-{KUBERNETES_VERSION}")))
}

/// Without symbols, and with the version that `go build` does not know.
fn stamp() -> String {
    format!("-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_go_mod_pins() {
        let go_mod = crate::repo::root().unwrap().join("tests/cluster/go.mod");
        let text = std::fs::read_to_string(go_mod).unwrap();

        assert!(text.contains(&format!("\tk8s.io/kubernetes {KUBERNETES_VERSION} ")));
    }

    #[test]
    fn assets_without_etcd_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kube-apiserver"), "").unwrap();
        let error = Binaries::in_assets(folder.path()).unwrap_err().to_string();

        assert!(error.ends_with("/etcd"), "{error}");
    }
}
