//! Learns from the two Secrets of each shoot that it exists and how it is reached.

mod ignored;

use std::sync::Arc;

use anyhow::bail;
use futures::{Stream, StreamExt as _};
use perennial_core::{
    keys,
    shoot::{Hibernation, ShootId},
};
use perennial_kube::shoot_secrets::{Change, Which};
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
            Change::Upsert { shoot, which, connection, hibernation } => {
                let is_news = self.directory.upsert(&shoot, which, &connection);
                if which == Which::Own {
                    self.hibernate(&shoot, hibernation);
                }
                if !is_news {
                    return;
                }
                self.probes.changed(&shoot);
                match connection {
                    Ok(_) => info!(%shoot, secret = ?which, "learned how a shoot is reached"),
                    Err(error) => warn!(%shoot, secret = ?which, "of no use: {error}"),
                }
            }
            Change::Removed { shoot, which } => {
                if which == Which::Own {
                    self.hibernate(&shoot, Hibernation::Awake);
                }
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

impl Learner {
    /// Takes in what the own Secret says of hibernation; one line for each turn.
    fn hibernate(&self, shoot: &ShootId, hibernation: Hibernation) {
        let Some(before) = self.directory.hibernate(shoot, &hibernation) else { return };
        if let Hibernation::Unreadable(value) = &hibernation {
            let key = keys::HIBERNATED;
            warn!(%shoot, value, "annotation {key} is no bool, and counts as false; set it to true or false");
        }
        match (before, hibernation) {
            (_, Hibernation::Hibernated) => {
                self.probes.hibernated(shoot);
                info!(%shoot, "the shoot hibernates: nothing is asked of it until it wakes");
            }
            (Hibernation::Hibernated, _) => {
                self.probes.woken(shoot);
                info!(%shoot, "the shoot hibernates no more, and is looked at now");
            }
            _ => {}
        }
    }
}
