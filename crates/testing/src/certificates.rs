//! Certificates for one test.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use tempfile::TempDir;

/// Trust domain and namespace of the default identities.
const IDENTITY_PREFIX: &str = "spiffe://cluster.local/ns/perennial-system/sa";

/// A certificate authority that lives as long as a test.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate, without its authority.
    pub certificate_pem: String,
    /// PKCS #8
    pub key_pem: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        let issuer = CertifiedIssuer::self_signed(params, key());
        Self(issuer.expect("the parameters are fixed"))
    }

    /// Its own certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for servers and clients, valid for `localhost` and 127.0.0.1.
    ///
    /// # Panics
    /// A URI has characters that no URI has.
    #[must_use]
    pub fn certificate(&self, common_name: &str, uris: &[&str]) -> Certificate {
        self.sign(Self::params(common_name, uris))
    }

    /// The same, but it expired with the year 2025.
    ///
    /// # Panics
    /// As [`Authority::certificate`].
    #[must_use]
    pub fn expired_certificate(&self, common_name: &str, uris: &[&str]) -> Certificate {
        let mut params = Self::params(common_name, uris);
        params.not_after = date_time_ymd(2026, 1, 1);
        self.sign(params)
    }

    fn params(common_name: &str, uris: &[&str]) -> CertificateParams {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("these are host names");
        params.distinguished_name.push(DnType::CommonName, common_name);
        let uris = uris.iter().map(|uri| (*uri).try_into().expect("a URI is ASCII"));
        params.subject_alt_names.extend(uris.map(SanType::URI));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params
    }

    fn sign(&self, params: CertificateParams) -> Certificate {
        let key = key();
        let signed = params.signed_by(&key, &self.0).expect("the parameters are fixed");
        Certificate { certificate_pem: signed.pem(), key_pem: key.serialize_pem() }
    }

    /// Writes `tls.crt`, `tls.key` and `ca.crt`, as cert-manager does, with a new key.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn fill(&self, folder: &Path, uris: &[&str]) -> std::io::Result<()> {
        let Certificate { certificate_pem, key_pem } = self.certificate("test", uris);
        fs::write(folder.join("tls.crt"), certificate_pem)?;
        fs::write(folder.join("tls.key"), key_pem)?;
        fs::write(folder.join("ca.crt"), self.pem())
    }

    /// A folder for `--tls-dir` of one of ours, by the name of its ServiceAccount: `scheduler`,
    /// `secret-writer`, `token-issuer` or `operator`.
    ///
    /// # Panics
    /// The folder cannot be written.
    #[must_use]
    pub fn folder(&self, service_account: &str) -> TempDir {
        let folder = tempfile::tempdir().expect("a test has a scratch folder");
        let uri = format!("{IDENTITY_PREFIX}/{service_account}");
        self.fill(folder.path(), &[&uri]).expect("the scratch folder was just made");
        folder
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("P-256 keys need nothing but randomness")
}
