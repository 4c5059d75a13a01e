//! Learns from the two Secrets of each shoot that it exists and how it is reached.

mod ignored;

use std::sync::Arc;

use anyhow::bail;
use futures::{Stream, StreamExt as _};
use perennial_kube::shoot_secrets::Change;
use perennial_process::{outage::Outage, supervise::Shutdown};
use tracing::{info, warn};

pub use self::ignored::Ignored;
use crate::{directory::Directory, probe::Probes};

/// The task that learns.
#[derive(Debug)]
pub struct Learner {
    /// Where the shoots go.
    pub directory: Arc<Directory>,
    /// Told of every change.
    pub probes: Arc<Probes>,
    /// Secrets where no shoot may be.
    pub ignored: Ignored,
    /// Over when the first lists of both Secrets are in.
    pub outage: Outage,
}

impl Learner {
    /// Follows the changes until shutdown.
    ///
    /// # Errors
    /// When the seed refuses the first lists for too long, or the changes end, which they should not.
    pub async fn run(
        mut self,
        changes: impl Stream<Item = Change>,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let mut changes = std::pin::pin!(changes);
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                change = changes.next() => match change {
                    Some(change) => self.apply(change),
                    None => bail!("the watch of the seed ended"),
                },
                refused = self.outage.given_up() => return Err(refused.into()),
            }
        }
    }

    fn apply(&mut self, change: Change) {
        if self.ignored.takes(&change) {
            return;
        }
        match change {
            Change::Upsert { shoot, which, connection } => {
                if !self.directory.upsert(&shoot, which, &connection) {
                    return;
                }
                self.probes.changed(&shoot);
                match connection {
                    Ok(_) => info!(%shoot, secret = ?which, "learned how a shoot is reached"),
                    Err(error) => warn!(%shoot, secret = ?which, "of no use: {error}"),
                }
            }
            Change::Removed { shoot, which } => {
                if self.directory.remove(&shoot, which) {
                    self.probes.remove(&shoot);
                } else {
                    self.probes.changed(&shoot);
                }
                info!(%shoot, secret = ?which, "Secret is gone");
            }
            Change::SnapshotComplete => {
                self.directory.complete();
                self.outage.first_list_done();
            }
            Change::NotRead { shoot, error } => warn!(%shoot, "{error}"),
            Change::Trouble(error) => self.outage.failed(&error),
        }
    }
}
