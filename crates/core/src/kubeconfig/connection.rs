//! How a shoot is reached (section F): address, CA, and a credential that stands in the document.
//!
//! A kubeconfig can make its reader run programs, read files and talk to proxies. Whoever may
//! write the Secret would then do so with our rights, so all of that is refused and not skipped:
//! a client that silently behaves otherwise than kubectl is worse than one that says no.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::SecretSlice;

use super::{
    CA_DATA, TOKEN,
    current::{Current, Kind, Section},
    error::KubeconfigError,
    tree::{Tree, Value},
};
use crate::token::Token;

const INSECURE: &str = "insecure-skip-tls-verify";
const SERVER_NAME: &str = "tls-server-name";
const CERTIFICATE: &str = "client-certificate-data";
const KEY: &str = "client-key-data";

/// Address, CA and credential of a shoot.
#[derive(Clone)]
pub struct Connection {
    /// `https://` with a host, perhaps a port and a path.
    pub server: String,
    /// Certificates in PEM, at least one.
    pub ca_pem: Vec<u8>,
    /// Name to verify the server's certificate against, where it is not the host.
    pub tls_server_name: Option<String>,
    /// How to prove who we are.
    pub credential: Inline,
}

/// A credential that stands in the kubeconfig itself.
#[derive(Clone)]
pub enum Inline {
    /// None yet.
    None,
    /// A bearer token; used alone also where there is a certificate.
    Token(Token),
    /// A client certificate.
    Certificate {
        /// Certificate and chain in PEM.
        certificate_pem: Vec<u8>,
        /// Private key in PEM.
        key_pem: SecretSlice<u8>,
    },
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("tls_server_name", &self.tls_server_name)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(…)",
            Self::Certificate { .. } => "Certificate(…)",
        })
    }
}

/// Entries of a cluster that are refused, and what to do instead.
const REFUSED_OF_CLUSTER: &[(&str, &str)] = &[
    ("certificate-authority", "put the CA itself into certificate-authority-data"),
    ("proxy-url", "remove it and make the server reachable directly"),
];

/// Entries of a user that are refused, and what to do instead.
const REFUSED_OF_USER: &[(&str, &str)] = &[
    ("exec", "use a token or an inline client certificate"),
    ("auth-provider", "use a token or an inline client certificate"),
    ("tokenFile", "put the token itself into token"),
    ("client-certificate", "put the certificate itself into client-certificate-data"),
    ("client-key", "put the key itself into client-key-data"),
    ("username", "use a token or an inline client certificate"),
    ("password", "use a token or an inline client certificate"),
    ("as", "use the credential of the account itself"),
    ("as-uid", "use the credential of the account itself"),
    ("as-groups", "use the credential of the account itself"),
    ("as-user-extra", "use the credential of the account itself"),
];

/// The connection of `current-context`.
///
/// # Errors
/// When something is missing, malformed or refused.
pub fn connection(document: &[u8]) -> Result<Connection, KubeconfigError> {
    let tree = Tree::parse(document)?;
    let current = Current::of(&tree)?;
    let missing = |outer: &Section<'_, '_>, kind: Kind| KubeconfigError::Missing {
        part: outer.part.clone(),
        key: kind.key(),
    };
    let cluster = current.entry(Kind::Cluster)?;
    let (_, cluster) = cluster.inner.ok_or_else(|| missing(&cluster.outer, Kind::Cluster))?;
    refuse(&cluster, REFUSED_OF_CLUSTER)?;
    if !matches!(cluster.text(INSECURE)?, None | Some("false" | "False" | "FALSE")) {
        let remedy = "remove it and put the CA into certificate-authority-data";
        return Err(KubeconfigError::Refused { part: cluster.part, key: INSECURE, remedy });
    }
    let malformed =
        |key, expected| KubeconfigError::Type { part: cluster.part.clone(), key, expected };
    let server = cluster.required("server")?;
    if !is_server(server) {
        let expected = "https:// with a host, without user and query";
        return Err(malformed("server", expected));
    }
    let ca_pem = decode(cluster.required(CA_DATA)?)
        .filter(|pem| looks_like_certificates(pem))
        .ok_or_else(|| malformed(CA_DATA, "PEM certificates in base64"))?;
    let tls_server_name = cluster.text(SERVER_NAME)?;
    if !tls_server_name.is_none_or(is_server_name) {
        return Err(malformed(SERVER_NAME, "a host name or an IP address"));
    }
    let credential = match current.entry(Kind::User)?.inner {
        Some((_, user)) => credential(&user)?,
        None => Inline::None,
    };
    let (server, tls_server_name) = (server.to_owned(), tls_server_name.map(str::to_owned));
    Ok(Connection { server, ca_pem, tls_server_name, credential })
}

fn credential(user: &Section<'_, '_>) -> Result<Inline, KubeconfigError> {
    refuse(user, REFUSED_OF_USER)?;
    if let Some(token) = user.text(TOKEN)? {
        return Ok(Inline::Token(Token::new(token.to_owned())));
    }
    if user.text(CERTIFICATE)?.is_none() && user.text(KEY)?.is_none() {
        return Ok(Inline::None);
    }
    let malformed =
        |key, expected| KubeconfigError::Type { part: user.part.clone(), key, expected };
    let certificate_pem = decode(user.required(CERTIFICATE)?)
        .filter(|pem| looks_like_certificates(pem))
        .ok_or_else(|| malformed(CERTIFICATE, "PEM certificates in base64"))?;
    let key_pem = decode(user.required(KEY)?)
        .filter(|pem| looks_like_key(pem))
        .ok_or_else(|| malformed(KEY, "a PEM private key in base64"))?;
    Ok(Inline::Certificate { certificate_pem, key_pem: SecretSlice::from(key_pem) })
}

/// Refuses these entries unless they are null or empty.
fn refuse(
    section: &Section<'_, '_>,
    refused: &[(&'static str, &'static str)],
) -> Result<(), KubeconfigError> {
    for &(key, remedy) in refused {
        let Some((_, node)) = section.find(key)? else {
            continue;
        };
        let empty = match &node.value {
            Value::Scalar(text, _) => text.is_empty() || node.is_null(),
            Value::List(_, items) => items.is_empty(),
            // An empty `exec: {}` is a broken plugin, and an alias may be anything.
            Value::Mapping(..) | Value::Alias(_) => false,
        };
        if !empty {
            return Err(KubeconfigError::Refused { part: section.part.clone(), key, remedy });
        }
    }
    Ok(())
}

/// Base64 as Go reads it, where line breaks count for nothing.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\r', '\n']) {
        return BASE64_STANDARD.decode(text.replace(['\r', '\n'], "")).ok();
    }
    BASE64_STANDARD.decode(text).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Whether this could be certificates in PEM, and nothing else such as a key. Parsing them is the
/// work of whoever uses them.
pub(super) fn looks_like_certificates(pem: &[u8]) -> bool {
    let labels = labels(pem);
    !labels.is_empty() && labels.iter().all(|label| *label == "CERTIFICATE")
}

/// Whether this could be a private key in PEM. Tools write parameters of a curve beside it.
fn looks_like_key(pem: &[u8]) -> bool {
    labels(pem).iter().any(|label| label.ends_with("PRIVATE KEY"))
}

/// Labels of the blocks of a PEM text; none where a block is not closed.
fn labels(pem: &[u8]) -> Vec<&str> {
    let Ok(text) = std::str::from_utf8(pem) else {
        return Vec::new();
    };
    let marks = |mark: &str| -> Vec<&str> {
        let label = |line| str::strip_prefix(line, mark)?.trim_end().strip_suffix("-----");
        text.lines().filter_map(label).collect()
    };
    let (begun, ended) = (marks("-----BEGIN "), marks("-----END "));
    if begun == ended { begun } else { Vec::new() }
}

/// Whether a certificate can be verified against this: a host name or an IP address.
pub(super) fn is_server_name(name: &str) -> bool {
    is_host(name) || Ipv6Addr::from_str(name).is_ok()
}

/// Whether this is `https://`, a host, perhaps a port and a path; no user, query or fragment.
pub(super) fn is_server(server: &str) -> bool {
    let Some(rest) = server.strip_prefix("https://") else {
        return false;
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (Ipv6Addr::from_str(address).is_ok(), port),
        None => {
            let at = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(at);
            (is_host(host), port)
        }
    };
    let port_fits = match port.strip_prefix(':') {
        Some(port) => {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n != 0)
        }
        None => port.is_empty(),
    };
    let path_fits = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/".contains(&b))
        && path.split('/').all(|segment| !matches!(segment, "." | ".."));
    host && port_fits && path_fits
}

fn is_host(host: &str) -> bool {
    let fits = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253 && host.split('.').all(fits)
}
