//! Labels for the ServiceAccount, checked as the API server checks them (Kubernetes, "Labels and
//! Selectors, syntax and character set"), so that a bad one is an Event here and not a refused
//! call at the shoot.

use std::collections::BTreeMap;

use super::invalid::{Invalid, Problem};
use crate::{keys, name::SecretName, quote::cut};

/// Most labels of a ServiceAccount. Kubernetes has no bound, Gardener writes a few.
pub const ACCOUNT_LABELS_MAX: usize = 256;
/// Longest name or value of a label, in bytes.
const PART_BYTES_MAX: usize = 63;

pub(super) fn read(text: &str) -> Result<BTreeMap<String, String>, Invalid> {
    let invalid = |problem| Invalid::annotation(keys::ACCOUNT_LABELS, Some(text), problem);
    let labels: BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|_| invalid(Problem::NotALabelObject))?;
    if labels.len() > ACCOUNT_LABELS_MAX {
        return Err(invalid(Problem::TooManyLabels));
    }
    match labels.iter().find(|(key, value)| !(is_label_key(key) && is_label_value(value))) {
        Some((key, _)) => Err(invalid(Problem::Label { label: cut(key) })),
        None => Ok(labels),
    }
}

/// Whether a text can be the key of a label.
#[must_use]
pub fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => prefix.parse::<SecretName>().is_ok() && is_part(name),
        None => is_part(key),
    }
}

/// Whether a text can be the value of a label.
#[must_use]
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_part(value)
}

fn is_part(part: &str) -> bool {
    let bytes = part.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    bytes.len() <= PART_BYTES_MAX
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(inside)
}
