//! Others who edit the same Secrets as fast as they can: each has an annotation, a label and a data
//! key of its own on every Secret, and counts up in them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How many.
pub(crate) const STRANGERS: usize = 8;

/// Their keys begin with it.
const MARK: &str = "stranger-";

/// What was last acknowledged, by Secret (NAMESPACE/NAME) and key.
type Edits = BTreeMap<(String, String), u64>;

/// They edit until [`Strangers::stop`].
pub(crate) struct Strangers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Edits>,
}

/// What they have done.
pub(crate) struct Done {
    /// Edits that were acknowledged.
    pub(crate) count: u64,
    last: Edits,
}

impl Strangers {
    /// Begins to edit `secrets` (NAMESPACE/NAME).
    pub(crate) fn begin(secrets: &[String], seed: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..STRANGERS {
            // Each begins elsewhere, and they meet now and then.
            let mut secrets = secrets.to_vec();
            let begin = number * secrets.len() / STRANGERS;
            secrets.rotate_left(begin);
            tasks.spawn(edit(number, secrets, seed.clone(), Arc::clone(&stop)));
        }
        Self { stop, tasks }
    }

    /// Ends when the edit that each is at has been acknowledged.
    pub(crate) async fn stop(self) -> Done {
        self.stop.store(true, Ordering::Relaxed);
        let last: Edits = self.tasks.join_all().await.into_iter().flatten().collect();
        Done { count: last.values().sum(), last }
    }
}

impl Done {
    /// Edits that are not on the Secrets as they were left; `secrets` are all of them.
    pub(crate) fn lost(&self, secrets: &[Secret]) -> Vec<String> {
        let mut held = BTreeMap::new();
        for secret in secrets {
            let meta = &secret.metadata;
            let id =
                format!("{}/{}", meta.namespace.as_ref().unwrap(), meta.name.as_ref().unwrap());
            held.extend(edits(secret).map(|(key, value)| ((id.clone(), key), value)));
        }
        let lost = self.last.iter().filter(|(edit, value)| held.get(edit) != Some(value));
        lost.map(|((id, key), value)| format!("{id}: {key} is not {value}")).collect()
    }
}

/// The edits of strangers that a Secret holds: where, and the value.
pub(crate) fn edits(secret: &Secret) -> impl Iterator<Item = (String, u64)> {
    let meta = &secret.metadata;
    let texts = |place: &'static str, pairs: &Option<BTreeMap<String, String>>| {
        let pairs = pairs.clone().unwrap_or_default().into_iter();
        pairs.map(move |(key, value)| (place, key, value))
    };
    let data = secret.data.clone().unwrap_or_default().into_iter();
    let data = data.filter(|(key, _)| key.starts_with(MARK)).map(|(key, value)| {
        let value = String::from_utf8(value.0).unwrap();
        ("data", key, value)
    });
    let all = texts("annotations", &meta.annotations).chain(texts("labels", &meta.labels));
    let ours = all.chain(data).filter(|(_, key, _)| key.starts_with(MARK));
    ours.map(|(place, key, value)| (format!("{place}/{key}"), value.parse().unwrap()))
}

async fn edit(number: usize, secrets: Vec<String>, seed: Client, stop: Arc<AtomicBool>) -> Edits {
    let (key, mut last) = (format!("{MARK}{number}"), Edits::new());
    for round in 1.. {
        for secret in &secrets {
            for place in ["annotations", "labels", "data"] {
                patch(secret, &body(place, &key, round), &seed).await;
                last.insert((secret.clone(), format!("{place}/{key}")), round);
                if stop.load(Ordering::Relaxed) {
                    return last;
                }
            }
        }
    }
    last
}

fn body(place: &str, key: &str, value: u64) -> Value {
    let text = value.to_string();
    match place {
        "data" => json!({"data": {key: ByteString(text.into_bytes())}}),
        _ => json!({"metadata": {place: {key: text}}}),
    }
}

/// Until it is acknowledged. An API server gives up a patch that met others five times: 409.
async fn patch(secret: &str, body: &Value, seed: &Client) {
    let (namespace, name) = secret.split_once('/').unwrap();
    let api: Api<Secret> = Api::namespaced(seed.clone(), namespace);
    loop {
        match api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(body)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("a stranger's edit of {secret} failed: {error}"),
        }
    }
}
