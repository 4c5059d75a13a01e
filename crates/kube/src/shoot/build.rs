//! From the values of a kubeconfig to a client that can do nothing else.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Response, Uri, uri::Scheme};
use http_body_util::Limited;
use kube::{Client, Config, client::ClientBuilder, config::AuthInfo};
use perennial_core::{
    failure,
    kubeconfig::{Connection, Inline},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use tower::util::MapResponseLayer;

use crate::{error::Error, retry_after};

/// Longest answer of a shoot that is read, in bytes. A token has about 1,000, a key set a few.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Longest time until a connection, TLS included, stands. Half of what a whole call may take, so
/// that there is time for another address within one IssueToken.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const _: () = assert!(CONNECT_TIMEOUT.as_secs() * 2 <= crate::call::LIMIT.as_secs());

pub(super) fn client(connection: &Connection) -> Result<Client, Error> {
    let config = config(connection)?;
    let builder = ClientBuilder::try_from(config)
        .map_err(|error| unusable(&format!("{}; correct it", failure::chain(&error))))?;
    let bounded = MapResponseLayer::new(|answer: Response<_>| {
        retry_after::keep(answer).map(|body| Limited::new(body, ANSWER_BYTES_MAX))
    });
    Ok(builder.with_layer(&bounded).build())
}

fn config(connection: &Connection) -> Result<Config, Error> {
    let server: Uri = connection
        .server
        .parse()
        .map_err(|_| unusable("the server is not a URL; write it as https://host:port"))?;
    if server.scheme() != Some(&Scheme::HTTPS) {
        return Err(unusable("the server is not reached by HTTPS; write it as https://host:port"));
    }
    let mut config = Config::new(server); // reads nothing from the environment
    config.root_cert = Some(authorities(&connection.ca_pem)?);
    config.tls_server_name = connection.tls_server_name.clone();
    config.auth_info = auth_info(&connection.credential)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false; // kube's own would go on for 160 s
    Ok(config)
}

fn authorities(pem: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|der| der.as_ref().to_vec()))
        .collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(unusable("the CA is not a PEM certificate; correct it")),
    }
}

fn auth_info(credential: &Inline) -> Result<AuthInfo, Error> {
    let mut info = AuthInfo::default();
    match credential {
        Inline::None => {}
        Inline::Token(token) => {
            // kube panics on a token that is no header value.
            HeaderValue::from_str(token.expose())
                .map_err(|_| unusable("the token has characters that no token has; renew it"))?;
            info.token = Some(SecretString::from(token.expose()));
        }
        Inline::Certificate { certificate_pem, key_pem } => {
            info.client_certificate_data = Some(STANDARD.encode(certificate_pem));
            info.client_key_data =
                Some(SecretString::from(STANDARD.encode(key_pem.expose_secret())));
        }
    }
    Ok(info)
}

fn unusable(problem: &str) -> Error {
    Error::Unusable {
        operation: "make a client of the shoot".to_owned(),
        problem: problem.to_owned(),
    }
}
