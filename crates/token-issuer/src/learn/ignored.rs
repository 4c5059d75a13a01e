//! Secrets of the fixed names where no shoot may be.

use std::collections::BTreeSet;

use perennial_core::name::Namespace;
use perennial_kube::shoot_secrets::{Change, Which};
use prometheus_client::metrics::gauge::Gauge;
use tracing::warn;

use crate::shoot_namespaces::ShootNamespaces;

/// Keeps them from the directory. Of each only the name is kept, as long as it is there, so that it
/// is told once and not with every edit or new list.
#[derive(Debug)]
pub struct Ignored {
    admitted: ShootNamespaces,
    present: BTreeSet<(Namespace, Which)>,
    count: Gauge,
}

impl Ignored {
    /// Ignores what is in none of these namespaces; `count` shows how many Secrets that are.
    #[must_use]
    pub const fn new(admitted: ShootNamespaces, count: Gauge) -> Self {
        Self { admitted, present: BTreeSet::new(), count }
    }

    /// Whether a change is about a Secret that is ignored.
    pub fn takes(&mut self, change: &Change) -> bool {
        let (namespace, which, is_there) = match change {
            Change::Upsert { shoot, which, .. } => (shoot, *which, true),
            Change::Removed { shoot, which } => (shoot, *which, false),
            Change::SnapshotComplete | Change::NotRead { .. } | Change::Trouble(_) => return false,
        };
        if self.admitted.admit(namespace) {
            return false;
        }
        let key = (namespace.clone(), which);
        if !is_there {
            self.present.remove(&key);
        } else if self.present.insert(key) {
            warn!(
                %namespace, which = ?which,
                "left a Secret alone: its namespace may not hold a shoot (--shoot-namespace={})",
                self.admitted
            );
        }
        self.count.set(i64::try_from(self.present.len()).unwrap_or(i64::MAX));
        true
    }
}

#[cfg(test)]
mod tests {
    use perennial_core::shoot::Hibernation;
    use perennial_kube::shoot_secrets::ConnectionError;

    use super::*;

    fn there(namespace: &str, which: Which) -> Change {
        let connection = Err(ConnectionError::Missing);
        let hibernation = Hibernation::Awake;
        Change::Upsert { shoot: namespace.parse().unwrap(), which, connection, hibernation }
    }

    #[test]
    fn only_secrets_outside_of_shoot_namespaces_are_taken_and_each_counts_once() {
        let admitted = ShootNamespaces::new(vec!["shoot--*".parse().unwrap()]);
        let count = Gauge::default();
        let mut ignored = Ignored::new(admitted, count.clone());
        assert!(!ignored.takes(&there("shoot--lab--1", Which::Own)));
        assert!(!ignored.takes(&Change::SnapshotComplete));
        let trouble = perennial_kube::Error::Unreachable {
            operation: "list Secrets".to_owned(),
            cause: "connection refused".to_owned(),
        };
        assert!(!ignored.takes(&Change::Trouble(trouble)));
        assert_eq!(count.get(), 0);

        for which in [Which::Own, Which::Bootstrap, Which::Own] {
            assert!(ignored.takes(&there("default", which)));
        }
        assert_eq!(count.get(), 2);
        let gone = Change::Removed { shoot: "default".parse().unwrap(), which: Which::Own };
        assert!(ignored.takes(&gone));
        assert_eq!(count.get(), 1);
    }
}
