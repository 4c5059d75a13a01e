//! What an API server does, as far as Perennial depends on it.
//!
//! The fake of `perennial-testing` must pass this, and so must a real kube-apiserver: the
//! end-to-end tests run the same file against one. A test that passes against a fake which nobody
//! compares with the original proves nothing.

#[path = "contract/applies.rs"]
mod applies;
#[path = "contract/events.rs"]
mod events;
#[path = "contract/objects.rs"]
mod objects;
#[path = "contract/patches.rs"]
mod patches;
#[path = "contract/tokens.rs"]
mod tokens;
#[path = "contract/watches.rs"]
mod watches;

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{Namespace, Secret},
};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

/// Everything in namespaces of its own, so that it can run on a server that is in use.
pub(crate) async fn suite(client: Client) {
    let namespace = |name: &str| format!("perennial-contract-{name}");
    for name in ["objects", "applies", "patches", "watches", "tokens", "events"] {
        make_namespace(&client, &namespace(name)).await;
    }
    objects::suite(&client, &namespace("objects")).await;
    applies::suite(&client, &namespace("applies")).await;
    patches::suite(&client, &namespace("patches")).await;
    watches::suite(&client, &namespace("watches")).await;
    tokens::suite(&client, &namespace("tokens")).await;
    events::suite(&client, &namespace("events")).await;
}

async fn make_namespace(client: &Client, name: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = object(json!({"metadata": {"name": name}}));
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
}

/// A typed object from JSON.
fn object<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

async fn make(secrets: &Api<Secret>, json: Value) -> Secret {
    secrets.create(&PostParams::default(), &object(json)).await.unwrap()
}

/// What a Secret holds, as text.
fn data(secret: &Secret) -> BTreeMap<&str, &str> {
    let entries = secret.data.iter().flatten();
    entries.map(|(key, ByteString(v))| (key.as_str(), std::str::from_utf8(v).unwrap())).collect()
}

fn version(object: &impl kube::Resource) -> u64 {
    object.meta().resource_version.as_ref().unwrap().parse().unwrap()
}

fn names<T: kube::ResourceExt>(objects: impl IntoIterator<Item = T>) -> Vec<String> {
    objects.into_iter().map(|object| object.name_any()).collect()
}

/// A refusal on one line: code, reason, kind of the object in the details, message.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, kube::Error>) -> String {
    let status = match outcome {
        Err(kube::Error::Api(status)) => status,
        other => panic!("not refused: {other:?}"),
    };
    let kind = status.details.as_ref().map_or("", |details| &details.kind);
    format!("{} {} [{kind}] {}", status.code, status.reason, status.message)
}
