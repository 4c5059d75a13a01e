//! The bare loop: a TokenRequest and a patch, so many at once, and nothing else.
//!
//! It has the same watch open as the secret-writer, because each write needs the version that the watch
//! brought, and the credentials of the two services whose calls it makes.

use std::{
    collections::HashMap,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Secret, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{
    poll::{Look, until},
    service::AUDIENCE,
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{process::Command, task::JoinSet};

use crate::{
    cost, pace,
    stage::{LABEL, Size, Stage, account, bare_name},
};

/// Lifetime that is asked for, as Perennial asks for it.
const LIFETIME_SECONDS: i64 = 43_200;

#[derive(Debug, Args)]
pub(crate) struct BareArgs {
    #[arg(long)]
    seed: PathBuf,
    #[arg(long)]
    shoot: PathBuf,
    #[arg(long)]
    secrets: usize,
    #[arg(long)]
    shoots: usize,
    #[arg(long)]
    in_flight: usize,
    /// Begin one each so many milliseconds; as fast as they go without
    #[arg(long)]
    every_ms: Option<u64>,
}

/// What a run of it came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bare {
    /// CPU of the process for all of them, in milliseconds.
    pub cpu_ms: f64,
    /// Resident memory at the end, in MiB.
    pub resident_mib: f64,
    /// From the begin of each to the written Secret, in milliseconds.
    pub took_ms: Vec<f64>,
}

/// Runs it as a process of its own over the bare set of a stage.
///
/// # Errors
/// It fails.
pub async fn run(stage: &Stage, every: Option<Duration>) -> Result<Bare> {
    let (seed, shoot) = stage.kubeconfigs().await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg("--seed").arg(seed).arg("--shoot").arg(shoot);
    command.arg(format!("--secrets={}", stage.size.secrets));
    command.arg(format!("--shoots={}", stage.size.shoots));
    command.arg(format!("--in-flight={}", stage.in_flight));
    command.args(every.map(|every| format!("--every-ms={}", every.as_millis())));
    let output = command.stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
    let text = String::from_utf8(output.stdout)?;
    anyhow::ensure!(output.status.success(), "the bare loop failed: {text}");
    serde_json::from_str(text.trim()).context("the bare loop says nonsense")
}

pub(crate) async fn main(args: BareArgs) -> Result<()> {
    let BareArgs { seed, shoot, secrets, shoots, in_flight, every_ms } = args;
    let size = Size { secrets, shoots };
    let (seed, shoot) = (client(seed).await?, client(shoot).await?);
    let versions = Versions::begin(seed.clone());
    versions.wait(secrets).await?;
    let accounts = Api::<ServiceAccount>::namespaced(shoot, "kube-system");
    let pid = i32::try_from(std::process::id())?;
    let before = cost::cpu_ms(pid)?;
    let paced = pace::numbers(every_ms.map(Duration::from_millis)).take(secrets);
    let renewed = paced.map(|number| {
        let access = Api::namespaced(seed.clone(), &namespace(size.shoot(number)));
        renew(number, access, &accounts, &versions)
    });
    let took_ms: Vec<f64> = renewed.buffer_unordered(in_flight).try_collect().await?;
    let cpu_ms = cost::cpu_ms(pid)? - before;
    let bare = Bare { cpu_ms, resident_mib: cost::resident_mib(pid)?, took_ms };
    println!("{}", serde_json::to_string(&bare)?);
    Ok(())
}

async fn client(kubeconfig: PathBuf) -> Result<Client> {
    let client = perennial_kube::seed::connect(Some(&kubeconfig)).await;
    client.with_context(|| format!("no client by {}", kubeconfig.display()))
}

async fn renew(
    number: usize,
    access: Api<Secret>,
    accounts: &Api<ServiceAccount>,
    versions: &Versions,
) -> Result<f64> {
    let begun = SystemClock.now();
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: Some(vec![AUDIENCE.to_owned()]),
            expiration_seconds: Some(LIFETIME_SECONDS),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let params = PostParams::default();
    let answer = accounts.create_token_request(&account(number), &params, &request).await?;
    let token = answer.status.and_then(|status| status.token).context("no token came")?;
    let name = bare_name(number);
    let Seen { version, uid, note } = versions.of(&name).context("the watch does not know it")?;
    let pointer = |key: &str| format!("/metadata/annotations/{}", key.replace('/', "~1"));
    let bytes = k8s_openapi::ByteString(token.into_bytes());
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/data/token", "value": bytes},
        {"op": "add", "path": pointer(keys::RENEW_TIMESTAMP), "value": begun.to_string()},
        {"op": "add", "path": pointer(keys::ISSUED), "value": note},
    ]);
    let patch: Patch<()> = Patch::Json(serde_json::from_value(patch)?);
    let params =
        PatchParams { field_manager: Some("perennial-bench".to_owned()), ..Default::default() };
    access.patch(&name, &params, &patch).await?;
    Ok(SystemClock.now().duration_since(begun).as_secs_f64() * 1_000.0)
}

/// What the watch says of each Secret.
struct Versions {
    held: Arc<Mutex<HashMap<String, Seen>>>,
    _task: JoinSet<()>,
}

#[derive(Clone)]
struct Seen {
    version: String,
    uid: String,
    /// It is written back as it is.
    note: String,
}

impl Versions {
    fn begin(seed: Client) -> Self {
        let selector =
            format!("{}={},{}=bare", keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR, LABEL.0);
        let config = watcher::Config::default().labels(&selector);
        let mut events = watcher(Api::<Secret>::all(seed), config).boxed();
        let held = Arc::new(Mutex::new(HashMap::new()));
        let (mut task, take) = (JoinSet::new(), Arc::clone(&held));
        task.spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                let (Event::Apply(secret) | Event::InitApply(secret)) = event else { continue };
                let note = secret.annotations().get(keys::ISSUED).cloned().unwrap_or_default();
                let version = secret.resource_version().unwrap_or_default();
                let seen = Seen { version, uid: secret.uid().unwrap_or_default(), note };
                let mut held = take.lock().unwrap_or_else(PoisonError::into_inner);
                held.insert(secret.name_any(), seen);
            }
        });
        Self { held, _task: task }
    }

    async fn wait(&self, count: usize) -> Result<()> {
        let look = async || {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).len();
            let is_all = held >= count;
            Ok(if is_all { Look::Done(()) } else { Look::Waiting(format!("{held} of {count}")) })
        };
        until("the first list", Duration::from_secs(60), look).await
    }

    fn of(&self, name: &str) -> Option<Seen> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
