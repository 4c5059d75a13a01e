//! Kubeconfigs: read, and changed in one place.
//!
//! Two rules carry this module. A document is never written anew (B6): the token's scalar is found
//! by its bytes and replaced, then the result is parsed again and compared with what was meant,
//! so that every comment, order, number like `0123` and key nobody knows stays as it was. And
//! whatever could mean two things (aliases, merge keys, duplicates, several documents) on the way
//! to that scalar is refused with a remedy, before a token is issued for it (B10).
//!
//! `tree` parses, `current` finds the way from `current-context`, `edit` plans and proves a
//! change, and `connection` reads how a shoot is reached (section F). `generic` is the one that
//! writes a document of its own: the kubeconfig without a credential (section E).

use crate::token::Token;

mod connection;
mod current;
mod edit;
mod error;
mod generic;
mod tree;

#[cfg(test)]
mod connection_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Inline, connection};
pub use error::{KubeconfigError, Part};
pub use generic::{Endpoint, EndpointError, TokenFile, TokenFileError, generic};

use current::{Current, Kind};
use edit::Change;
use tree::Tree;

/// Data key of a token in the entry of a user.
const TOKEN: &str = "token";
/// Data key of a CA in the entry of a cluster.
const CA_DATA: &str = "certificate-authority-data";

/// Token of the user of `current-context`; `None` where it is absent, null or empty.
///
/// # Errors
/// When [`with_token`] could not put a token there, so that none is issued in vain.
pub fn current_token(document: &[u8]) -> Result<Option<Token>, KubeconfigError> {
    let tree = Tree::parse(document)?;
    let user = Current::of(&tree)?.place(Kind::User, TOKEN)?;
    let trial = user.plan("x")?;
    match user.text()? {
        Some(token) => Ok(Some(Token::new(token.to_owned()))),
        // Replacing a text cannot fail; adding an entry is tried, once in the life of a Secret.
        None => edit::apply(&tree, vec![trial]).map(|_| None),
    }
}

/// Whether a CA can be put into the cluster of `current-context`, as [`with_token`] does.
///
/// # Errors
/// When it cannot.
pub fn check_ca_place(document: &[u8]) -> Result<(), KubeconfigError> {
    let tree = Tree::parse(document)?;
    let cluster = Current::of(&tree)?.place(Kind::Cluster, CA_DATA)?;
    edit::apply(&tree, vec![cluster.plan("x")?]).map(|_| ())
}

/// CA of the cluster of `current-context`, PEM; `None` where it is absent or cannot be read.
///
/// # Errors
/// When the place cannot be found beyond doubt.
pub fn current_ca(document: &[u8]) -> Result<Option<Vec<u8>>, KubeconfigError> {
    let tree = Tree::parse(document)?;
    let cluster = Current::of(&tree)?.place(Kind::Cluster, CA_DATA)?;
    Ok(cluster.text()?.and_then(connection::decode))
}

/// The document with this CA for the cluster of `current-context`; all other bytes as they were.
///
/// # Errors
/// When the place cannot be found beyond doubt, or the change could not be proved.
pub fn with_ca(document: &[u8], ca_pem: &[u8]) -> Result<Vec<u8>, KubeconfigError> {
    let tree = Tree::parse(document)?;
    let change = ca_change(&Current::of(&tree)?, ca_pem)?;
    edit::apply(&tree, change.into_iter().collect())
}

fn ca_change<'d>(
    current: &Current<'_, 'd>,
    pem: &[u8],
) -> Result<Option<Change<'d>>, KubeconfigError> {
    if !connection::looks_like_certificates(pem) {
        return Err(KubeconfigError::CaText);
    }
    let cluster = current.place(Kind::Cluster, CA_DATA)?;
    let held = cluster.text()?.and_then(connection::decode);
    let differs = held.as_deref() != Some(pem);
    differs.then(|| cluster.plan(&connection::encode(pem))).transpose()
}

/// The document with an empty token for the user of `current-context`; all other bytes as they were.
///
/// # Errors
/// Those of [`with_token`].
pub fn without_token(document: &[u8]) -> Result<Vec<u8>, KubeconfigError> {
    let tree = Tree::parse(document)?;
    let user = Current::of(&tree)?.place(Kind::User, TOKEN)?;
    let change = user.text()?.map(|_| user.plan("")).transpose()?;
    edit::apply(&tree, change.into_iter().collect())
}

/// The document with this token for the user of `current-context` and, with `ca_pem`, that CA for
/// its cluster; all other bytes as they were. What stands there already keeps its spelling, so
/// the result equals the document exactly when nothing had to change.
///
/// # Errors
/// When the place cannot be found beyond doubt, or the change could not be proved.
pub fn with_token(
    document: &[u8],
    token: &Token,
    ca_pem: Option<&[u8]>,
) -> Result<Vec<u8>, KubeconfigError> {
    if token.expose().is_empty() || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KubeconfigError::TokenText);
    }
    let tree = Tree::parse(document)?;
    let current = Current::of(&tree)?;
    let mut changes: Vec<Change<'_>> = Vec::with_capacity(2);
    let user = current.place(Kind::User, TOKEN)?;
    if user.text()? != Some(token.expose()) {
        changes.push(user.plan(token.expose())?);
    }
    if let Some(pem) = ca_pem {
        changes.extend(ca_change(&current, pem)?);
    }
    edit::apply(&tree, changes)
}
