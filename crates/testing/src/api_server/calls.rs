//! What the fake was asked.

use std::collections::BTreeMap;

/// One kind of call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// Plural and subresource, such as `secrets` or `serviceaccounts/token`; for other paths the
    /// path.
    pub resource: String,
    /// Empty for all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
}

/// How often each kind of call came in, refused ones too. Counted on arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls(BTreeMap<Call, u64>);

impl Calls {
    pub(super) fn record(&mut self, call: Call) {
        *self.0.entry(call).or_default() += 1;
    }

    /// What came after `earlier`, without the kinds that did not change.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let more = self.0.iter().filter_map(|(call, count)| {
            let more = count - earlier.0.get(call).copied().unwrap_or_default();
            (more > 0).then(|| (call.clone(), more))
        });
        Self(more.collect())
    }

    /// Sum over the calls that `matches` takes.
    #[must_use]
    pub fn count(&self, matches: impl Fn(&Call) -> bool) -> u64 {
        self.0.iter().filter(|(call, _)| matches(call)).map(|(_, count)| count).sum()
    }

    /// TokenRequests.
    #[must_use]
    pub fn token_requests(&self) -> u64 {
        self.count(|call| call.verb == "create" && call.resource == "serviceaccounts/token")
    }

    /// TokenReviews.
    #[must_use]
    pub fn token_reviews(&self) -> u64 {
        self.count(|call| call.verb == "create" && call.resource == "tokenreviews")
    }

    /// Writes of a resource itself, such as `secrets`.
    #[must_use]
    pub fn writes(&self, resource: &str) -> u64 {
        let writes = ["create", "update", "patch", "delete"];
        self.count(|call| call.resource == resource && writes.contains(&call.verb))
    }

    /// Calls of one verb on one resource.
    #[must_use]
    pub fn of(&self, verb: &str, resource: &str) -> u64 {
        self.count(|call| call.verb == verb && call.resource == resource)
    }

    /// All kinds, for printing.
    pub fn iter(&self) -> impl Iterator<Item = (&Call, u64)> {
        self.0.iter().map(|(call, count)| (call, *count))
    }
}
