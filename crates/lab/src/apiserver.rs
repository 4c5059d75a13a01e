//! Starting one kube-apiserver: its keys, its flags, and the wait until it is ready.

use std::path::Path;

use anyhow::Result;
use rcgen::ExtendedKeyUsagePurpose;

use crate::cluster::Cluster;
use crate::dir::{LabDir, write_private};
use crate::etcd::Etcd;
use crate::kubeconfig::{Credential, Endpoint};
use crate::pki::{self, Authority, LAB_LIFE, Leaf};
use crate::process::{Process, Spec};

/// Files of an API server below [`LabDir::cluster`]. The key that signs is the first of those that are
/// accepted, and the CA that signs the first of those that are trusted.
pub(crate) const SIGNING_KEY: &str = "service-account.key";
pub(crate) const ACCEPTED_KEYS: &str = "service-account-accepted.key";
pub(crate) const CA_BUNDLE: &str = "ca.crt";

/// The name of every serving authority, old and new.
pub(crate) const AUTHORITY: &str = "perennial-lab API server";

/// What tells one API server of a lab from the other.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `seed` or `shoot-1`, …
    pub name: String,
    pub port: u16,
    /// `--api-audiences`
    pub audiences: &'static str,
    /// Passed on as they are, last, so that they win.
    pub extra_flags: Vec<String>,
}

/// What all API servers of a lab share.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    pub program: &'a Path,
    pub etcd: &'a Etcd,
    pub dir: &'a LabDir,
}

/// The name of its log and pid file.
#[must_use]
pub fn process_name(cluster: &str) -> String {
    format!("kube-apiserver-{cluster}")
}

/// Starts an API server and waits until it is ready.
///
/// # Errors
/// It ends or is not ready within two minutes; with the end of its log.
pub async fn start(plan: Plan, ground: Ground<'_>) -> Result<Cluster> {
    let keys = Keys::new()?;
    let folder = ground.dir.cluster(&plan.name);
    keys.write(&folder)?;
    let url = format!("https://127.0.0.1:{}", plan.port);
    let endpoint = Endpoint { url, ca: keys.serving.pem(), tls_server_name: None };
    let admin = keys.clients.issue(client_leaf("perennial-lab", Some("system:masters")))?;
    let credential = Credential::Certificate(&admin);
    let kubeconfig = ground.dir.kubeconfig(&plan.name);
    write_private(&kubeconfig, &endpoint.kubeconfig(&plan.name, &credential))?;
    let spec = Spec {
        name: process_name(&plan.name),
        program: ground.program.to_owned(),
        args: flags(&plan, &folder, ground.etcd),
    };
    let cluster = Cluster {
        client: endpoint.client(&credential).await?,
        process: Process::keep_running(spec, ground.dir),
        name: plan.name,
        endpoint,
        kubeconfig,
        clients: keys.clients,
        dir: ground.dir.clone(),
    };
    cluster.wait_ready().await.map(|()| cluster)
}

/// A client certificate; the API server reads the common name as user, the organisation as group.
pub(crate) fn client_leaf<'a>(user: &'a str, group: Option<&'a str>) -> Leaf<'a> {
    Leaf {
        common_name: user,
        organisation: group,
        names: Vec::new(),
        usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
        life: LAB_LIFE,
    }
}

/// Servers and clients have authorities of their own, so that one can be rotated without the other.
struct Keys {
    serving: Authority,
    clients: Authority,
}

impl Keys {
    fn new() -> Result<Self> {
        let serving = Authority::new(AUTHORITY)?;
        Ok(Self { serving, clients: Authority::new("perennial-lab clients")? })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let signing = pki::signing_key()?;
        write_private(&folder.join(CA_BUNDLE), &self.serving.pem())?;
        write_private(&folder.join("client-ca.crt"), &self.clients.pem())?;
        write_serving(&self.serving, folder)?;
        write_private(&folder.join(SIGNING_KEY), &signing)?;
        write_private(&folder.join(ACCEPTED_KEYS), &signing)
    }
}

/// A serving certificate of `authority`, for every address that the API server may move to. One that
/// runs reads the two files anew; until they are a pair it keeps the old ones.
///
/// # Errors
/// No key could be made, or the folder is not writable.
pub(crate) fn write_serving(authority: &Authority, folder: &Path) -> Result<()> {
    let serving = authority.issue(Leaf {
        common_name: "kube-apiserver",
        organisation: None,
        names: pki::homes()?,
        usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
        life: LAB_LIFE,
    })?;
    write_private(&folder.join("serving.crt"), &serving.certificate)?;
    write_private(&folder.join("serving.key"), &serving.key)
}

fn flags(plan: &Plan, folder: &Path, etcd: &Etcd) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        format!("--etcd-servers={}", etcd.url()),
        format!("--etcd-prefix=/{}", plan.name),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", plan.port),
        format!("--tls-cert-file={}", file("serving.crt")),
        format!("--tls-private-key-file={}", file("serving.key")),
        format!("--client-ca-file={}", file("client-ca.crt")),
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-account-issuer=https://{}.perennial-lab.internal", plan.name),
        format!("--service-account-signing-key-file={}", file(SIGNING_KEY)),
        format!("--service-account-key-file={}", file(ACCEPTED_KEYS)),
        format!("--api-audiences={}", plan.audiences),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // No Pod ever runs here, and 127.0.0.1 is refused as an endpoint of the Service kubernetes.
        "--endpoint-reconciler-type=none".to_owned(),
        // It wants a `default` ServiceAccount per namespace, which a controller-manager would make.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ];
    flags.extend(plan.extra_flags.iter().cloned());
    flags
}
