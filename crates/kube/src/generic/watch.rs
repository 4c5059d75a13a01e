//! The watch over generic kubeconfigs: the whole set first, then every change.

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    core::DeserializeGuard,
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{keys, name::SecretRef};

use super::{Generic, GenericKubeconfigs};
use crate::{
    access::{WATCH_SECONDS, reduce::secret_ref},
    error::Error,
    rewatch::{trouble, with_pauses},
};

/// What the watch tells.
#[derive(Debug)]
pub enum Change {
    /// A whole set begins, at the start and whenever the watch lost its place.
    SnapshotBegin,
    /// A Secret that is there, new or changed.
    Upsert(Generic),
    /// A Secret that is gone or no longer ours.
    Removed(SecretRef),
    /// The set is whole: what was not told since it began is not there.
    SnapshotComplete,
    /// The API server cannot be watched for now; it is tried again after a pause.
    Trouble(Error),
}

impl GenericKubeconfigs {
    /// Watches until dropped; never ends by itself. Errors are told and tried again as those of
    /// [`crate::access::AccessSecrets::watch`].
    pub fn watch(&self) -> impl Stream<Item = Change> + Send + use<> {
        let selector = format!("{}={}", keys::GENERIC, keys::GENERIC_KUBECONFIG);
        let config = watcher::Config::default().labels(&selector).timeout(WATCH_SECONDS);
        let api: Api<DeserializeGuard<Secret>> = Api::all(self.client.clone());
        with_pauses(watcher(api, config)).filter_map(|event| {
            std::future::ready(match event {
                Ok(event) => change(event),
                Err(error) => Some(Change::Trouble(trouble("watch generic kubeconfigs", error))),
            })
        })
    }
}

fn change(event: Event<DeserializeGuard<Secret>>) -> Option<Change> {
    match event {
        Event::Init => Some(Change::SnapshotBegin),
        Event::InitDone => Some(Change::SnapshotComplete),
        Event::Apply(object) | Event::InitApply(object) => {
            let generic = object.0.as_ref().ok().and_then(Generic::of);
            generic.map_or_else(|| removed(&object), |generic| Some(Change::Upsert(generic)))
        }
        Event::Delete(object) => removed(&object),
    }
}

fn removed(object: &DeserializeGuard<Secret>) -> Option<Change> {
    secret_ref(object).map(Change::Removed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(labels: Value, data: Value) -> DeserializeGuard<Secret> {
        serde_json::from_value(json!({"data": data, "metadata": {
            "namespace": "shoot--lab--1", "name": "generic", "resourceVersion": "7",
            "labels": labels,
        }}))
        .unwrap()
    }

    fn is_ours(labels: Value, data: Value) -> bool {
        matches!(change(Event::Apply(object(labels, data))), Some(Change::Upsert(_)))
    }

    #[test]
    fn e_the_label_makes_it_ours_and_an_access_secret_never_is() {
        let generic = || json!({keys::GENERIC: keys::GENERIC_KUBECONFIG});
        assert!(is_ours(generic(), Value::Null));
        assert!(!is_ours(json!({keys::GENERIC: "other"}), Value::Null));
        let mut both = generic();
        both[keys::PURPOSE] = keys::PURPOSE_TOKEN_REQUESTOR.into();
        assert!(!is_ours(both, Value::Null), "what stands there is a credential");
        assert!(!is_ours(generic(), json!({"kubeconfig.yaml": 5})), "one that does not parse");
    }

    #[test]
    fn e_nothing_of_the_data_is_kept_but_a_hash_of_the_one_key() {
        let data = json!({"kubeconfig.yaml": "aHVudGVyMg==", "token": "aHVudGVyMg=="});
        let labels = json!({keys::GENERIC: keys::GENERIC_KUBECONFIG});
        let Some(Change::Upsert(seen)) = change(Event::Apply(object(labels, data))) else {
            panic!("it is ours");
        };
        assert_eq!(seen.held, Some(crate::generic::Content::of(b"hunter2")));
        let shown = format!("{seen:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVy"), "{shown}");
    }
}
