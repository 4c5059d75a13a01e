//! Authorities and certificates. The keys of authorities live as long as the lab; only that of the gRPC
//! certificates is on disk, because `perennial-lab certificates renew` is a process of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use perennial_core::clock::Clock;
use perennial_process::clock::SystemClock;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, RsaKeySize, SanType,
};
use sha2::{Digest as _, Sha256};

use crate::projected;

/// Life of everything but a bootstrap credential: longer than anybody leaves a lab running.
pub const LAB_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far `notBefore` lies back: a clock that is behind by hours in a test must not refuse the lab.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);

/// The files of an authority that was saved.
const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";

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
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Pair,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
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
        let certificate = params.self_signed(&key);
        let certificate =
            certificate.with_context(|| format!("failed to make the CA {common_name}"))?;
        let own = Pair { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), own })
    }

    /// One that was saved.
    ///
    /// # Errors
    /// None was saved there.
    pub fn load(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path)
                .with_context(|| format!("failed to read {}", path.display()))
        };
        let own = Pair { certificate: read(CERTIFICATE)?, key: read(KEY)? };
        let key = KeyPair::from_pem(&own.key).context("failed to read the key of the CA")?;
        let issuer = Issuer::from_ca_cert_pem(&own.certificate, key);
        Ok(Self { issuer: issuer.context("failed to read the certificate of the CA")?, own })
    }

    /// Writes certificate and key.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let Pair { certificate, key } = self.own.clone();
        projected::write(folder, &[(CERTIFICATE.to_owned(), certificate), (KEY.to_owned(), key)])
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.own.certificate.clone()
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
        let certificate = params.signed_by(&key, &self.issuer);
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

/// How many addresses a shoot can be at: 127.0.0.1 and those it may move to.
pub const HOMES: u8 = 8;

/// Address number `index`: 127.0.0.1 is 0. Others than those of proxies.
#[must_use]
pub const fn home(index: u8) -> Ipv4Addr {
    if index == 0 { Ipv4Addr::LOCALHOST } else { Ipv4Addr::new(127, 76, 0, index) }
}

/// localhost, and every address that an API server may be at.
///
/// # Errors
/// As [`loopback`].
pub fn homes() -> Result<Vec<SanType>> {
    let moved = (1..HOMES).map(|index| SanType::IpAddress(IpAddr::V4(home(index))));
    Ok(loopback()?.into_iter().chain(moved).collect())
}

/// The id that an API server gives to a signing key: SHA-256 over the public key (RFC 7638 it is not).
///
/// # Errors
/// It is no private key in PEM.
pub fn key_id(pem: &str) -> Result<String> {
    let key = KeyPair::from_pem(pem).context("failed to read a signing key")?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(key.subject_public_key_info())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_was_saved_signs_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("test").unwrap();
        authority.save(folder.path()).unwrap();

        assert_eq!(Authority::load(folder.path()).unwrap().pem(), authority.pem());
    }

    #[test]
    fn debug_of_a_pair_shows_no_key() {
        let pair = Pair { certificate: "cert".to_owned(), key: "hidden".to_owned() };

        assert!(!format!("{pair:?}").contains("hidden"));
    }
}
