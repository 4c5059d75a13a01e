//! The operations of the one patch that writes a token.
//!
//! `test` of `null` fails where the object around a key is absent. `metadata.labels` and
//! `metadata.annotations` are always there: without the purpose label and the account's annotation
//! no Secret is ours and valid. `data` may be absent, then `/data` itself is tested and added.

use k8s_openapi::api::core::v1::Secret;
use perennial_core::{
    inputs::Mode,
    keys,
    kubeconfig::{KubeconfigError, with_ca, with_token},
    token::Token,
};
use serde_json::{Map, Value, json};

use super::{
    Layout,
    order::{CaOrder, NoteOrder, Order, Put},
    reduce::data,
};
use crate::json_patch::{Operation, add, base64, pointer, test};

/// Token mode, for the very version that the decision saw. Token bytes are not kept, and need not
/// be: the version stands for them.
pub(super) fn for_version_seen(
    order: &Order,
    token: &Token,
    ca_pem: Option<&[u8]>,
) -> Vec<Operation> {
    let mut operations = vec![
        test("/metadata/uid", json!(order.seen.record.uid)),
        test("/metadata/resourceVersion", json!(order.seen.resource_version.as_str())),
    ];
    operations.extend(put_token(token, ca_pem, order.seen.layout));
    operations.extend(put_annotations(order));
    operations
}

/// Either mode, for every version in which all that the decision depends on is as in `found`:
/// unrelated edits neither stop it nor are lost.
///
/// # Errors
/// When the kubeconfig cannot take the token.
pub(super) fn for_content(
    order: &Order,
    found: &Secret,
) -> Result<Vec<Operation>, KubeconfigError> {
    let mut operations = tests_of_metadata(found);
    match &order.put {
        Put::Token { token, ca_pem } => {
            operations.extend(tests_of_data(Mode::Token, found));
            operations.extend(put_token(token, ca_pem.as_deref(), layout(found)));
        }
        Put::Kubeconfig { token, ca_pem } => {
            operations.extend(tests_of_data(Mode::Kubeconfig, found));
            let document = data(found, keys::DATA_KUBECONFIG).unwrap_or_default();
            let document = with_token(document, token, ca_pem.as_deref())?;
            operations.push(add(pointer("/data", keys::DATA_KUBECONFIG), base64(&document)));
        }
        Put::Nothing => operations.extend(take_all(found)),
    }
    operations.extend(put_annotations(order));
    Ok(operations)
}

/// The CA alone, under the same tests.
///
/// # Errors
/// When the kubeconfig cannot take it.
pub(super) fn for_ca(order: &CaOrder, found: &Secret) -> Result<Vec<Operation>, KubeconfigError> {
    let mut operations = tests_of_metadata(found);
    operations.extend(tests_of_data(order.mode, found));
    match (order.mode, order.ca_pem.as_deref()) {
        (Mode::Token, pem) => operations.extend(put_bundle(pem.map(base64), layout(found))),
        (Mode::Kubeconfig, Some(pem)) => {
            let document = data(found, keys::DATA_KUBECONFIG).unwrap_or_default();
            let document = with_ca(document, pem)?;
            operations.push(add(pointer("/data", keys::DATA_KUBECONFIG), base64(&document)));
        }
        (Mode::Kubeconfig, None) => {}
    }
    Ok(operations)
}

/// The note alone, under the same tests of what is not data.
pub(super) fn for_note(order: &NoteOrder, found: &Secret) -> Vec<Operation> {
    let mut operations = tests_of_metadata(found);
    operations.push(put_annotation(keys::ISSUED, order.note.to_line()));
    operations
}

/// What went to a target disappears here (B7), as it was read and not as somebody changed it.
fn take_all(found: &Secret) -> Vec<Operation> {
    let all = [keys::DATA_TOKEN, keys::DATA_KUBECONFIG, keys::DATA_BUNDLE];
    let held = all.into_iter().filter_map(|key| Some((key, data(found, key)?)));
    let take = |(key, value)| {
        let path = pointer("/data", key);
        [test(&path, base64(value)), Operation::Remove { path }]
    };
    held.flat_map(take).collect()
}

fn layout(found: &Secret) -> Layout {
    Layout { data: found.data.is_some(), bundle: data(found, keys::DATA_BUNDLE).is_some() }
}

fn tests_of_metadata(found: &Secret) -> Vec<Operation> {
    let meta = &found.metadata;
    let label = |key| (key, meta.labels.as_ref().and_then(|labels| labels.get(key)));
    let annotation = |key| (key, meta.annotations.as_ref().and_then(|held| held.get(key)));
    let labels = [keys::PURPOSE, keys::CLASS].map(label);
    let own = [keys::RENEW_TIMESTAMP, keys::ISSUED];
    let annotations = keys::INPUT_ANNOTATIONS.into_iter().chain(own).map(annotation);
    let as_is = |parent| move |(key, value)| test(&pointer(parent, key), json!(value));
    let mut tests = vec![test("/metadata/uid", json!(meta.uid))];
    tests.extend(labels.into_iter().map(as_is("/metadata/labels")));
    tests.extend(annotations.map(as_is("/metadata/annotations")));
    tests
}

/// The token or the document that was read, and that the mode is still the same.
fn tests_of_data(mode: Mode, found: &Secret) -> Vec<Operation> {
    if found.data.is_none() {
        return vec![test("/data", Value::Null)];
    }
    let as_is = |key| test(&pointer("/data", key), data(found, key).map_or(Value::Null, base64));
    match mode {
        Mode::Token => vec![as_is(keys::DATA_TOKEN), as_is(keys::DATA_KUBECONFIG)],
        Mode::Kubeconfig => vec![as_is(keys::DATA_KUBECONFIG)],
    }
}

fn put_token(token: &Token, ca_pem: Option<&[u8]>, layout: Layout) -> Vec<Operation> {
    let token = base64(token.expose().as_bytes());
    let bundle = ca_pem.map(base64);
    if !layout.data {
        let mut all = Map::from_iter([(keys::DATA_TOKEN.to_owned(), token)]);
        all.extend(bundle.map(|bundle| (keys::DATA_BUNDLE.to_owned(), bundle)));
        return vec![add("/data".to_owned(), Value::Object(all))];
    }
    let mut operations = vec![add(pointer("/data", keys::DATA_TOKEN), token)];
    operations.extend(put_bundle(bundle, layout));
    operations
}

fn put_bundle(bundle: Option<Value>, layout: Layout) -> Option<Operation> {
    let path = pointer("/data", keys::DATA_BUNDLE);
    match bundle {
        Some(bundle) => Some(add(path, bundle)),
        None => layout.bundle.then_some(Operation::Remove { path }),
    }
}

fn put_annotations(order: &Order) -> [Operation; 2] {
    // `Display` of a jiff timestamp is RFC 3339 in UTC with `Z`; this one has whole seconds.
    let latest = order.latest.to_string();
    let note = order.note.to_line();
    [put_annotation(keys::RENEW_TIMESTAMP, latest), put_annotation(keys::ISSUED, note)]
}

fn put_annotation(key: &str, value: String) -> Operation {
    add(pointer("/metadata/annotations", key), json!(value))
}

#[cfg(test)]
mod tests;
