//! A certificate authority for one test.

use std::{fs, path::Path, sync::Arc};

use perennial_rpc::{identity::Role, tls::TlsStore};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use tempfile::TempDir;

use crate::world::trust;

/// A year.
pub(crate) struct From(pub(crate) i32);

/// A year.
pub(crate) struct Until(pub(crate) i32);

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A folder as cert-manager would fill it, for a role.
    pub(crate) fn folder(&self, role: Role) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.fill(folder.path(), &[&trust().id(role).to_string()]);
        folder
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes a new key and certificate with these URIs, and this CA.
    pub(crate) fn fill(&self, folder: &Path, uris: &[&str]) {
        self.fill_valid(folder, uris, From(1975), Until(4096));
    }

    /// The same, valid between two New Years.
    pub(crate) fn fill_valid(&self, folder: &Path, uris: &[&str], from: From, until: Until) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, 1, 1);
        params.not_after = date_time_ymd(until.0, 1, 1);
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
        fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        fs::write(folder.join("ca.crt"), self.0.pem()).unwrap();
    }

    pub(crate) fn store(&self, role: Role) -> Arc<TlsStore> {
        TlsStore::open(self.folder(role).path()).unwrap()
    }
}
