//! The three files, read as one.
//!
//! Whoever renews them replaces a symlink (the kubelet) or one file after the other (everybody else).
//! Either may happen between our reads, so they count only when two readings in a row are the same.
//! What is renewed so slowly that even that is half of it fits badly or is taken up twice; see
//! [`super::reload`] for why that is no trouble.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::TlsError;

/// Readings until two in a row are the same. A symlink is swapped once.
const READINGS_MAX: usize = 5;

pub(super) const CHAIN: &str = "the certificate of this process and its intermediates";
const KEY: &str = "the private key of that certificate";
pub(super) const AUTHORITIES: &str = "the certificates of the CA";

/// Where the PEM files are.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) authorities: PathBuf,
}

impl Files {
    /// The content, the same in two readings.
    pub(super) fn read(&self) -> Result<Read, TlsError> {
        let mut last = self.read_once();
        for _ in 1..READINGS_MAX {
            let next = self.read_once();
            match (&last, &next) {
                (Ok(a), Ok(b)) if a == b => return next,
                (Err(_), Err(_)) => return next, // a file is missing, and stays so
                _ => last = next,
            }
        }
        Err(TlsError::Unsettled { file: self.certificate.clone() })
    }

    fn read_once(&self) -> Result<Read, TlsError> {
        Ok(Read {
            certificate: read(&self.certificate, CHAIN)?,
            key: read(&self.key, KEY)?,
            authorities: read(&self.authorities, AUTHORITIES)?,
        })
    }
}

fn read(file: &Path, holds: &'static str) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|source| TlsError::Read { file: file.to_owned(), holds, source })
}

/// Content of the files, unchecked.
#[derive(PartialEq, Eq)]
pub(super) struct Read {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) authorities: Vec<u8>,
}

impl Read {
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.certificate, &self.key, &self.authorities] {
            hash.update(Sha256::digest(part)); // of fixed length, so that parts cannot run together
        }
        hash.finalize().into()
    }
}
