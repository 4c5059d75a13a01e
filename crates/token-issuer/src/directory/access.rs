//! What one of the two Secrets of a shoot gives us: a client, or the reason why there is none.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use perennial_core::{
    ca::CaHash,
    failure,
    kubeconfig::{Connection, Inline},
    token::{Claims, Token},
};
use perennial_kube::shoot_secrets::ConnectionError;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::shoot::{Connect, Shoot};

/// Where a shoot is, without a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    server: String,
    ca_pem: Vec<u8>,
    ca: CaHash,
    tls_server_name: Option<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Endpoint {
    fn of(connection: &Connection) -> Self {
        Self {
            server: connection.server.clone(),
            ca_pem: connection.ca_pem.clone(),
            ca: CaHash::of(&connection.ca_pem),
            tls_server_name: connection.tls_server_name.clone(),
        }
    }

    /// Its address, `https://…`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Its CA certificates, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &[u8] {
        &self.ca_pem
    }

    /// Hash of its CA certificates.
    pub(super) const fn ca(&self) -> CaHash {
        self.ca
    }

    /// Name to verify its certificate against, where that is not the host.
    #[must_use]
    pub fn tls_server_name(&self) -> Option<&str> {
        self.tls_server_name.as_deref()
    }

    /// A connection to it with this token.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Connection {
        Connection {
            server: self.server.clone(),
            ca_pem: self.ca_pem.clone(),
            tls_server_name: self.tls_server_name.clone(),
            credential: Inline::Token(token),
        }
    }
}

/// SHA-256 over a connection, so that its credential need not be kept to see that it changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(connection: &Connection) -> Self {
        let name = connection.tls_server_name.as_deref();
        let (kind, certificate, secret): (_, &[u8], &[u8]) = match &connection.credential {
            Inline::None => ("none", b"", b""),
            Inline::Token(token) => ("token", b"", token.expose().as_bytes()),
            Inline::Certificate { certificate_pem, key_pem } => {
                ("certificate", certificate_pem, key_pem.expose_secret())
            }
        };
        let parts = [
            connection.server.as_bytes(),
            &connection.ca_pem,
            name.unwrap_or_default().as_bytes(),
            kind.as_bytes(),
            certificate,
            secret,
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(Sha256::digest(part)); // of fixed length, so that parts cannot run together
        }
        Self(hash.finalize().into())
    }
}

/// One of the two ways to a shoot.
pub(super) struct Access {
    /// `None` where the Secret cannot be read.
    pub(super) endpoint: Option<Endpoint>,
    /// The client, or in words why there is none.
    pub(super) client: Result<Arc<dyn Shoot>, String>,
    /// When its token was issued, by its own claims; `None` where it has none that can be read.
    pub(super) issued_at: Option<Timestamp>,
    source: Result<Fingerprint, ConnectionError>,
}

impl Access {
    /// Makes the client. The credential lives on in it and nowhere else.
    pub(super) fn open(
        connection: &Result<Connection, ConnectionError>,
        connect: &dyn Connect,
    ) -> Self {
        let client = match connection {
            Err(error) => Err(error.to_string()),
            Ok(Connection { credential: Inline::None, .. }) => Err("has no token yet".to_owned()),
            Ok(connection) => connect.connect(connection).map_err(|error| failure::chain(&error)),
        };
        Self {
            endpoint: connection.as_ref().ok().map(Endpoint::of),
            client,
            issued_at: connection.as_ref().ok().and_then(issued_at),
            source: fingerprint(connection),
        }
    }

    /// Whether it was made from the same data.
    pub(super) fn is_of(&self, connection: &Result<Connection, ConnectionError>) -> bool {
        self.source == fingerprint(connection)
    }
}

fn issued_at(connection: &Connection) -> Option<Timestamp> {
    match &connection.credential {
        Inline::Token(token) => Some(Claims::read(token.expose().as_bytes()).ok()?.issued_at),
        Inline::None | Inline::Certificate { .. } => None,
    }
}

fn fingerprint(
    connection: &Result<Connection, ConnectionError>,
) -> Result<Fingerprint, ConnectionError> {
    connection.as_ref().map(Fingerprint::of).map_err(Clone::clone)
}
