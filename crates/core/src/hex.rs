//! Hashes in hex. As text each would be twice as long and an allocation of its own, and the
//! scheduler holds some of them 100,000 times: so what is the hex of so many bytes is kept as bytes.

use std::{array, fmt};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A hash of `N` bytes; or any other text that another process sent in its place, which is kept as
/// it came.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Hex<const N: usize> {
    Bytes([u8; N]),
    Other(Box<str>), // never the lower-case hex of N bytes
}

impl<const N: usize> Hex<N> {
    /// The first `N` bytes of a SHA-256.
    pub(crate) fn of(hasher: Sha256) -> Self {
        const { assert!(N <= 32) };
        let hash: [u8; 32] = hasher.finalize().into();
        Self::Bytes(array::from_fn(|at| hash[at]))
    }

    /// 64 bits that are the same for equal ones.
    pub(crate) fn short(&self) -> u64 {
        const { assert!(N >= 8) };
        u64::from_be_bytes(match self {
            Self::Bytes(bytes) => array::from_fn(|at| bytes[at]),
            Self::Other(text) => {
                let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
                array::from_fn(|at| hash[at])
            }
        })
    }
}

impl<const N: usize> From<String> for Hex<N> {
    fn from(text: String) -> Self {
        bytes(&text).map_or_else(|| Self::Other(text.into()), Self::Bytes)
    }
}

impl<const N: usize> From<Hex<N>> for String {
    fn from(hash: Hex<N>) -> Self {
        hash.to_string()
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&hex(bytes)),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from(DIGITS[usize::from(four)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// The bytes of lower-case hex; `None` where it is anything else.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_hash_comes_back_as_the_text_that_was_sent(text in "[0-9a-fA-F]{0,10}|[0-9a-f]{8}|.*") {
            let hash = Hex::<4>::from(text.clone());
            prop_assert_eq!(hash.to_string(), &*text);
            prop_assert_eq!(serde_json::to_string(&hash)?, serde_json::to_string(&text)?);
        }
    }

    #[test]
    fn hex_of_the_right_length_is_kept_without_an_allocation() {
        assert_eq!(Hex::<4>::from("00ff10ab".to_owned()), Hex::Bytes([0, 0xff, 0x10, 0xab]));
        for other in ["00FF10AB", "00ff10a", "00ff10ag", ""] {
            assert_eq!(Hex::<4>::from(other.to_owned()), Hex::Other(other.into()));
        }
    }
}
