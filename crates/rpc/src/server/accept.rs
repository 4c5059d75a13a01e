//! From the listening socket to verified connections.
//!
//! Handshakes run side by side, each with a timeout, so that one slow client holds up nobody; and
//! no more than a fixed number at once, so that many slow clients cost a bounded amount.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::Shared;
use perennial_core::failure;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use crate::{identity::SpiffeId, tls::TlsStore};

const HANDSHAKES_MAX: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept. Out of file descriptors (EMFILE) does not pass in microseconds, and
/// the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is known about the other end. It stands in the extensions of every request.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where it comes from.
    pub address: SocketAddr,
    /// Who it is. `None` when its certificate is good but names nobody.
    pub identity: Option<SpiffeId>,
}

/// Accepts until `shutdown`, and closes the port then.
pub(super) async fn accept<F: Future<Output = ()>>(
    listener: TcpListener,
    tls: &TlsStore,
    accepted: mpsc::Sender<Stream>,
    mut shutdown: Shared<F>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(_) = handshakes.join_next() => {}
            incoming = listener.accept(), if handshakes.len() < HANDSHAKES_MAX => match incoming {
                Ok((tcp, address)) => {
                    let acceptor = TlsAcceptor::from(tls.server_config());
                    handshakes.spawn(hand_over(tcp, address, acceptor, accepted.clone()));
                }
                Err(error) => {
                    warn!("failed to accept a connection: {error}");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn hand_over(
    tcp: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    accepted: mpsc::Sender<Stream>,
) {
    match time::timeout(HANDSHAKE_TIMEOUT, handshake(tcp, address, &acceptor)).await {
        // The receiver is gone only when the server has stopped.
        Ok(Ok(stream)) => drop(accepted.send(stream).await),
        Ok(Err(error)) if refused(&error) => {
            warn!(%address, "refused a client: {}", failure::chain(&error));
        }
        Ok(Err(error)) => debug!(%address, "the client left during the handshake: {error}"),
        Err(_) => debug!(%address, "no handshake within {HANDSHAKE_TIMEOUT:?}"),
    }
}

async fn handshake(
    tcp: TcpStream,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
) -> io::Result<Stream> {
    tcp.set_nodelay(true)?;
    let tls = acceptor.accept(tcp).await?;
    let certificates = tls.get_ref().1.peer_certificates().unwrap_or_default();
    let identity = certificates.first().and_then(|leaf| {
        SpiffeId::from_certificate(leaf)
            .inspect_err(|error| warn!(%address, "a client without identity: {error}"))
            .ok()
    });
    Ok(Stream { tls, connection: Arc::new(Connection { address, identity }) })
}

/// Whether TLS refused the client, in contrast to a port scan or a TCP probe that just went away.
fn refused(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// A connection that is through its handshake.
#[derive(Debug)]
pub(super) struct Stream {
    tls: TlsStream<TcpStream>,
    connection: Arc<Connection>,
}

impl Connected for Stream {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        (*self.connection).clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
