//! The generic kubeconfig of a shoot (section E): address, CA, and the path of a file that holds
//! the token. No credential stands in it, so every component of a shoot can mount the same one
//! beside a token of its own.
//!
//! The same input gives the same bytes: a difference between what is held and what should be is
//! found by a hash, and a document that came out otherwise each time would be written without end.

use std::{fmt, str::FromStr};

use serde::Serialize;
use serde_saphyr::ser_options;

use super::connection::{encode, is_server, is_server_name, looks_like_certificates};
use crate::name::Namespace;

/// Longest path of a token file, in bytes; what Linux takes (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// Where a shoot is, without a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    server: String,
    ca_pem: Vec<u8>,
    tls_server_name: Option<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("server", &self.server)
            .field("tls_server_name", &self.tls_server_name)
            .finish_non_exhaustive()
    }
}

/// Why something is not where a shoot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address that we would connect to.
    #[error("server is not https:// with a host, without user and query")]
    Server,
    /// Not a CA.
    #[error("ca_pem is not PEM certificates")]
    Ca,
    /// Not a name.
    #[error("tls_server_name is not a host name or an IP address")]
    ServerName,
}

impl Endpoint {
    /// By the same rules as [`super::connection`].
    ///
    /// # Errors
    /// When one of the three cannot be right.
    pub fn new(
        server: String,
        ca_pem: Vec<u8>,
        tls_server_name: Option<String>,
    ) -> Result<Self, EndpointError> {
        if !is_server(&server) {
            return Err(EndpointError::Server);
        }
        if !looks_like_certificates(&ca_pem) {
            return Err(EndpointError::Ca);
        }
        if !tls_server_name.as_deref().is_none_or(is_server_name) {
            return Err(EndpointError::ServerName);
        }
        Ok(Self { server, ca_pem, tls_server_name })
    }

    /// Its address, `https://…`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }
}

/// Path of the file with the token, as components mount it; absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile(String);

impl TokenFile {
    /// Where components of a Gardener shoot mount it (`PathShootToken` of gardener/gardener).
    pub const DEFAULT: &str = "/var/run/secrets/gardener.cloud/shoot/token";
}

impl fmt::Display for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not the path of a token file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an absolute path of at most {PATH_BYTES_MAX} bytes without control characters; write it as \
     {}",
    TokenFile::DEFAULT
)]
pub struct TokenFileError;

impl FromStr for TokenFile {
    type Err = TokenFileError;

    /// A relative path would mean another file for each place where the kubeconfig is mounted.
    fn from_str(text: &str) -> Result<Self, TokenFileError> {
        let is_file = text.starts_with('/') && !text.ends_with('/');
        match is_file && text.len() <= PATH_BYTES_MAX && !text.chars().any(char::is_control) {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenFileError),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(rename = "current-context")]
    current_context: &'a str,
    clusters: [Cluster<'a>; 1],
    contexts: [Context<'a>; 1],
    users: [User<'a>; 1],
}

#[derive(Serialize)]
struct Cluster<'a> {
    name: &'a str,
    cluster: ClusterEntry<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterEntry<'a> {
    certificate_authority_data: String,
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    context: ContextEntry<'a>,
}

#[derive(Serialize)]
struct ContextEntry<'a> {
    cluster: &'a str,
    user: &'a str,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    user: UserEntry<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserEntry<'a> {
    token_file: &'a str,
}

/// The generic kubeconfig of a shoot. Context, cluster and user have the shoot's name.
#[must_use]
pub fn generic(shoot: &Namespace, endpoint: &Endpoint, token_file: &TokenFile) -> String {
    let name = shoot.as_str();
    let cluster = ClusterEntry {
        certificate_authority_data: encode(&endpoint.ca_pem),
        server: &endpoint.server,
        tls_server_name: endpoint.tls_server_name.as_deref(),
    };
    let document = Document {
        api_version: "v1",
        kind: "Config",
        current_context: name,
        clusters: [Cluster { name, cluster }],
        contexts: [Context { name, context: ContextEntry { cluster: name, user: name } }],
        users: [User { name, user: UserEntry { token_file: &token_file.0 } }],
    };
    // One line a value: a CA folded over lines would be read, and be compared by nobody.
    let options = ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(&document, options)
        .expect("structs of texts have YAML, and a String takes all of it")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kubeconfig::{KubeconfigError, connection};

    const CA: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    fn endpoint(server: &str, tls_server_name: Option<&str>) -> Endpoint {
        let name = tls_server_name.map(str::to_owned);
        Endpoint::new(server.to_owned(), CA.into(), name).unwrap()
    }

    fn shoot() -> Namespace {
        "shoot--lab--1".parse().unwrap()
    }

    fn token_file(path: &str) -> TokenFile {
        path.parse().unwrap()
    }

    #[test]
    fn e_it_has_address_ca_and_the_path_of_the_token_and_no_credential() {
        let endpoint = endpoint("https://api.shoot.example:6443", Some("kubernetes"));
        let document = generic(&shoot(), &endpoint, &token_file(TokenFile::DEFAULT));
        assert_eq!(
            document,
            "apiVersion: v1
kind: Config
current-context: shoot--lab--1
clusters:
- name: shoot--lab--1
  cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=
    server: https://api.shoot.example:6443
    tls-server-name: kubernetes
contexts:
- name: shoot--lab--1
  context:
    cluster: shoot--lab--1
    user: shoot--lab--1
users:
- name: shoot--lab--1
  user:
    tokenFile: /var/run/secrets/gardener.cloud/shoot/token
"
        );
    }

    #[test]
    fn e_our_own_reader_finds_the_endpoint_in_it_and_refuses_the_file() {
        let document =
            generic(&shoot(), &endpoint("https://[::1]:6443/a", None), &token_file("/t"));
        let refused = connection(document.as_bytes()).unwrap_err();
        assert!(
            matches!(refused, KubeconfigError::Refused { key: "tokenFile", .. }),
            "the token-issuer never follows a file: {refused}"
        );
        let with_token = document.replace("tokenFile: /t", "token: x");
        let read = connection(with_token.as_bytes()).unwrap();
        assert_eq!((read.server.as_str(), read.tls_server_name), ("https://[::1]:6443/a", None));
        assert_eq!(read.ca_pem, CA.as_bytes());
    }

    #[test]
    fn e_an_endpoint_is_held_to_the_rules_of_a_connection() {
        let new = |server: &str, ca: &str, name: Option<&str>| {
            Endpoint::new(server.to_owned(), ca.into(), name.map(str::to_owned)).unwrap_err()
        };
        assert_eq!(new("http://shoot", CA, None), EndpointError::Server);
        assert_eq!(new("https://user@shoot", CA, None), EndpointError::Server);
        assert_eq!(new("https://shoot", "", None), EndpointError::Ca);
        assert_eq!(new("https://shoot", CA, Some("a b")), EndpointError::ServerName);
    }

    #[test]
    fn e_the_path_of_the_token_is_absolute_and_plain() {
        for path in ["", "token", "./token", "/folder/", "/a\nb: c", "/a\0"] {
            assert_eq!(path.parse::<TokenFile>(), Err(TokenFileError), "{path:?}");
        }
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        assert_eq!(long.parse::<TokenFile>(), Err(TokenFileError));
    }

    proptest! {
        /// Whatever a path may hold, YAML's own characters too, is one text again when it is read.
        #[test]
        fn e_every_path_comes_out_as_it_went_in_and_twice_the_same(path in "/[^\\p{Cc}]{0,60}[^/\\p{Cc}]") {
            let file = token_file(&path);
            let endpoint = endpoint("https://shoot:6443", None);
            let document = generic(&shoot(), &endpoint, &file);
            prop_assert_eq!(&document, &generic(&shoot(), &endpoint, &file));
            let read: serde_json::Value = serde_saphyr::from_str(&document).unwrap();
            prop_assert_eq!(&read["users"][0]["user"]["tokenFile"], &path);
            prop_assert_eq!(&read["clusters"][0]["cluster"]["server"], "https://shoot:6443");
        }
    }
}
