//! The JSON of a ServiceAccount's labels.

use std::collections::BTreeMap;

use perennial_core::{
    inputs::{ACCOUNT_LABELS_MAX, Inputs, Interpretation, Invalid, Mode},
    keys,
};

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    super::annotation(keys::ACCOUNT_LABELS, number)
}

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let labels = match read(text) {
        Ok(labels) => labels,
        Err(invalid) => {
            assert_eq!((invalid.key, invalid.reason()), (keys::ACCOUNT_LABELS, "LABELS_INVALID"));
            return super::secret::is_a_good_message(&invalid.to_string(), keys::ACCOUNT_LABELS);
        }
    };
    assert!(labels.len() <= ACCOUNT_LABELS_MAX);
    for (key, value) in &labels {
        let (prefix, name) = key.split_once('/').unwrap_or(("", key));
        assert!(prefix.len() <= 253 && is_part(name), "{key:?}");
        assert!(value.is_empty() || is_part(value), "{value:?}");
    }
    let again = serde_json::to_string(&labels).expect("texts always serialize");
    assert_eq!(read(&again), Ok(labels));
}

fn read(text: &str) -> Result<BTreeMap<String, String>, Invalid> {
    let annotations = [
        (keys::ACCOUNT_NAME, "kube-proxy"),
        (keys::ACCOUNT_NAMESPACE, "kube-system"),
        (keys::ACCOUNT_LABELS, text),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let inputs = Inputs::read(&annotations.into(), Mode::Token, &Interpretation::default())?;
    Ok(inputs.account_labels)
}

fn is_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(inside)
}
