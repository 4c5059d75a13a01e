//! The CA of a shoot, as far as it is kept: what is beside a token is compared with what the shoot
//! is reached by, and no document is remembered for that.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// 64 bits of the SHA-256 of a PEM bundle, byte by byte: another spelling of the same certificates
/// is another bundle, because consumers read bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CaHash(pub u64);

impl CaHash {
    /// Hash of a bundle.
    #[must_use]
    pub fn of(pem: &[u8]) -> Self {
        let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(pem).into();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl fmt::Debug for CaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaHash({:016x})", self.0)
    }
}
