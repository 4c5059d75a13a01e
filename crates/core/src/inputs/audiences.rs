//! Audiences of tokens. The API server takes any text; these bounds keep a token small enough for a
//! header, and are the same for annotations, flags and requests to the token-issuer.

use std::{fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, Problem};
use crate::{keys, quote::is_shown};

/// Most audiences of one token.
pub const AUDIENCES_MAX: usize = 32;
/// Longest audience, in bytes.
pub const AUDIENCE_BYTES_MAX: usize = 253;

/// Whether a text can be an audience: not empty, not too long, and all of it can be seen: a token for
/// an audience with a zero-width space would fit nobody, and nobody would see why.
#[must_use]
pub fn is_audience(text: &str) -> bool {
    (1..=AUDIENCE_BYTES_MAX).contains(&text.len()) && text.chars().all(is_shown)
}

/// Reads the annotation: audiences with a comma between, and perhaps space around it.
pub(super) fn read(text: &str) -> Result<Audiences, Invalid> {
    let parts = || text.split(',').map(|part| part.trim());
    if parts().count() > AUDIENCES_MAX || !parts().all(is_audience) {
        return Err(Invalid::annotation(keys::AUDIENCES, Some(text), Problem::Audience));
    }
    Ok(parts().map(str::to_owned).collect::<Vec<_>>().into())
}

/// The audiences of a token. Those of very many tokens are the same, so a list can be shared.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Audiences(Option<Arc<Vec<String>>>); // none where it is empty

impl Audiences {
    /// Whether both are one list in memory.
    pub(crate) fn is_one(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

impl From<Vec<String>> for Audiences {
    fn from(list: Vec<String>) -> Self {
        Self(Some(list).filter(|list| !list.is_empty()).map(Arc::new))
    }
}

impl From<Audiences> for Vec<String> {
    fn from(audiences: Audiences) -> Self {
        audiences.to_vec()
    }
}

impl Deref for Audiences {
    type Target = [String];
    fn deref(&self) -> &[String] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for Audiences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
