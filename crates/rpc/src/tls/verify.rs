//! Servers are known by their SPIFFE URI.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, PeerIncompatible, RootCertStore,
    SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::identity::{SpiffeId, TrustDomain};

/// Whom a client takes for its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this one. Services among themselves use nothing else.
    Id(SpiffeId),
    /// Anybody of the trust domain, for tools that look at any service.
    AnyOf(TrustDomain),
}

impl Expected {
    fn accepts(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Id(expected) => expected == id,
            Self::AnyOf(domain) => domain == id.trust_domain(),
        }
    }
}

impl From<SpiffeId> for Expected {
    fn from(id: SpiffeId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::AnyOf(domain) => write!(f, "anybody of spiffe://{domain}"),
        }
    }
}

/// The server proved to be somebody else.
#[derive(thiserror::Error)]
#[error("the server is {found}, expected {expected}")]
struct Stranger {
    found: SpiffeId,
    expected: Expected,
}

/// rustls shows the errors of others only by `Debug`, so that is the sentence too.
impl fmt::Debug for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Verifies the chain against our authorities, and the one URI name; DNS names do not count.
#[derive(Debug)]
pub(super) struct SpiffeVerifier {
    roots: Arc<RootCertStore>,
    expected: Expected,
    algorithms: WebPkiSupportedAlgorithms,
}

impl SpiffeVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        expected: Expected,
        provider: &CryptoProvider,
    ) -> Self {
        Self { roots, expected, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for SpiffeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        let found = SpiffeId::from_certificate(end_entity).map_err(other)?;
        if !self.expected.accepts(&found) {
            return Err(other(Stranger { found, expected: self.expected.clone() }));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into()) // unreachable while only TLS 1.3 is offered
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}
