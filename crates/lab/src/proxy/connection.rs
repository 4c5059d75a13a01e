//! One connection through a proxy.

use std::{io, net::SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Mode;

/// Bytes passed on at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Passes on what comes from either side, until both have ended, one fails, or the proxy cuts.
pub(super) async fn pass(client: TcpStream, target: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let (up, down) = (mode.clone(), mode.clone());
    let both = async {
        let server = TcpStream::connect(target).await?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        tokio::try_join!(pump(from_client, to_server, up), pump(from_server, to_client, down))
    };
    tokio::select! {
        // Whichever way it ended, both sides see it: the connections are dropped.
        _ = both => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await?;
        let open = mode.wait_for(|mode| mode.pause().is_some()).await;
        let pause = open.map_err(|_| io::ErrorKind::ConnectionAborted)?.pause();
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            tokio::time::sleep(pause).await;
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
