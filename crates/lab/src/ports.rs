//! Ports on 127.0.0.1 that stay ours while the lab runs.
//!
//! A port of the kernel's own choice (bind to 0) could be given to some outgoing connection while
//! the process that owns it is down, and its restart would fail. So ports come from below the
//! ephemeral range, and a lock file each keeps two labs on one machine apart.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// Below 32768, where Linux starts to pick source ports.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Hands out ports; they are given back when this is dropped.
#[derive(Debug)]
pub struct Ports {
    locks: PathBuf,
    next: u16,
    held: Vec<File>,
}

impl Ports {
    /// # Errors
    /// The folder for the locks cannot be made.
    pub fn new() -> Result<Self> {
        let locks = crate::binaries::cache::folder()?.join("ports");
        std::fs::create_dir_all(&locks)
            .with_context(|| format!("failed to make {}", locks.display()))?;
        // Labs started at the same time begin far from each other, so they rarely meet at a lock.
        let offset = std::process::id().wrapping_mul(97) % u32::from(RANGE.end - RANGE.start);
        let offset = u16::try_from(offset).context("the range is below 2^16")?;
        Ok(Self { locks, next: RANGE.start + offset, held: Vec::new() })
    }

    /// The next free address.
    ///
    /// # Errors
    /// Every port of the range is taken.
    pub fn take(&mut self) -> Result<SocketAddr> {
        for _ in RANGE {
            let port = self.next;
            self.next = if port + 1 == RANGE.end { RANGE.start } else { port + 1 };
            if let Some(lock) = self.try_take(port)? {
                self.held.push(lock);
                return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            }
        }
        bail!("no free port in {RANGE:?}")
    }

    fn try_take(&self, port: u16) -> Result<Option<File>> {
        let path = self.locks.join(port.to_string());
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let lock = lock.with_context(|| format!("failed to open {}", path.display()))?;
        let free =
            lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        Ok(free.then_some(lock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_never_get_the_same_port() {
        let (mut one, mut two) = (Ports::new().unwrap(), Ports::new().unwrap());
        let mut all: Vec<_> =
            (0..4).flat_map(|_| [one.take().unwrap(), two.take().unwrap()]).collect();
        all.sort();
        all.dedup();

        assert_eq!(all.len(), 8);
    }
}
