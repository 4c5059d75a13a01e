//! The cache folder of the user, shared by all checkouts and labs.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// `${XDG_CACHE_HOME:-$HOME/.cache}/perennial`.
///
/// # Errors
/// Neither variable is set.
pub fn folder() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("perennial"))
}

/// Where tools for people, such as grpcurl, are.
///
/// # Errors
/// As [`folder`].
pub fn tools() -> Result<PathBuf> {
    Ok(folder()?.join("tools"))
}
