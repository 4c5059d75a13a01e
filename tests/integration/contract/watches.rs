//! Watches.

use std::{pin::pin, time::Duration};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};

use super::{make, version};

/// Longest wait for one event.
const EVENT_MAX: Duration = Duration::from_secs(10);

pub(super) async fn suite(client: &Client, namespace: &str) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    a_watch_tells_what_happens_after_a_version(&secrets).await;
    a_watch_sees_only_what_its_selector_matches(client, &secrets).await;
    a_watch_from_nothing_begins_with_what_is_there(&secrets).await;
    a_watch_ends_when_its_time_is_over(&secrets).await;
}

async fn label(secrets: &Api<Secret>, name: &str, value: Value) {
    let patch = json!({"metadata": {"labels": {"contract/watch": value}}});
    secrets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn remove(secrets: &Api<Secret>, name: &str) {
    secrets.delete(name, &DeleteParams::default()).await.unwrap();
}

/// The next event in words. Bookmarks come when they like.
async fn told(
    events: &mut (impl Stream<Item = Result<WatchEvent<Secret>, kube::Error>> + Unpin),
) -> String {
    loop {
        let event = tokio::time::timeout(EVENT_MAX, events.next()).await;
        match event.expect("an event within its time").expect("an open watch").unwrap() {
            WatchEvent::Added(secret) => return format!("added {}", secret.name_any()),
            WatchEvent::Modified(secret) => return format!("modified {}", secret.name_any()),
            WatchEvent::Deleted(secret) => return format!("deleted {}", secret.name_any()),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => return format!("error {}", status.code),
        }
    }
}

async fn a_watch_tells_what_happens_after_a_version(secrets: &Api<Secret>) {
    make(secrets, json!({"metadata": {"name": "before"}})).await;
    let list = secrets.list(&ListParams::default()).await.unwrap();
    let begin = list.metadata.resource_version.unwrap();
    make(secrets, json!({"metadata": {"name": "one"}})).await;
    let mut events = pin!(secrets.watch(&WatchParams::default(), &begin).await.unwrap());
    assert_eq!(told(&mut events).await, "added one");
    label(secrets, "one", json!("yes")).await;
    assert_eq!(told(&mut events).await, "modified one");
    label(secrets, "one", json!("yes")).await; // changes nothing, tells nothing
    label(secrets, "before", json!("yes")).await;
    assert_eq!(told(&mut events).await, "modified before");
    remove(secrets, "one").await;
    assert_eq!(told(&mut events).await, "deleted one");

    // The version of a deletion counts too: whoever begins behind it is not told again.
    let event = secrets.watch(&WatchParams::default(), &begin).await.unwrap();
    let deletion = event.filter_map(async |event| match event.unwrap() {
        WatchEvent::Deleted(secret) => Some(version(&secret)),
        _ => None,
    });
    let deleted_at = pin!(deletion).next().await.unwrap();
    assert!(deleted_at > version(&secrets.get("before").await.unwrap()));
}

async fn a_watch_sees_only_what_its_selector_matches(client: &Client, secrets: &Api<Secret>) {
    let begin = secrets.list(&ListParams::default()).await.unwrap().metadata.resource_version;
    let begin = begin.unwrap();
    let everywhere: Api<Secret> = Api::all(client.clone());
    let by_name = WatchParams::default().fields("metadata.name=two");
    let mut named = pin!(everywhere.watch(&by_name, &begin).await.unwrap());
    let by_label = WatchParams::default().labels("contract/watch=in");
    let mut labelled = pin!(secrets.watch(&by_label, &begin).await.unwrap());

    make(secrets, json!({"metadata": {"name": "other"}})).await;
    make(secrets, json!({"metadata": {"name": "two"}})).await;
    assert_eq!(told(&mut named).await, "added two");
    label(secrets, "two", json!("in")).await;
    assert_eq!(told(&mut labelled).await, "added two", "it came into sight");
    label(secrets, "two", Value::Null).await;
    assert_eq!(told(&mut labelled).await, "deleted two", "it went out of sight");
    label(secrets, "other", json!("in")).await;
    assert_eq!(told(&mut labelled).await, "added other");
    assert_eq!(told(&mut named).await, "modified two");
    remove(secrets, "other").await;
    remove(secrets, "two").await;
}

async fn a_watch_from_nothing_begins_with_what_is_there(secrets: &Api<Secret>) {
    let mut events = pin!(secrets.watch(&WatchParams::default(), "0").await.unwrap());
    assert_eq!(told(&mut events).await, "added before");

    let initial = WatchParams::default().initial_events();
    let mut events = pin!(secrets.watch(&initial, "").await.unwrap());
    let first = events.next().await.unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Added(secret) if secret.name_any() == "before"));
    let WatchEvent::Bookmark(mark) = events.next().await.unwrap().unwrap() else {
        panic!("the mark after what was there");
    };
    assert_eq!(mark.metadata.annotations["k8s.io/initial-events-end"], "true");
}

async fn a_watch_ends_when_its_time_is_over(secrets: &Api<Secret>) {
    let begin = secrets.list(&ListParams::default()).await.unwrap().metadata.resource_version;
    let short = WatchParams::default().timeout(1).disable_bookmarks();
    let events = secrets.watch(&short, &begin.unwrap()).await.unwrap();
    let all = tokio::time::timeout(EVENT_MAX, events.count()).await;
    assert_eq!(all.expect("an end within its time"), 0);
}
