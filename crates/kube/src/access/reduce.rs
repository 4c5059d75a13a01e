//! From a Secret to what is kept of it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use perennial_core::{
    inputs::Interpretation,
    keys,
    name::SecretRef,
    record::{Record, SecretView},
};

use super::{Layout, ResourceVersion, Seen, other_writer::other_writer};

/// Which Secret this is; `None` only where the API server breaks its own rules for names.
pub(crate) fn secret_ref(object: &impl kube::Resource) -> Option<SecretRef> {
    let meta = object.meta();
    SecretRef::parse(meta.namespace.as_deref()?, meta.name.as_deref()?).ok()
}

/// The version of an object; empty where it has none, which is older than nothing.
pub(crate) fn resource_version(object: &impl kube::Resource) -> ResourceVersion {
    ResourceVersion::new(object.meta().resource_version.clone().unwrap_or_default())
}

/// The value of a data key.
pub(crate) fn data<'a>(object: &'a Secret, key: &str) -> Option<&'a [u8]> {
    object.data.as_ref()?.get(key).map(|value| value.0.as_slice())
}

/// Reduces a Secret; `None` where it is not ours to serve.
pub(super) fn reduce(object: &Secret, interpretation: &Interpretation) -> Option<Seen> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    let meta = &object.metadata;
    let labels = meta.labels.as_ref().unwrap_or(&NONE);
    if !interpretation.serves(labels) {
        return None;
    }
    let secret = secret_ref(object)?;
    let view = SecretView {
        secret: &secret,
        uid: meta.uid.as_deref().unwrap_or_default(),
        labels,
        annotations: meta.annotations.as_ref().unwrap_or(&NONE),
        token: data(object, keys::DATA_TOKEN),
        kubeconfig: data(object, keys::DATA_KUBECONFIG),
        bundle: data(object, keys::DATA_BUNDLE),
        immutable: object.immutable.unwrap_or(false),
        terminating: meta.deletion_timestamp.is_some(),
    };
    Some(Seen {
        record: Record {
            other_writer: other_writer(object).map(Box::new),
            ..Record::reduce(&view, interpretation)
        },
        resource_version: resource_version(object),
        layout: Layout {
            data: object.data.is_some(),
            bundle: data(object, keys::DATA_BUNDLE).is_some(),
        },
        in_vain: false,
    })
}
