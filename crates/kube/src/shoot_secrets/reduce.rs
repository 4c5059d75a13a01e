//! From watch events to changes, with a memory of what is there: a list that comes again says only
//! by silence what vanished.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{ResourceExt as _, core::DeserializeGuard, runtime::watcher::Event};
use perennial_core::{
    keys,
    kubeconfig::{self, Connection},
    name::Namespace,
    shoot::Hibernation,
};

use super::{Change, ConnectionError, DATA_KUBECONFIG, Which};

/// Where one of the two Secrets is known to be.
#[derive(Debug)]
pub(super) struct Known {
    which: Which,
    /// With the version that was told last, where it is a number.
    shoots: BTreeMap<Namespace, Option<u64>>,
    listing: BTreeSet<Namespace>,
    listed_once: bool,
}

impl Known {
    pub(super) fn new(which: Which) -> Self {
        Self { which, shoots: BTreeMap::new(), listing: BTreeSet::new(), listed_once: false }
    }

    pub(super) fn reduce(&mut self, event: Event<DeserializeGuard<Secret>>) -> Vec<Change> {
        match event {
            Event::Init => {
                self.listing.clear();
                vec![]
            }
            Event::InitApply(secret) => {
                let change = self.upsert(secret);
                if let Some(Change::Upsert { shoot, .. }) = &change {
                    self.listing.insert(shoot.clone());
                }
                change.into_iter().collect()
            }
            Event::InitDone => self.listed(),
            Event::Apply(secret) if self.is_behind(&secret) => vec![],
            Event::Apply(secret) => self.upsert(secret).into_iter().collect(),
            Event::Delete(secret) => {
                namespace(&secret).and_then(|shoot| self.remove(shoot)).into_iter().collect()
            }
        }
    }

    /// What was read beside the watch. A list that comes later has the last word.
    pub(super) fn read(
        &mut self,
        shoot: Namespace,
        secret: Option<DeserializeGuard<Secret>>,
    ) -> Option<Change> {
        match secret {
            Some(secret) if self.is_behind(&secret) => None,
            Some(secret) => self.upsert(secret),
            None => self.remove(shoot),
        }
    }

    /// Whether something newer was told already: a watch may be behind what was read beside it.
    fn is_behind(&self, secret: &DeserializeGuard<Secret>) -> bool {
        let told = namespace(secret).and_then(|shoot| *self.shoots.get(&shoot)?);
        matches!((version(secret), told), (Some(version), Some(told)) if version < told)
    }

    fn upsert(&mut self, secret: DeserializeGuard<Secret>) -> Option<Change> {
        let shoot = namespace(&secret)?;
        self.shoots.insert(shoot.clone(), version(&secret));
        let hibernation = match self.which {
            Which::Own => hibernation(&secret),
            Which::Bootstrap => Hibernation::Awake,
        };
        let connection = connection(secret);
        Some(Change::Upsert { shoot, which: self.which, connection, hibernation })
    }

    fn remove(&mut self, shoot: Namespace) -> Option<Change> {
        self.shoots.remove(&shoot).map(|_| Change::Removed { shoot, which: self.which })
    }

    fn listed(&mut self) -> Vec<Change> {
        let listing = std::mem::take(&mut self.listing);
        let vanished: Vec<_> =
            self.shoots.keys().filter(|shoot| !listing.contains(*shoot)).cloned().collect();
        let mut changes: Vec<_> =
            vanished.into_iter().filter_map(|shoot| self.remove(shoot)).collect();
        if !std::mem::replace(&mut self.listed_once, true) {
            changes.push(Change::SnapshotComplete);
        }
        changes
    }
}

/// `None` only for what no API server sends.
fn namespace(secret: &DeserializeGuard<Secret>) -> Option<Namespace> {
    secret.namespace()?.parse().ok()
}

/// Versions of one API server grow.
fn version(secret: &DeserializeGuard<Secret>) -> Option<u64> {
    secret.resource_version()?.parse().ok()
}

fn hibernation(secret: &DeserializeGuard<Secret>) -> Hibernation {
    Hibernation::read(secret.annotations().get(keys::HIBERNATED).map(String::as_str))
}

fn connection(secret: DeserializeGuard<Secret>) -> Result<Connection, ConnectionError> {
    let secret = secret.0.map_err(|_| ConnectionError::Unreadable)?;
    let mut data = secret.data.unwrap_or_default();
    let ByteString(document) = data.remove(DATA_KUBECONFIG).ok_or(ConnectionError::Missing)?;
    Ok(kubeconfig::connection(&document)?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(namespace: &str, data: Value) -> DeserializeGuard<Secret> {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"name": "shoot-access-token-issuer", "namespace": namespace},
        }))
        .unwrap()
    }

    /// `+NAMESPACE`, `-NAMESPACE` or `mark`.
    fn told(known: &mut Known, event: Event<DeserializeGuard<Secret>>) -> Vec<String> {
        let line = |change| match change {
            Change::Upsert { shoot, .. } => format!("+{shoot}"),
            Change::Removed { shoot, .. } => format!("-{shoot}"),
            Change::SnapshotComplete => "mark".to_owned(),
            Change::Trouble(error) | Change::NotRead { error, .. } => error.to_string(),
        };
        known.reduce(event).into_iter().map(line).collect()
    }

    #[test]
    fn the_first_list_ends_with_a_mark_and_a_later_one_tells_what_vanished() {
        let mut known = Known::new(Which::Own);
        let empty = |namespace| secret(namespace, json!({}));
        assert!(told(&mut known, Event::Init).is_empty());
        assert_eq!(told(&mut known, Event::InitApply(empty("a"))), ["+a"]);
        assert_eq!(told(&mut known, Event::InitApply(empty("b"))), ["+b"]);
        assert_eq!(told(&mut known, Event::InitDone), ["mark"]);
        assert_eq!(told(&mut known, Event::Apply(empty("c"))), ["+c"]);

        told(&mut known, Event::Init);
        assert_eq!(told(&mut known, Event::InitApply(empty("b"))), ["+b"]);
        assert_eq!(told(&mut known, Event::InitDone), ["-a", "-c"]);
        assert_eq!(told(&mut known, Event::Delete(empty("b"))), ["-b"]);
        assert!(told(&mut known, Event::Delete(empty("b"))).is_empty(), "told once");
    }

    #[test]
    fn f_what_was_read_once_more_is_told_and_a_watch_that_is_behind_it_is_not() {
        let mut known = Known::new(Which::Own);
        let of = |version: &str| {
            let mut secret = secret("a", json!({}));
            secret.0.as_mut().unwrap().metadata.resource_version = Some(version.to_owned());
            secret
        };
        let shoot: Namespace = "a".parse().unwrap();
        assert_eq!(told(&mut known, Event::Apply(of("7"))), ["+a"]);
        assert!(known.read(shoot.clone(), Some(of("10"))).is_some());
        assert!(told(&mut known, Event::Apply(of("9"))).is_empty(), "behind what was read");
        assert!(known.read(shoot.clone(), Some(of("8"))).is_none());
        assert_eq!(told(&mut known, Event::Apply(of("11"))), ["+a"]);
        assert!(matches!(known.read(shoot.clone(), None), Some(Change::Removed { .. })));
        assert!(known.read(shoot, None).is_none(), "told once");
    }

    #[test]
    fn a_hibernation_stands_on_the_own_secret_and_nowhere_else() {
        let told = |which, value: &str| {
            let mut secret = secret("a", json!({}));
            let annotations = [(keys::HIBERNATED.to_owned(), value.to_owned())].into();
            secret.0.as_mut().unwrap().metadata.annotations = Some(annotations);
            match Known::new(which).reduce(Event::Apply(secret)).pop() {
                Some(Change::Upsert { hibernation, .. }) => hibernation,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told(Which::Own, "true"), Hibernation::Hibernated);
        assert_eq!(told(Which::Own, "false"), Hibernation::Awake);
        assert_eq!(told(Which::Own, "on"), Hibernation::Unreadable("on".to_owned()));
        assert_eq!(told(Which::Bootstrap, "true"), Hibernation::Awake);
    }

    #[test]
    fn a_list_that_broke_off_removes_nothing() {
        let mut known = Known::new(Which::Own);
        let empty = |namespace| secret(namespace, json!({}));
        for event in [Event::Init, Event::InitApply(empty("a")), Event::InitDone] {
            known.reduce(event);
        }
        assert!(told(&mut known, Event::Init).is_empty());
        assert!(told(&mut known, Event::Init).is_empty());
        assert_eq!(told(&mut known, Event::InitApply(empty("a"))), ["+a"]);
        assert!(told(&mut known, Event::InitDone).is_empty());
    }

    #[test]
    fn a_secret_that_says_nothing_is_told_with_the_reason() {
        let reason = |secret| connection(secret).unwrap_err().to_string();
        assert_eq!(
            reason(secret("a", json!({"token": "eA=="}))),
            "data key kubeconfig is missing; put a kubeconfig there"
        );
        assert_eq!(reason(secret("a", json!(7))), "the Secret cannot be read; make it anew");
        let empty = reason(secret("a", json!({"kubeconfig": ""})));
        assert!(empty.starts_with("data key kubeconfig cannot be used: "), "{empty}");
    }
}
