//! The watch over access Secrets: the whole set first, page by page, then every change.

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    core::DeserializeGuard,
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{
    inputs::{Classes, Interpretation},
    keys,
    name::SecretRef,
};
use tracing::warn;

use super::{
    AccessSecrets, ResourceVersion, Seen,
    reduce::{reduce, resource_version, secret_ref},
};
use crate::{
    error::Error,
    rewatch::{trouble, with_pauses},
};

const OPERATION: &str = "watch access Secrets";

/// The API server ends a watch after so long and kube resumes it where it was. A connection that
/// died without a word is noticed 5 s after this; with kube's 290 s a new Secret could wait for
/// five minutes.
pub(crate) const WATCH_SECONDS: u32 = 60;

/// What the watch tells.
#[derive(Debug)]
pub enum Change {
    /// A whole set begins, at the start and whenever the watch lost its place.
    SnapshotBegin,
    /// A Secret that is there, new or changed.
    Upsert(Box<Seen>),
    /// A Secret that is gone or no longer ours, as of this version.
    Removed(SecretRef, ResourceVersion),
    /// The set is whole: what was not told since it began is not there.
    SnapshotComplete,
    /// The API server cannot be watched for now; it is tried again after a pause.
    Trouble(Error),
}

impl AccessSecrets {
    /// Watches until dropped; never ends by itself. Errors are told and tried again after 0.8 s,
    /// doubling to 5 s, and at once where the API server has forgotten where we were. One Secret that cannot be read ends nothing: it counts as not there.
    pub fn watch(&self) -> impl Stream<Item = Change> + Send + use<> {
        let interpretation = self.interpretation.clone();
        let config =
            watcher::Config::default().labels(&selector(&interpretation)).timeout(WATCH_SECONDS);
        let api: Api<DeserializeGuard<Secret>> = Api::all(self.client.clone());
        with_pauses(watcher(api, config)).filter_map(move |event| {
            let change = match event {
                Ok(event) => change(event, &interpretation),
                Err(error) => Some(Change::Trouble(trouble(OPERATION, error))),
            };
            std::future::ready(change)
        })
    }
}

/// What the API server filters for us, so that foreign Secrets cost nothing.
fn selector(interpretation: &Interpretation) -> String {
    let purpose = format!("{}={}", keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR);
    match &interpretation.classes {
        Classes::Any => purpose,
        Classes::Only(classes) => {
            let classes: Vec<_> = classes.iter().map(String::as_str).collect();
            match classes.as_slice() {
                [class] => format!("{purpose},{}={class}", keys::CLASS),
                classes => format!("{purpose},{} in ({})", keys::CLASS, classes.join(",")),
            }
        }
    }
}

fn change(
    event: Event<DeserializeGuard<Secret>>,
    interpretation: &Interpretation,
) -> Option<Change> {
    match event {
        Event::Init => Some(Change::SnapshotBegin),
        Event::InitDone => Some(Change::SnapshotComplete),
        Event::Apply(object) | Event::InitApply(object) => seen(&object, interpretation)
            .map_or_else(|| removed(&object), |seen| Some(Change::Upsert(Box::new(seen)))),
        Event::Delete(object) => removed(&object),
    }
}

fn seen(object: &DeserializeGuard<Secret>, interpretation: &Interpretation) -> Option<Seen> {
    match &object.0 {
        Ok(secret) => reduce(secret, interpretation),
        Err(invalid) => {
            // The parser's text may quote a value, so it is not repeated.
            let (namespace, name) = (&invalid.metadata.namespace, &invalid.metadata.name);
            warn!(?namespace, ?name, "ignoring an access Secret that does not parse");
            None
        }
    }
}

fn removed(object: &DeserializeGuard<Secret>) -> Option<Change> {
    Some(Change::Removed(secret_ref(object)?, resource_version(object)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn interpretation(classes: &[&str]) -> Interpretation {
        let classes: BTreeSet<String> = classes.iter().map(|class| (*class).to_owned()).collect();
        Interpretation { classes: Classes::Only(classes), ..Interpretation::default() }
    }

    fn object(json: serde_json::Value) -> DeserializeGuard<Secret> {
        serde_json::from_value(json).unwrap()
    }

    fn secret(class: &str) -> serde_json::Value {
        json!({"metadata": {
            "namespace": "shoot--lab--1", "name": "access", "uid": "1", "resourceVersion": "7",
            "labels": {keys::PURPOSE: keys::PURPOSE_TOKEN_REQUESTOR, keys::CLASS: class},
        }})
    }

    #[test]
    fn the_api_server_filters_by_purpose_and_class() {
        let purpose = "resources.gardener.cloud/purpose=token-requestor";
        let any = Interpretation { classes: Classes::Any, ..Interpretation::default() };
        assert_eq!(selector(&any), purpose);
        let class = "resources.gardener.cloud/class";
        assert_eq!(selector(&interpretation(&["shoot"])), format!("{purpose},{class}=shoot"));
        let two = selector(&interpretation(&["shoot", "seed"]));
        assert_eq!(two, format!("{purpose},{class} in (seed,shoot)"));
    }

    #[test]
    fn a_secret_of_another_class_counts_as_removed() {
        let event = |class| Event::Apply(object(secret(class)));
        let told = |class| change(event(class), &interpretation(&["shoot"]));
        assert!(matches!(told("shoot"), Some(Change::Upsert(_))));
        assert!(matches!(told("seed"), Some(Change::Removed(..))));
    }

    #[test]
    fn a_secret_that_does_not_parse_counts_as_removed() {
        let mut malformed = secret("shoot");
        malformed["data"] = json!({"token": 5});
        let told = change(Event::Apply(object(malformed)), &interpretation(&["shoot"]));
        let Some(Change::Removed(secret, version)) = told else { panic!("{told:?}") };
        assert_eq!((secret.to_string().as_str(), version.as_str()), ("shoot--lab--1/access", "7"));
    }

    #[test]
    fn trouble_never_quotes_what_could_not_be_parsed() {
        let error = serde_json::from_value::<u8>(json!("eyJhbGciOi")).unwrap_err();
        let told = trouble(OPERATION, watcher::Error::WatchFailed(kube::Error::SerdeError(error)));
        assert!(!told.to_string().contains("eyJ"), "{told}");
        assert!(!format!("{told:?}").contains("eyJ"), "{told:?}");
    }
}
