//! From when until when a certificate is valid.

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

/// The time of one certificate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    pub(super) begin: Timestamp,
    /// The first moment at which it is not valid any more, give or take the second.
    pub(super) end: Timestamp,
}

impl Validity {
    /// `None` when it is no X.509 certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let validity = parsed.validity();
        Some(Self {
            begin: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            end: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        })
    }
}

/// When the first of them ends; `None` when there is none, or one is no certificate.
pub(super) fn earliest_end(certificates: &[CertificateDer<'_>]) -> Option<Timestamp> {
    let ends: Option<Vec<_>> =
        certificates.iter().map(|certificate| Some(Validity::of(certificate)?.end)).collect();
    ends?.into_iter().min()
}
