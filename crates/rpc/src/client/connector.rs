//! TCP and TLS to one replica, with the certificate that is current when the connection is made.

use std::{future::Future, io, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::{Service, service_fn};

use crate::tls::{Expected, TlsStore};

/// Longest time for name resolution, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone, Debug)]
pub(super) struct Connector {
    address: String,
    name: ServerName<'static>,
    expected: Expected,
    tls: Arc<TlsStore>,
}

impl Connector {
    /// `None` when the address is not host:port.
    pub(super) fn new(address: &str, expected: Expected, tls: &Arc<TlsStore>) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned()).ok()?;
        Some(Self { address: address.to_owned(), name, expected, tls: Arc::clone(tls) })
    }

    pub(super) fn into_service(
        self,
    ) -> impl Service<
        Uri,
        Response = TokioIo<TlsStream<TcpStream>>,
        Error = io::Error,
        Future: Future<Output = io::Result<TokioIo<TlsStream<TcpStream>>>> + Send,
    > + Send
    + 'static {
        service_fn(move |_| {
            let connector = self.clone();
            async move {
                let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
                let stream = time::timeout(CONNECT_TIMEOUT, connector.connect());
                stream.await.map_err(timed_out)?.map(TokioIo::new)
            }
        })
    }

    async fn connect(self) -> io::Result<TlsStream<TcpStream>> {
        let config = self.tls.client_config(self.expected).map_err(io::Error::other)?;
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        TlsConnector::from(config).connect(self.name, tcp).await
    }
}
