//! Kubeconfig documents, as whoever makes a shoot writes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::certificates::Certificate;

/// What the user of a kubeconfig holds.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// Nothing yet.
    None,
    /// A bearer token.
    Token(&'a str),
    /// An inline client certificate.
    Certificate(&'a Certificate),
}

/// A kubeconfig with one context, which is the current one.
#[must_use]
pub fn document(server: &str, ca_pem: &str, credential: Credential<'_>) -> String {
    let user = match credential {
        Credential::None => " {}".to_owned(),
        Credential::Token(token) => format!("\n    token: {token}"),
        Credential::Certificate(Certificate { certificate_pem, key_pem }) => format!(
            "\n    client-certificate-data: {}\n    client-key-data: {}",
            STANDARD.encode(certificate_pem),
            STANDARD.encode(key_pem)
        ),
    };
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: shoot
  cluster:
    server: {server}
    certificate-authority-data: {ca}
contexts:
- name: shoot
  context:
    cluster: shoot
    user: shoot
current-context: shoot
users:
- name: shoot
  user:{user}
",
        ca = STANDARD.encode(ca_pem)
    )
}
