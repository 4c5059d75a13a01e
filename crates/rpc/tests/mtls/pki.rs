//! A certificate authority for one test.

use std::{fs, path::Path, sync::Arc};

use perennial_rpc::{identity::Role, tls::TlsStore};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use tempfile::TempDir;

use crate::world::trust;

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

    /// Writes a new key and certificate with these URIs, and this CA.
    pub(crate) fn fill(&self, folder: &Path, uris: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
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
