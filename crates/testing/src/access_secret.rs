//! Access Secrets as JSON objects (contract, section A).

use std::collections::BTreeMap;

use perennial_core::keys;
use serde_json::{Value, json};

/// An access Secret in the making: class `shoot`, no token, for an account in `kube-system`.
#[derive(Clone, Debug)]
pub struct AccessSecret {
    namespace: String,
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    string_data: BTreeMap<String, String>,
}

impl AccessSecret {
    /// Secret `namespace`/`name` for ServiceAccount `kube-system`/`account`.
    #[must_use]
    pub fn new(namespace: &str, name: &str, account: &str) -> Self {
        let texts = |pairs: [(&str, &str); 2]| {
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        };
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: texts([
                (keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR),
                (keys::CLASS, keys::CLASS_SHOOT),
            ]),
            annotations: texts([
                (keys::ACCOUNT_NAME, account),
                (keys::ACCOUNT_NAMESPACE, "kube-system"),
            ]),
            string_data: BTreeMap::new(),
        }
    }

    /// Sets an annotation.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn labelled(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Puts a kubeconfig there, which means kubeconfig mode.
    #[must_use]
    pub fn with_kubeconfig(mut self, document: &str) -> Self {
        self.string_data.insert(keys::DATA_KUBECONFIG.to_owned(), document.to_owned());
        self
    }

    /// The object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"namespace": self.namespace, "name": self.name, "labels": self.labels,
                "annotations": self.annotations},
            "stringData": self.string_data,
        })
    }
}
