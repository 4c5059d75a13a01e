//! Who is at the other end of a connection: one SPIFFE URI in the certificate.

use std::{fmt, str::FromStr};

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The longest SPIFFE ID (SPIFFE-ID 2.3).
const SPIFFE_ID_BYTES_MAX: usize = 2048;

/// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    namespace: Namespace,
    service_account: String,
}

/// Why something is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The text has another form.
    #[error("{0:?} is not spiffe://<trust domain>/ns/<namespace>/sa/<service account>")]
    Form(String),
    /// Not a trust domain.
    #[error("{0:?} is not a trust domain (lower-case letters, digits, dots, dashes, underscores)")]
    TrustDomain(String),
    /// Not the name of a namespace.
    #[error("{0:?} is not a namespace (up to 63 lower-case letters, digits and dashes)")]
    Namespace(String),
    /// The certificate does not parse.
    #[error("the certificate is malformed")]
    Certificate(#[source] webpki::Error),
    /// The certificate has no URI, or several.
    #[error("the certificate has {0} URI names where exactly one is needed")]
    UriCount(usize),
}

impl SpiffeId {
    /// Reads the identity out of a certificate. This does not verify the certificate.
    ///
    /// # Errors
    ///
    /// When there is not exactly one URI among its names, or that one is no identity of ours.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let parsed = EndEntityCert::try_from(certificate).map_err(IdentityError::Certificate)?;
        let uris: Vec<_> = parsed.valid_uri_names().collect();
        match uris.as_slice() {
            [uri] => uri.parse(),
            uris => Err(IdentityError::UriCount(uris.len())),
        }
    }

    /// The trust domain, `cluster.local` by default.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The namespace of the ServiceAccount.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The name of the ServiceAccount.
    #[must_use]
    pub fn service_account(&self) -> &str {
        &self.service_account
    }
}

impl FromStr for SpiffeId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || IdentityError::Form(text.chars().take(SPIFFE_ID_BYTES_MAX).collect());
        if text.len() > SPIFFE_ID_BYTES_MAX {
            return Err(form());
        }
        let path = text.strip_prefix("spiffe://").ok_or_else(form)?;
        let parts: Vec<_> = path.split('/').collect();
        let [trust_domain, "ns", namespace, "sa", service_account] = parts.as_slice() else {
            return Err(form());
        };
        if !is_subdomain(service_account) {
            return Err(form());
        }
        Ok(Self {
            trust_domain: trust_domain.parse()?,
            namespace: namespace.parse()?,
            service_account: (*service_account).to_owned(),
        })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trust_domain, namespace, service_account } = self;
        write!(f, "spiffe://{trust_domain}/ns/{namespace}/sa/{service_account}")
    }
}

/// Name of a trust domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(String);

impl FromStr for TrustDomain {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > 255 || !text.bytes().all(allowed) {
            return Err(IdentityError::TrustDomain(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of the namespace our services live in (RFC 1123 label).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(String);

impl FromStr for Namespace {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::Namespace(text.to_owned()))
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one of our own may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reaches shoots.
    TokenIssuer,
    /// Writes access Secrets.
    SecretWriter,
    /// Decides when.
    Scheduler,
    /// A human, or a tool of one.
    Operator,
}

impl Role {
    const ALL: [Self; 4] = [Self::TokenIssuer, Self::SecretWriter, Self::Scheduler, Self::Operator];

    /// Name of its ServiceAccount.
    #[must_use]
    pub const fn service_account(self) -> &'static str {
        match self {
            Self::TokenIssuer => "token-issuer",
            Self::SecretWriter => "secret-writer",
            Self::Scheduler => "scheduler",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.service_account())
    }
}

/// Where our own live. Whoever comes from elsewhere has no role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The trust domain of all certificates.
    pub trust_domain: TrustDomain,
    /// The namespace of the services, `perennial-system`.
    pub namespace: Namespace,
}

impl Trust {
    /// The role of an identity, if it has one.
    #[must_use]
    pub fn role(&self, id: &SpiffeId) -> Option<Role> {
        let ours = self.includes(id) && id.namespace == self.namespace;
        let named = |role: &Role| role.service_account() == id.service_account;
        Role::ALL.into_iter().find(named).filter(|_| ours)
    }

    /// The identity that has a role.
    #[must_use]
    pub fn id(&self, role: Role) -> SpiffeId {
        SpiffeId {
            trust_domain: self.trust_domain.clone(),
            namespace: self.namespace.clone(),
            service_account: role.service_account().to_owned(),
        }
    }

    /// Whether an identity is of the trust domain.
    #[must_use]
    pub fn includes(&self, id: &SpiffeId) -> bool {
        id.trust_domain == self.trust_domain
    }
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edge = |b: Option<u8>| b.is_some_and(|b| b != b'-');
    text.len() <= 63
        && text.bytes().all(inner)
        && edge(text.bytes().next())
        && edge(text.bytes().last())
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULER: &str = "spiffe://cluster.local/ns/perennial-system/sa/scheduler";

    fn trust() -> Trust {
        Trust {
            trust_domain: "cluster.local".parse().unwrap(),
            namespace: "perennial-system".parse().unwrap(),
        }
    }

    #[test]
    fn an_identity_reads_and_writes_itself() {
        let id: SpiffeId = SCHEDULER.parse().unwrap();

        assert_eq!(id.service_account(), "scheduler");
        assert_eq!(id.to_string(), SCHEDULER);
    }

    #[test]
    fn what_only_looks_like_an_identity_is_refused() {
        for text in [
            "",
            "scheduler",
            "SPIFFE://cluster.local/ns/perennial-system/sa/scheduler",
            "https://cluster.local/ns/perennial-system/sa/scheduler",
            "spiffe:///ns/perennial-system/sa/scheduler",
            "spiffe://cluster.local/ns/perennial-system/sa/",
            "spiffe://cluster.local/ns/perennial-system/sa/scheduler/",
            "spiffe://cluster.local/ns/perennial-system/sa/scheduler/x",
            "spiffe://cluster.local//ns/perennial-system/sa/scheduler",
            "spiffe://cluster.local/sa/scheduler/ns/perennial-system",
            "spiffe://cluster.local:443/ns/perennial-system/sa/scheduler",
            "spiffe://me@cluster.local/ns/perennial-system/sa/scheduler",
            "spiffe://cluster.local/ns/perennial%2dsystem/sa/scheduler",
            "spiffe://cluster.local/ns/perennial-system/sa/scheduler?x",
            "spiffe://cluster.local/ns/perennial-system/sa/scheduler#x",
            "spiffe://cluster.local/ns/../sa/scheduler",
            "spiffe://cluster.local/ns/perennial-system/sa/Scheduler",
            "spiffe://cluster.local/ns/perennial-system/sa/scheduler ",
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_role_needs_the_right_domain_namespace_and_name() {
        let role = |text: &str| trust().role(&text.parse().unwrap());

        assert_eq!(role(SCHEDULER), Some(Role::Scheduler));
        assert_eq!(role("spiffe://cluster.local/ns/default/sa/scheduler"), None);
        assert_eq!(role("spiffe://other.local/ns/perennial-system/sa/scheduler"), None);
        assert_eq!(role("spiffe://cluster.local/ns/perennial-system/sa/default"), None);
    }

    #[test]
    fn each_role_has_the_identity_that_maps_back_to_it() {
        for role in Role::ALL {
            assert_eq!(trust().role(&trust().id(role)), Some(role));
        }
    }
}
