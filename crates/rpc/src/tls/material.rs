//! What the three files hold, checked.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use perennial_core::flaw::{Flaw, Flawed};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{
    files::{AUTHORITIES, CHAIN, Files, Read},
    validity::{Validity, earliest_end},
    verify::{Expected, SpiffeVerifier},
};
use crate::identity::{IdentityError, SpiffeId};

/// gRPC is HTTP/2 and nothing else.
const ALPN_H2: &[u8] = b"h2";

/// Why certificates cannot be used. The text names the file and what to do. It never holds
/// anything of the key file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("failed to read {file}; it must hold {holds} as PEM")]
    Read {
        /// The file.
        file: PathBuf,
        /// What belongs there.
        holds: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file of certificates is not PEM, or there is none in it.
    #[error("{file} has no readable certificate; write {holds} there as PEM")]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What belongs there.
        holds: &'static str,
    },
    /// The key file holds no key that can be used.
    #[error("{file} has no usable private key; write an ECDSA, Ed25519 or RSA key there as PEM")]
    Key {
        /// The file.
        file: PathBuf,
    },
    /// Key and certificate are not a pair.
    #[error(
        "the key in {key} does not belong to the certificate in {certificate}; \
             replace both together"
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A certificate that cannot be an authority.
    #[error("{file} holds a certificate that cannot be an authority; write the CA there")]
    Authority {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Our own certificate does not say who we are.
    #[error("the certificate in {file} does not say who we are; issue it with one SPIFFE URI")]
    Identity {
        /// The file.
        file: PathBuf,
        /// Why.
        source: IdentityError,
    },
    /// The certificate is of somebody else.
    #[error(
        "{file} is the certificate of {is}, not of {should_be}; mount the right one, or correct \
         --trust-domain and --identity-namespace"
    )]
    NotOurs {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        is: SpiffeId,
        /// Who we are.
        should_be: SpiffeId,
    },
    /// The files now hold the certificate of somebody else.
    #[error("{file} changed from {was} to {is}; restart the process if that is meant")]
    IdentityChanged {
        /// The file.
        file: PathBuf,
        /// Who we are.
        was: SpiffeId,
        /// Whose certificate it is now.
        is: SpiffeId,
    },
    /// Our own certificate is no longer valid.
    #[error("the certificate in {file} expired at {at}; renew it")]
    Expired {
        /// The file.
        file: PathBuf,
        /// When.
        at: Timestamp,
    },
    /// Our own certificate is not valid yet.
    #[error("the certificate in {file} is valid only from {from}; compare the clocks, or wait")]
    NotYetValid {
        /// The file.
        file: PathBuf,
        /// From when on.
        from: Timestamp,
    },
    /// The files changed under each look at them.
    #[error("{file} and the files beside it keep changing; replace all of them at once")]
    Unsettled {
        /// One of them.
        file: PathBuf,
    },
    /// rustls refuses to verify clients against these authorities.
    #[error("failed to prepare the verification of clients")]
    Verifier(#[source] VerifierBuilderError),
    /// rustls refuses the configuration.
    #[error("failed to prepare TLS")]
    Rustls(#[source] rustls::Error),
}

impl Flawed for TlsError {
    fn flaw(&self) -> Flaw {
        match self {
            Self::Read { .. } => Flaw::Missing,
            Self::Certificate { .. }
            | Self::Key { .. }
            | Self::Mismatch { .. }
            | Self::Authority { .. }
            | Self::Unsettled { .. }
            | Self::Verifier(_)
            | Self::Rustls(_) => Flaw::Damaged,
            Self::Expired { .. } | Self::NotYetValid { .. } => Flaw::OutOfTime,
            Self::Identity { .. } | Self::NotOurs { .. } | Self::IdentityChanged { .. } => {
                Flaw::Unfit
            }
        }
    }
}

/// Checked content, ready for connections.
pub(super) struct Material {
    digest: [u8; 32],
    identity: SpiffeId,
    provider: Arc<CryptoProvider>,
    own: Arc<CertifiedKey>,
    validity: Validity,
    authorities_end: Timestamp,
    roots: Arc<RootCertStore>,
    server: Arc<ServerConfig>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Material {
    pub(super) fn parse(read: &Read, files: &Files) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = certificates(&read.certificate, &files.certificate, CHAIN)?;
        let leaf = chain.first().expect("a file without certificates is an error");
        let identity = SpiffeId::from_certificate(leaf)
            .map_err(|source| TlsError::Identity { file: files.certificate.clone(), source })?;
        let validity = Validity::of(leaf).ok_or_else(|| unreadable(&files.certificate, CHAIN))?;
        let own = Arc::new(pair(chain, &read.key, &provider, files)?);
        let authorities = certificates(&read.authorities, &files.authorities, AUTHORITIES)?;
        let authorities_end = earliest_end(&authorities)
            .ok_or_else(|| unreadable(&files.authorities, AUTHORITIES))?;
        let roots = Arc::new(roots(authorities, &files.authorities)?);
        let server = Arc::new(server(&own, &roots, &provider)?);
        let digest = read.digest();
        Ok(Self { digest, identity, provider, own, validity, authorities_end, roots, server })
    }

    /// That our own certificate is valid now. Those of the authorities are looked at by rustls, one by
    /// one: an old one beside a new one does no harm.
    ///
    /// # Errors
    /// It has expired, or is not valid yet.
    pub(super) fn check_time(&self, now: Timestamp, files: &Files) -> Result<(), TlsError> {
        let file = || files.certificate.clone();
        if now >= self.validity.end {
            return Err(TlsError::Expired { file: file(), at: self.validity.end });
        }
        if now < self.validity.begin {
            return Err(TlsError::NotYetValid { file: file(), from: self.validity.begin });
        }
        Ok(())
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        self.validity.end
    }

    /// When the first of the authorities expires.
    pub(super) fn authorities_end(&self) -> Timestamp {
        self.authorities_end
    }

    pub(super) fn is_of(&self, read: &Read) -> bool {
        self.digest == read.digest()
    }

    pub(super) fn identity(&self) -> &SpiffeId {
        &self.identity
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    pub(super) fn client_config(&self, expected: Expected) -> Result<Arc<ClientConfig>, TlsError> {
        let verifier = SpiffeVerifier::new(Arc::clone(&self.roots), expected, &self.provider);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Rustls)?
            .dangerous() // rustls' word for a verifier of one's own; ours checks chain and URI
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&self.own))));
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// Sessions are never resumed: a resumed one would outlive the certificate that opened it.
fn server(
    own: &Arc<CertifiedKey>,
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsError> {
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()
            .map_err(TlsError::Verifier)?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Rustls)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(own))));
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    pem: &[u8],
    provider: &CryptoProvider,
    files: &Files,
) -> Result<CertifiedKey, TlsError> {
    // The causes are dropped: a PEM error quotes the line it stumbled over.
    let bad_key = || TlsError::Key { file: files.key.clone() };
    let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| bad_key())?;
    let key = provider.key_provider.load_private_key(der).map_err(|_| bad_key())?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|_| TlsError::Mismatch {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
    })?;
    Ok(pair)
}

fn roots(
    authorities: Vec<CertificateDer<'static>>,
    file: &Path,
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots
            .add(certificate)
            .map_err(|source| TlsError::Authority { file: file.to_owned(), source })?;
    }
    Ok(roots)
}

fn certificates(
    pem: &[u8],
    file: &Path,
    holds: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    // The cause is dropped: it shows bytes as numbers.
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable(file, holds))?;
    if found.is_empty() {
        return Err(unreadable(file, holds));
    }
    Ok(found)
}

fn unreadable(file: &Path, holds: &'static str) -> TlsError {
    TlsError::Certificate { file: file.to_owned(), holds }
}
