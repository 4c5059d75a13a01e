//! ServiceAccounts of right Secrets: each with its namespace and its labels, so that two Secrets for
//! one account never want different things.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::{labels, names};

/// Namespaces that every API server makes itself.
const NAMESPACES: [&str; 4] = ["kube-system", "default", "kube-public", "kube-node-lease"];

/// A ServiceAccount.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its namespace in the shoot.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Account {
    /// The account of this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        let rng = &mut Rng::with_seed(number);
        Self {
            namespace: NAMESPACES[rng.usize(..NAMESPACES.len())],
            name: format!("right-{number}.{}", names::right(rng, names::Rule::Subdomain)),
            labels: labels::right(rng),
        }
    }
}
