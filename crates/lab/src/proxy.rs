//! Many shoots over one API server: each has an address of its own in 127.0.0.0/8, behind which a
//! small TCP proxy of the lab passes everything on to the first shoot.
//!
//! What a proxy does can be changed while it runs ([`Mode`]): it is written into
//! `run/<name>.proxy`, and the proxy says in `run/<name>.proxied` what it does now. Where it listens
//! is changed in the same way, by `run/<name>.address` and `run/<name>.addressed`. That is the whole
//! protocol, as with [`crate::process`], so [`control`] can act from another process.

mod connection;
pub mod control;
mod mode;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

pub use self::mode::Mode;
use crate::dir::LabDir;

/// Most proxied shoots of a lab.
pub const PROXIES_MAX: usize = 1_000;

/// A proxy that runs until this is dropped, which cuts its connections.
#[derive(Debug)]
pub struct Proxy {
    name: String,
    address: SocketAddr,
    dir: LabDir,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy in front of `target`. Must be called within a runtime; it ends with it.
    ///
    /// # Errors
    /// The address is taken, or the folder of the lab is gone.
    pub fn start(
        name: String,
        address: SocketAddr,
        target: SocketAddr,
        dir: &LabDir,
    ) -> Result<Self> {
        let listener = serve::listen(address)?;
        control::note(Mode::Open, &name, dir)?;
        control::note_address(address, &name, dir)?;
        let mut tasks = JoinSet::new();
        let server = serve::Server { name: name.clone(), address, target, dir: dir.clone() };
        tasks.spawn(server.run(listener));
        Ok(Self { name, address, dir: dir.clone(), _tasks: tasks })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `https://127.x.y.z:port`
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Changes what it does; back when it does so.
    ///
    /// # Errors
    /// The lab does not take notice.
    pub async fn set(&self, mode: Mode) -> Result<()> {
        control::set(mode, &self.name, &self.dir).await
    }
}

/// The address of the proxy number `index`, which counts from 0. All have the same port: it is held
/// for this lab ([`crate::ports`]), whatever the address.
#[must_use]
pub fn address(index: usize, port: u16) -> SocketAddr {
    // 127.77.0.1 to 127.77.3.250: none ends in 0 or 255, and none is one that others listen at.
    let [high, low] = [index / 250, index % 250 + 1].map(|part| u8::try_from(part).unwrap_or(255));
    SocketAddr::from((Ipv4Addr::new(127, 77, high, low), port))
}
const _: () = assert!(PROXIES_MAX <= 250 * 255);

/// Where a proxy moves to from `old`. After 16 moves it is where it was first.
#[must_use]
pub fn moved(old: SocketAddr) -> SocketAddr {
    const FIRST: u8 = 77;
    const LAST: u8 = FIRST + 15;
    match old {
        SocketAddr::V4(v4) => {
            let [net, home, high, low] = v4.ip().octets();
            let home = if home == LAST { FIRST } else { home + 1 };
            SocketAddr::from((Ipv4Addr::new(net, home, high, low), v4.port()))
        }
        SocketAddr::V6(_) => old, // no proxy of ours
    }
}

/// A connection through a proxy takes two descriptors, and the usual soft limit is 1,024.
///
/// # Errors
/// The kernel refuses to raise it to the hard limit.
pub fn allow_many_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("failed to raise the limit of open files")
}

#[cfg(test)]
mod tests;
