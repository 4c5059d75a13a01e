//! An API server that runs: the seed or a shoot, with the means of its admin.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::apiserver::client_leaf;
use crate::counts::RequestCounts;
use crate::dir::LabDir;
use crate::kubeconfig::{Credential, Endpoint};
use crate::maker;
use crate::pki::{Authority, Leaf, Pair};
use crate::poll::{Look, until};
use crate::process::Process;

/// It is ready within three seconds on an idle machine; this is for a busy one.
const READY_MAX: Duration = Duration::from_secs(120);

/// Longest wait for one look at `/readyz`.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// An API server of the lab, ended when dropped.
pub struct Cluster {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) client: Client,
    pub(crate) clients: Authority,
    pub(crate) process: Process,
    pub(crate) dir: LabDir,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("url", &self.endpoint.url)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// `seed` or `shoot-1`, …
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `https://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.endpoint.url
    }

    /// Address and CA.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Kubeconfig of an admin.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client of an admin, without retries.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The process of the API server.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What this API server was asked since it started. Reading them is a request too, one without
    /// a resource.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn request_counts(&self) -> Result<RequestCounts> {
        let request = ::http::Request::get("/metrics").body(Vec::new())?;
        let text = self.client.request_text(request).await;
        let text = text.with_context(|| format!("failed to read /metrics of {}", self.name))?;
        Ok(RequestCounts::parse(&text))
    }

    /// A client certificate that this API server accepts, for `life` from now.
    ///
    /// # Errors
    /// No key could be made.
    pub fn client_certificate(&self, user: &str, life: Duration) -> Result<Pair> {
        self.clients.issue(Leaf { life, ..client_leaf(user, None) })
    }

    /// A token of a ServiceAccount for this API server. Costs one TokenRequest.
    ///
    /// # Errors
    /// There is no such ServiceAccount.
    pub async fn token(&self, namespace: &str, name: &str, life: Duration) -> Result<String> {
        let spec = TokenRequestSpec {
            expiration_seconds: Some(life.as_secs().try_into().context("too long a life")?),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let answer =
            answer.with_context(|| format!("failed to request a token for {namespace}/{name}"))?;
        let status = answer.status.context("the answer has no status")?;
        status.token.context("the answer has no token")
    }

    /// A client with this credential.
    ///
    /// # Errors
    /// It does not parse.
    pub async fn client_with(&self, credential: &Credential<'_>) -> Result<Client> {
        self.endpoint.client(credential).await
    }

    /// Reads its kubeconfig anew after address or CA changed ([`crate::maker`]).
    ///
    /// # Errors
    /// The kubeconfig is gone, or cannot be used.
    pub async fn reload(&mut self) -> Result<()> {
        (self.endpoint, self.client) = maker::admin_access(&self.kubeconfig).await?;
        Ok(())
    }

    /// Waits until the API server is ready.
    ///
    /// # Errors
    /// It has ended, or is not ready within two minutes; with the end of its log.
    pub async fn wait_ready(&self) -> Result<()> {
        let ended_before = self.process.exits().count;
        let what = format!("readiness of {}", self.process.name());
        until(&what, READY_MAX, async || self.look_ready(ended_before).await).await
    }

    async fn look_ready(&self, ended_before: u32) -> Result<Look<()>> {
        let (exits, tail) = (self.process.exits(), self.dir.log_tail(self.process.name()));
        if exits.count > ended_before {
            anyhow::bail!("{} ended: {}; {tail}", self.process.name(), exits.last);
        }
        let request = ::http::Request::get("/readyz").body(Vec::new())?;
        let answer = tokio::time::timeout(LOOK_MAX, self.client.request_text(request)).await;
        Ok(match answer {
            Ok(Ok(_)) => Look::Done(()),
            Ok(Err(error)) => Look::Waiting(format!("{error}; {tail}")),
            Err(_) => Look::Waiting(format!("no answer; {tail}")),
        })
    }
}
