//! Certificates of the lab. An authority and its key live as long as the lab and never touch the disk.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use perennial_core::clock::Clock;
use perennial_process::clock::SystemClock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
};

use crate::dir::{LabDir, write_private};

/// Life of everything but a bootstrap credential: longer than anybody leaves a lab running.
pub const LAB_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far `notBefore` lies back: a clock that somebody moves in a test must not refuse the lab.
const BACKDATED: Duration = Duration::from_secs(3600);

/// Who gets a certificate for gRPC.
pub const IDENTITIES: [&str; 4] = ["token-issuer", "secret-writer", "scheduler", "operator"];

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// What a certificate says.
#[derive(Debug)]
pub struct Leaf<'a> {
    pub common_name: &'a str,
    /// Kubernetes reads it as a group.
    pub organisation: Option<&'a str>,
    pub names: Vec<SanType>,
    pub usages: Vec<ExtendedKeyUsagePurpose>,
    /// From now on.
    pub life: Duration,
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// # Errors
    /// No key could be made.
    pub fn new(common_name: &str) -> Result<Self> {
        let mut params = params(common_name, None, LAB_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("failed to make a key")?;
        let issuer = CertifiedIssuer::self_signed(params, key);
        Ok(Self(issuer.with_context(|| format!("failed to make the CA {common_name}"))?))
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Signs a certificate for a new key.
    ///
    /// # Errors
    /// A name in it is no valid one.
    pub fn issue(&self, leaf: Leaf<'_>) -> Result<Pair> {
        let mut params = params(leaf.common_name, leaf.organisation, leaf.life)?;
        params.subject_alt_names = leaf.names;
        params.extended_key_usages = leaf.usages;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("failed to make a key")?;
        let certificate = params.signed_by(&key, &self.0);
        let certificate =
            certificate.with_context(|| format!("failed to sign {}", leaf.common_name))?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn params(
    common_name: &str,
    organisation: Option<&str>,
    life: Duration,
) -> Result<CertificateParams> {
    let now: SystemTime = SystemClock.now().into();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(organisation) = organisation {
        name.push(DnType::OrganizationName, organisation);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + life).into();
    Ok(params)
}

/// 127.0.0.1 and localhost.
///
/// # Errors
/// Never, as long as rcgen takes `localhost` for a name.
pub fn loopback() -> Result<Vec<SanType>> {
    let name = "localhost".try_into().context("localhost is a name")?;
    Ok(vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), SanType::DnsName(name)])
}

/// The RSA-2048 key an API server signs ServiceAccount tokens with: what the figures of DESIGN are
/// measured with.
///
/// # Errors
/// No key could be made.
pub fn signing_key() -> Result<String> {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048);
    Ok(key.context("failed to make an RSA key")?.serialize_pem())
}

/// Writes the gRPC certificates: `certs/` for people, and per service the folder for `--tls-dir`.
///
/// # Errors
/// No key could be made or a file not be written.
pub fn write_grpc_certificates(dir: &LabDir) -> Result<()> {
    let authority = Authority::new("perennial-lab gRPC")?;
    write_private(&dir.certificates().join("ca.crt"), &authority.pem())?;
    for identity in IDENTITIES {
        let pair = authority.issue(grpc_leaf(identity)?)?;
        write_private(&dir.certificates().join(format!("{identity}.crt")), &pair.certificate)?;
        write_private(&dir.certificates().join(format!("{identity}.key")), &pair.key)?;
        let tls = dir.tls(identity);
        write_private(&tls.join("tls.crt"), &pair.certificate)?;
        write_private(&tls.join("tls.key"), &pair.key)?;
        write_private(&tls.join("ca.crt"), &authority.pem())?;
    }
    Ok(())
}

fn grpc_leaf(identity: &str) -> Result<Leaf<'_>> {
    let uri = format!("spiffe://cluster.local/ns/perennial-system/sa/{identity}");
    let mut names = loopback()?;
    names.push(SanType::URI(uri.try_into().context("the identity does not fit into a URI")?));
    Ok(Leaf {
        common_name: identity,
        organisation: None,
        names,
        usages: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        life: LAB_LIFE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identity_has_its_files_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        let dir = LabDir::create(folder.path()).unwrap();
        write_grpc_certificates(&dir).unwrap();

        for identity in IDENTITIES {
            let certificate = dir.certificates().join(format!("{identity}.crt"));
            let same = std::fs::read(dir.tls(identity).join("tls.crt")).unwrap();
            assert_eq!(std::fs::read(certificate).unwrap(), same);
            assert!(dir.tls(identity).join("ca.crt").is_file());
        }
    }

    #[test]
    fn debug_of_a_pair_shows_no_key() {
        let pair = Pair { certificate: "cert".to_owned(), key: "hidden".to_owned() };

        assert!(!format!("{pair:?}").contains("hidden"));
    }
}
