//! What is read of a target, and the operations of each write. Pure.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use perennial_core::{
    issued::Left,
    keys,
    kubeconfig::{check_ca_place, current_token, with_ca, with_token, without_token},
    name::AccountRef,
    token::{Claims, TokenHash},
};
use serde_json::{Value, json};

use super::{Delivered, Delivery, OPAQUE, Unwritable};
use crate::json_patch::{Operation, add, base64, pointer, test};

pub(super) fn data<'a>(found: &'a Secret, key: &str) -> Option<&'a [u8]> {
    found.data.as_ref()?.get(key).map(|value| value.0.as_slice())
}

pub(super) fn token_of(found: &Secret) -> Option<Vec<u8>> {
    let token = match data(found, keys::DATA_KUBECONFIG) {
        None => data(found, keys::DATA_TOKEN).map(<[u8]>::to_vec),
        Some(document) => {
            let token = current_token(document).ok().flatten();
            token.map(|token| token.expose().as_bytes().to_vec())
        }
    };
    token.filter(|token| !token.is_empty())
}

pub(super) fn writable(found: &Secret, inject_ca: bool) -> Result<(), Unwritable> {
    match found.type_.as_deref() {
        None | Some(OPAQUE) => {}
        Some(other) => return Err(Unwritable::Type(other.to_owned())),
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Err(Unwritable::Terminating);
    }
    if found.immutable == Some(true) {
        return Err(Unwritable::Immutable);
    }
    let Some(document) = data(found, keys::DATA_KUBECONFIG) else { return Ok(()) };
    current_token(document).map_err(Unwritable::Kubeconfig)?;
    if inject_ca { check_ca_place(document).map_err(Unwritable::Kubeconfig) } else { Ok(()) }
}

/// A target that is made.
pub(super) fn first(delivery: &Delivery) -> Secret {
    let bytes = |bytes: &[u8]| ByteString(bytes.to_vec());
    let token = (keys::DATA_TOKEN.to_owned(), bytes(delivery.token.expose().as_bytes()));
    let ca = delivery.ca_pem.as_deref().map(|pem| (keys::DATA_BUNDLE.to_owned(), bytes(pem)));
    Secret { data: Some([token].into_iter().chain(ca).collect()), ..Secret::default() }
}

/// A token that another owner of the same Secret delivered since we looked.
pub(super) fn later(found: &Secret, delivery: &Delivery, claims: &Claims) -> Option<Delivered> {
    let token = token_of(found)?;
    let sha256 = TokenHash::of(&token);
    if delivery.found.as_ref() == Some(&sha256) {
        return None;
    }
    let standing = Claims::read(&token).ok()?;
    let fits = standing.account == claims.account
        && standing.audiences == claims.audiences
        && standing.granted_seconds() == claims.granted_seconds()
        && standing.issued_at >= claims.issued_at;
    fits.then_some(Delivered { claims: standing, sha256 })
}

fn tests(found: &Secret) -> Vec<Operation> {
    if found.data.is_none() {
        return vec![test("/data", Value::Null)];
    }
    let as_is = |key| test(&pointer("/data", key), data(found, key).map_or(Value::Null, base64));
    [keys::DATA_TOKEN, keys::DATA_KUBECONFIG].map(as_is).into()
}

pub(super) fn put(found: &Secret, delivery: &Delivery) -> Result<Vec<Operation>, Unwritable> {
    writable(found, delivery.ca_pem.is_some())?;
    let mut operations = tests(found);
    let ca_pem = delivery.ca_pem.as_deref();
    if let Some(document) = data(found, keys::DATA_KUBECONFIG) {
        let document =
            with_token(document, &delivery.token, ca_pem).map_err(Unwritable::Kubeconfig)?;
        operations.push(add(pointer("/data", keys::DATA_KUBECONFIG), base64(&document)));
        return Ok(operations);
    }
    if found.data.is_none() {
        let data = json!(first(delivery).data);
        operations.push(add("/data".to_owned(), data));
        return Ok(operations);
    }
    let token = base64(delivery.token.expose().as_bytes());
    operations.push(add(pointer("/data", keys::DATA_TOKEN), token));
    operations.extend(put_bundle(found, ca_pem));
    Ok(operations)
}

fn put_bundle(found: &Secret, ca_pem: Option<&[u8]>) -> Option<Operation> {
    let path = pointer("/data", keys::DATA_BUNDLE);
    match (ca_pem, data(found, keys::DATA_BUNDLE)) {
        (Some(pem), held) => (held != Some(pem)).then(|| add(path, base64(pem))),
        (None, held) => held.map(|_| Operation::Remove { path }),
    }
}

pub(super) fn refresh(found: &Secret, ca_pem: Option<&[u8]>) -> Result<Vec<Operation>, Unwritable> {
    writable(found, ca_pem.is_some())?;
    let mut operations = tests(found);
    match (data(found, keys::DATA_KUBECONFIG), ca_pem) {
        (Some(document), Some(pem)) => {
            let edited = with_ca(document, pem).map_err(Unwritable::Kubeconfig)?;
            if edited == document {
                return Ok(Vec::new());
            }
            operations.push(add(pointer("/data", keys::DATA_KUBECONFIG), base64(&edited)));
        }
        (Some(_), None) => return Ok(Vec::new()),
        (None, pem) => match put_bundle(found, pem).filter(|_| found.data.is_some()) {
            Some(operation) => operations.push(operation),
            None => return Ok(Vec::new()),
        },
    }
    Ok(operations)
}

pub(super) fn leave(found: &Secret, left: &Left, account: &AccountRef) -> Vec<Operation> {
    let is_ours = |token: &[u8]| {
        TokenHash::of(token) == left.sha256
            || Claims::read(token).is_ok_and(|claims| claims.account == *account)
    };
    let ours = token_of(found).is_some_and(|token| is_ours(&token));
    if !ours || writable(found, false).is_err() {
        return Vec::new();
    }
    let mut operations = tests(found);
    if let Some(document) = data(found, keys::DATA_KUBECONFIG) {
        let Ok(emptied) = without_token(document) else { return Vec::new() };
        operations.push(add(pointer("/data", keys::DATA_KUBECONFIG), base64(&emptied)));
        return operations;
    }
    operations.push(Operation::Remove { path: pointer("/data", keys::DATA_TOKEN) });
    operations.extend(put_bundle(found, None));
    operations
}

#[cfg(test)]
mod tests;
