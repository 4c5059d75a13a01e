//! Kubeconfigs: written as text, and turned into a client.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::pki::Pair;

/// How a client proves who it is.
#[derive(Debug)]
pub enum Credential<'a> {
    /// Not at all: an access Secret in kubeconfig mode before its first token.
    None,
    Token(&'a str),
    /// Read again by the client from time to time.
    TokenFile(&'a Path),
    /// Inline client certificate and key.
    Certificate(&'a Pair),
}

/// Where an API server is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `https://host:port`
    pub url: String,
    /// PEM
    pub ca: String,
    /// Name to verify the certificate against, where it is not the host.
    pub tls_server_name: Option<String>,
}

impl Endpoint {
    /// A kubeconfig with one cluster, user and context, all called `name`.
    #[must_use]
    pub fn kubeconfig(&self, name: &str, credential: &Credential<'_>) -> String {
        let (url, ca, user) = (&self.url, encode(&self.ca), user(credential));
        let server_name = |name| format!("    tls-server-name: {name}\n");
        let server_name = self.tls_server_name.as_ref().map_or_else(String::new, server_name);
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             current-context: {name}\n\
             clusters:\n\
             - name: {name}\n\
             \x20 cluster:\n\
             \x20   server: {url}\n\
             \x20   certificate-authority-data: {ca}\n\
             {server_name}\
             contexts:\n\
             - name: {name}\n\
             \x20 context:\n\
             \x20   cluster: {name}\n\
             \x20   user: {name}\n\
             users:\n\
             - name: {name}\n\
             \x20 user:{user}\n"
        )
    }

    /// A client for this API server.
    ///
    /// # Errors
    /// The certificates do not parse.
    pub async fn client(&self, credential: &Credential<'_>) -> Result<Client> {
        let text = self.kubeconfig("lab", credential);
        let kubeconfig = Kubeconfig::from_yaml(&text).context("failed to read our kubeconfig")?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.context("failed to use our kubeconfig")?;
        // A proxy from the environment cannot reach 127.0.0.1 of this machine.
        config.proxy_url = None;
        // Answers are wanted as they are, and counts exact: nothing is sent twice.
        config.default_retry = false;
        Client::try_from(config).context("failed to make a client")
    }
}

fn user(credential: &Credential<'_>) -> String {
    match credential {
        Credential::None => " {}".to_owned(),
        Credential::Token(token) => format!("\n    token: {token}"),
        Credential::TokenFile(path) => format!("\n    tokenFile: {}", path.display()),
        Credential::Certificate(pair) => format!(
            "\n    client-certificate-data: {}\n    client-key-data: {}",
            encode(&pair.certificate),
            encode(&pair.key)
        ),
    }
}

fn encode(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let url = "https://127.0.0.1:1".to_owned();
        Endpoint { url, ca: "ca".to_owned(), tls_server_name: None }
    }

    #[test]
    fn without_a_credential_the_user_is_empty() {
        let text = endpoint().kubeconfig("shoot", &Credential::None);
        let read = Kubeconfig::from_yaml(&text).unwrap();

        assert!(text.ends_with("- name: shoot\n  user: {}\n"), "{text}");
        assert_eq!(read.current_context.as_deref(), Some("shoot"));
        assert_eq!(
            read.clusters[0].cluster.as_ref().unwrap().server.as_deref(),
            Some("https://127.0.0.1:1")
        );
    }

    #[test]
    fn a_name_for_the_certificate_belongs_to_the_cluster() {
        let named = Endpoint { tls_server_name: Some("localhost".to_owned()), ..endpoint() };
        let of = |endpoint: Endpoint| {
            let text = endpoint.kubeconfig("shoot", &Credential::None);
            let read = Kubeconfig::from_yaml(&text).unwrap();
            read.clusters[0].cluster.as_ref().unwrap().tls_server_name.clone()
        };

        assert_eq!(of(named).as_deref(), Some("localhost"));
        assert_eq!(of(endpoint()), None);
    }

    #[test]
    fn a_certificate_is_inline() {
        let pair = Pair { certificate: "c".to_owned(), key: "k".to_owned() };
        let text = endpoint().kubeconfig("shoot", &Credential::Certificate(&pair));
        let read = Kubeconfig::from_yaml(&text).unwrap();
        let user = read.auth_infos[0].auth_info.clone().unwrap();

        assert_eq!(user.client_certificate_data.as_deref(), Some("Yw=="));
        assert!(user.client_key_data.is_some());
    }
}
