//! Access Secrets as users make them, and the token that stands in one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use perennial_core::{keys, kubeconfig};

/// An access Secret without a token, for a ServiceAccount in `kube-system`; `more` are annotations
/// that come beside, or instead of, the two that name the account.
#[must_use]
pub fn build(name: &str, account: &str, more: &[(&str, &str)]) -> Secret {
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let mut annotations =
        texts(&[(keys::ACCOUNT_NAME, account), (keys::ACCOUNT_NAMESPACE, "kube-system")]);
    annotations.extend(texts(more));
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(texts(&[
                (keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR),
                (keys::CLASS, keys::CLASS_SHOOT),
            ])),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// The token where it stands: in `token`, or in the kubeconfig. None where that is empty or cannot
/// be read.
#[must_use]
pub fn token(secret: &Secret) -> Option<String> {
    let data = secret.data.as_ref()?;
    let token = match data.get(keys::DATA_KUBECONFIG) {
        Some(document) => kubeconfig::current_token(&document.0).ok()??.expose().to_owned(),
        None => String::from_utf8(data.get(keys::DATA_TOKEN)?.0.clone()).ok()?,
    };
    (!token.is_empty()).then_some(token)
}
