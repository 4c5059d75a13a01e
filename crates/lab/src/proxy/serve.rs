//! The task of one proxy: takes connections, and does what is wanted of it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Mode, connection, control};
use crate::dir::LabDir;
use crate::progress::say;

/// How often a proxy looks what is wanted of it.
const BEAT: Duration = Duration::from_millis(100);

/// Most connections through one proxy. Beyond, they wait in the backlog of the kernel, unanswered.
const CONNECTIONS_MAX: usize = 64;

/// Connections that the kernel takes before we do.
const BACKLOG: u32 = 64;

/// Binds the address of a proxy.
///
/// # Errors
/// It is taken.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?; // connections that were cut linger
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().with_context(|| format!("failed to listen on {address}"))
}

pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) target: SocketAddr,
    pub(super) dir: LabDir,
}

impl Server {
    /// Serves until the task is dropped, and every connection with it.
    pub(super) async fn run(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        let (mode, follow) = watch::channel(Mode::Open);
        let mut connections = JoinSet::new();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let room = connections.len() < CONNECTIONS_MAX;
            tokio::select! {
                client = accept(listener.as_ref()), if room && listener.is_some() => {
                    if let Some(client) = client {
                        connections.spawn(connection::pass(client, self.target, follow.clone()));
                    }
                }
                Some(_) = connections.join_next() => {}
                _ = beat.tick() => {
                    if let Err(error) = self.look(&mode, &mut listener) {
                        say(format!("{}: {error:#}", self.name));
                    }
                }
            }
        }
    }

    /// Changes to what is wanted, where that is not what is.
    fn look(
        &mut self,
        mode: &watch::Sender<Mode>,
        listener: &mut Option<TcpListener>,
    ) -> Result<()> {
        self.look_for_address(listener)?;
        let wanted = control::wanted(&self.name, &self.dir)?.unwrap_or_default();
        if wanted == *mode.borrow() {
            return Ok(());
        }
        if wanted == Mode::Cut {
            *listener = None;
        } else if listener.is_none() {
            *listener = Some(listen(self.address)?);
        }
        mode.send_replace(wanted);
        control::note(wanted, &self.name, &self.dir)
    }
}

impl Server {
    /// Listens where it is wanted. Nobody is cut for that.
    fn look_for_address(&mut self, listener: &mut Option<TcpListener>) -> Result<()> {
        let wanted = control::wanted_address(&self.name, &self.dir)?.unwrap_or(self.address);
        if wanted == self.address {
            return Ok(());
        }
        if listener.is_some() {
            *listener = Some(listen(wanted)?);
        }
        self.address = wanted;
        control::note_address(wanted, &self.name, &self.dir)
    }
}

/// None where the client was gone before we took it, or there are no descriptors left.
async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener?.accept().await {
        Ok((client, _)) => Some(client),
        Err(_) => {
            tokio::time::sleep(BEAT).await;
            None
        }
    }
}
