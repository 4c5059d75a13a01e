//! Which resources there are.

use serde_json::{Value, json};

/// One kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub group: &'static str, // empty for the core group
    pub version: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
}

/// What is kept. TokenRequests and reviews are answered and not kept.
const RESOURCES: [Resource; 7] = [
    core("namespaces", "Namespace", false),
    core("secrets", "Secret", true),
    core("serviceaccounts", "ServiceAccount", true),
    core("configmaps", "ConfigMap", true),
    core("events", "Event", true),
    Resource {
        group: "events.k8s.io",
        version: "v1",
        plural: "events",
        kind: "Event",
        namespaced: true,
    },
    Resource {
        group: "coordination.k8s.io",
        version: "v1",
        plural: "leases",
        kind: "Lease",
        namespaced: true,
    },
];

const fn core(plural: &'static str, kind: &'static str, namespaced: bool) -> Resource {
    Resource { group: "", version: "v1", plural, kind, namespaced }
}

impl Resource {
    /// A core resource by its plural.
    ///
    /// # Panics
    /// There is none.
    pub(super) fn named(plural: &str) -> &'static Self {
        RESOURCES
            .iter()
            .find(|resource| resource.plural == plural)
            .expect("a test names a resource of RESOURCES")
    }

    pub(super) fn of_kind(kind: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.kind == kind)
    }

    pub(super) fn find(group: &str, plural: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.group == group && resource.plural == plural)
    }

    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `secrets`, `leases.coordination.k8s.io`
    pub(super) fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    pub(super) fn details(&self, name: &str) -> Value {
        let mut details = json!({"name": name, "kind": self.plural});
        if !self.group.is_empty() {
            details["group"] = self.group.into();
        }
        details
    }
}
