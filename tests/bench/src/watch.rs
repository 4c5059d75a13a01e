//! Both sets of Secrets seen from beside: when the first and the last of a round was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::PartialObjectMeta,
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use tokio::task::JoinSet;

use crate::stage::{LABEL, Size};

/// What is seen until this is dropped.
#[derive(Debug)]
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The served ones that have a token.
    served: BTreeSet<String>,
    /// When each was last written, and in which namespace.
    written: BTreeMap<String, (Timestamp, String)>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    over: bool,
}

impl Watch {
    /// Begins to watch the metadata of every Secret that has our label.
    #[must_use]
    pub fn begin(seed: Client) -> Self {
        let secrets: Api<PartialObjectMeta<Secret>> = Api::all(seed);
        let config = watcher::Config::default().labels(LABEL.0);
        let mut events = watcher(secrets, config).boxed();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (mut task, take) = (JoinSet::new(), Arc::clone(&seen));
        task.spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                if let Event::Apply(secret) = event {
                    let now = SystemClock.now();
                    let mut seen = take.lock().unwrap_or_else(PoisonError::into_inner);
                    let is_served = secret.labels().get(LABEL.0).is_some_and(|set| set == LABEL.1);
                    if is_served && secret.annotations().contains_key(keys::ISSUED) {
                        seen.served.insert(secret.name_any());
                    }
                    let place = secret.namespace().unwrap_or_default();
                    seen.written.insert(secret.name_any(), (now, place));
                    seen.first.get_or_insert(now);
                    seen.last = Some(now);
                }
            }
            take.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        });
        Self { seen, _task: task }
    }

    /// Forgets what was seen: a round begins.
    pub fn begin_round(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.first, seen.last) = (None, None);
        seen.written.clear();
    }

    /// Writes a second of the round that ended, but for those in a namespace.
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    pub fn rate_but(&self, namespace: &str) -> Option<f64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let others = || seen.written.values().filter(|(_, place)| place != namespace);
        let last = others().map(|(at, _)| *at).max()?;
        let took = last.duration_since(seen.first?).as_secs_f64();
        Some((others().count() as f64 - 1.0) / took)
    }

    /// How many Secrets that the services serve have a token.
    ///
    /// # Errors
    /// The watch failed.
    pub fn served(&self) -> Result<usize> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(!seen.over, "the watch failed");
        Ok(seen.served.len())
    }

    /// Waits until so many Secrets were written since the round began; from the first to the last of them.
    ///
    /// # Errors
    /// Not within the patience of that size.
    pub async fn end_round(&self, size: Size) -> Result<Duration> {
        let count = size.secrets;
        let look = async || {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            anyhow::ensure!(!seen.over, "the watch failed");
            let held = seen.written.len();
            Ok(match (held >= count, seen.first.zip(seen.last)) {
                (true, Some((first, last))) => {
                    Look::Done(last.duration_since(first).unsigned_abs())
                }
                _ => Look::Waiting(format!("{held} of {count} written")),
            })
        };
        until("the end of a round", size.patience(), look).await
    }
}
