//! Which state of a Secret a decision was made on (B8).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::Hex;

/// Hash of everything on a Secret that a decision depends on: uid, inputs, what stands for a
/// token, note and timestamp. Never the resourceVersion, which every unrelated edit changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(Hex<16>);

impl Digest {
    /// Hash over the parts; each is preceded by its length, an absent one differs from an empty one.
    #[must_use]
    pub(crate) fn over<'a>(parts: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            match part {
                Some(bytes) => {
                    hasher.update((bytes.len() as u64).to_be_bytes());
                    hasher.update(bytes);
                }
                None => hasher.update(u64::MAX.to_be_bytes()),
            }
        }
        Self(Hex::of(hasher))
    }

    /// 64 bits of it, for who only has to tell the states of one Secret apart.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.0.short()
    }

    /// A digest as another process sent it. Any text will do: it is only compared.
    #[must_use]
    pub fn received(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
