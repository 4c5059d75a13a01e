//! What COMMAND finds in its environment. Names are fixed: other checks are written against them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};

use crate::binaries::cache;
use crate::cluster::Cluster;
use crate::dir::LabDir;
use crate::service::Service;
use crate::shoot;

/// Variables for COMMAND.
pub type Environment = BTreeMap<String, OsString>;

/// Folder, clusters and namespaces; `shoots` are the kubeconfigs of all, by number.
#[must_use]
pub fn of_clusters<'a>(
    seed: &Cluster,
    shoots: impl Iterator<Item = &'a Path>,
    dir: &LabDir,
) -> Environment {
    let mut environment = Environment::new();
    environment.insert("LAB_DIR".to_owned(), dir.root().into());
    environment.insert("LAB_SEED_KUBECONFIG".to_owned(), seed.kubeconfig().into());
    for (number, kubeconfig) in (1..).zip(shoots) {
        let numbered = |name: &str| match number {
            1 => name.to_owned(),
            _ => format!("{name}_{number}"),
        };
        environment.insert(numbered("LAB_SHOOT_KUBECONFIG"), kubeconfig.into());
        environment.insert(numbered("LAB_SHOOT_NAMESPACE"), shoot::namespace(number).into());
    }
    environment
}

/// Certificate of the operator, for grpcurl and for the CLI.
#[must_use]
pub fn of_operator(dir: &LabDir) -> Environment {
    let files = [("CA", "ca.crt"), ("CERT", "operator.crt"), ("KEY", "operator.key")];
    let both = files.iter().flat_map(|(name, file)| {
        let path = dir.certificates().join(file).into_os_string();
        [(format!("LAB_OPERATOR_{name}"), path.clone()), (format!("PERENNIAL_{name}"), path)]
    });
    both.collect()
}

/// Addresses, metrics and process ids of the services.
///
/// # Errors
/// One is down.
pub fn of_services(services: &[Service]) -> Result<Environment> {
    let mut environment = Environment::new();
    for service in services {
        let name = service.name().to_uppercase().replace('-', "_");
        // A further replica of the scheduler has its number at the end, as further shoots have.
        let (name, number) = match name.rsplit_once('_') {
            Some(("SCHEDULER", number)) => ("SCHEDULER".to_owned(), format!("_{number}")),
            _ => (name, String::new()),
        };
        let addr = service.addr().to_string();
        let pid = service.pid()?.with_context(|| format!("{} is not running", service.name()))?;
        // The scheduler is the one that the CLI talks to; of the others it asks the health.
        let variable = match service.name() {
            "scheduler" => "PERENNIAL_ADDR".to_owned(),
            _ => format!("PERENNIAL_{name}_ADDR"),
        };
        if number.is_empty() {
            environment.insert(variable, addr.clone().into());
        }
        environment.insert(format!("LAB_{name}_ADDR{number}"), addr.into());
        environment.insert(format!("LAB_METRICS_{name}{number}"), service.metrics_url().into());
        environment.insert(format!("LAB_PID_{name}{number}"), pid.to_string().into());
    }
    Ok(environment)
}

/// `PATH` with our programs first and the tools of the cache last.
///
/// # Errors
/// A folder has a `:` in its name.
pub fn path(programs: &Path) -> Result<OsString> {
    let ambient = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![programs.to_owned()];
    folders.extend(std::env::split_paths(&ambient));
    folders.push(cache::tools()?);
    std::env::join_paths(folders).context("a folder of PATH has a separator in its name")
}
