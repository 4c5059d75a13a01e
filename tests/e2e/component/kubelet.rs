//! What the kubelet does for the Pod of the example: the Secrets of its projected volume become
//! files of one folder, and change all at once.
//!
//! The kubelet itself looks every minute or so. This one does as it is told: at once, so that renewals
//! every few seconds all reach the files, or after each so many seconds.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kube::runtime::{
    WatchStreamExt as _,
    watcher::{Config, watcher},
};
use perennial_core::{clock::Clock as _, token::Claims};
use perennial_lab::{
    access_secret::token,
    poll::{Look, until},
    projected,
};
use perennial_process::clock::SystemClock;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::example::inside;
use crate::house::{House, MOMENT};

/// Changes that wait in a stream come one by one, each within this time.
const COMES_WITHIN: Duration = Duration::from_millis(500);

/// A token in the files: its id as the API server tells it, and since when it is there.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) since: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// It projects until it is dropped.
pub(crate) struct Kubelet {
    history: Arc<Mutex<Vec<Held>>>,
    _watch: JoinSet<()>,
}

/// One key of a Secret, and its file.
struct Item {
    secret: String,
    key: String,
    path: String,
}

struct Volume {
    folder: PathBuf,
    items: Vec<Item>,
    files: Vec<(String, String)>,
    secrets: BTreeMap<String, Secret>,
    history: Arc<Mutex<Vec<Held>>>,
}

impl Kubelet {
    /// Projects the one volume of this Deployment into its mount path below `container`; back when
    /// the files are there. Between two changes of them are at least `sync`.
    pub(crate) async fn begin(
        deployment: &Deployment,
        container: &Path,
        house: &House,
        sync: Duration,
    ) -> Self {
        let history = Arc::new(Mutex::new(Vec::new()));
        let mut volume = Volume::of(deployment, container, Arc::clone(&history));
        let mut events = watcher(house.secrets(1), Config::default()).applied_objects().boxed();
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            // An error is the end: files that stay as they are fail the test.
            while let Some(Ok(secret)) = events.next().await {
                volume.learn(secret);
                // What came while it did not look.
                while !sync.is_zero()
                    && let Ok(Some(Ok(secret))) = timeout(COMES_WITHIN, events.next()).await
                {
                    volume.learn(secret);
                }
                if volume.project() {
                    sleep(sync).await;
                }
            }
        });
        let kubelet = Self { history, _watch: watch };
        let look = async || {
            let there = !kubelet.history().is_empty();
            Ok(if there { Look::Done(()) } else { Look::Waiting("ContainerCreating".to_owned()) })
        };
        until("the files of both Secrets", MOMENT, look).await.unwrap();
        kubelet
    }

    /// All tokens that were in the files, one after the other.
    pub(super) fn history(&self) -> Vec<Held> {
        self.history.lock().unwrap().clone()
    }

    pub(super) fn first_expiry(&self) -> Timestamp {
        self.history()[0].expires_at
    }
}

impl Volume {
    fn of(deployment: &Deployment, container: &Path, history: Arc<Mutex<Vec<Held>>>) -> Self {
        let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
        let [volume] = pod.volumes.as_ref().unwrap().as_slice() else { panic!("one volume") };
        let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
        let mount = mounts.iter().find(|mount| mount.name == volume.name).unwrap();
        let sources = volume.projected.as_ref().unwrap().sources.as_ref().unwrap();
        let items = sources.iter().flat_map(|source| {
            let secret = source.secret.as_ref().unwrap();
            secret.items.iter().flatten().map(|item| Item {
                secret: secret.name.clone(),
                key: item.key.clone(),
                path: item.path.clone(),
            })
        });
        Self {
            folder: inside(&mount.mount_path, container),
            items: items.collect(),
            files: Vec::new(),
            secrets: BTreeMap::new(),
            history,
        }
    }

    fn learn(&mut self, secret: Secret) {
        let name = secret.metadata.name.clone().unwrap();
        if self.items.iter().any(|item| item.secret == name) {
            self.secrets.insert(name, secret);
        }
    }

    /// Whether the files are others now.
    fn project(&mut self) -> bool {
        // None is optional: as long as a key is missing, the container is not started.
        let files: Option<Vec<_>> = self.items.iter().map(|item| self.file(item)).collect();
        let Some(files) = files.filter(|files| *files != self.files) else { return false };
        // Locked over both, so that nobody looks for a token that a client found in the files already.
        let mut history = self.history.lock().unwrap();
        projected::write(&self.folder, &files).unwrap();
        self.files = files;
        let held = read(&self.secrets.values().find_map(token).unwrap());
        if history.last().is_none_or(|last| last.id != held.id) {
            history.push(held);
        }
        true
    }

    fn file(&self, item: &Item) -> Option<(String, String)> {
        let data = self.secrets.get(&item.secret)?.data.as_ref()?.get(&item.key)?;
        Some((item.path.clone(), String::from_utf8(data.0.clone()).unwrap()))
    }
}

/// The API server tells a token by its `jti`.
fn read(token: &str) -> Held {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    Held {
        id: format!("JTI={}", payload["jti"].as_str().unwrap()),
        since: SystemClock.now(),
        expires_at: Claims::read(token.as_bytes()).unwrap().expires_at,
    }
}
