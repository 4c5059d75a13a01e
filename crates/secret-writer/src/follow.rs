//! From the watch into the store.

use futures::{Stream, StreamExt};
use perennial_core::failure::{Failure, chain};
use perennial_kube::access::Change;
use perennial_process::{ready::Gate, supervise::Shutdown};
use tracing::{info, warn};

use crate::{metrics::Metrics, store::Store};

/// Feeds the store until shutdown is requested. The gate opens with the first whole set and stays
/// open: an old picture with fresh answers of our own patches is still worth serving.
///
/// # Errors
/// When the watch ends, which it never does by itself.
pub async fn follow(
    changes: impl Stream<Item = Change> + Send,
    store: Store,
    gate: Gate,
    metrics: Metrics,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut changes = std::pin::pin!(changes);
    loop {
        let change = tokio::select! {
            () = shutdown.requested() => return Ok(()),
            change = changes.next() => change,
        };
        let Some(change) = change else { anyhow::bail!("the watch over access Secrets ended") };
        take(change, &store, &gate, &metrics);
        metrics.access_secrets.set(i64::try_from(store.count()).unwrap_or(i64::MAX));
    }
}

fn take(change: Change, store: &Store, gate: &Gate, metrics: &Metrics) {
    match change {
        Change::SnapshotBegin => store.begin_snapshot(),
        Change::Upsert(seen) => store.upsert(*seen),
        Change::Removed(secret, version) => store.remove(&secret, &version),
        Change::SnapshotComplete => {
            store.complete_snapshot();
            gate.open();
            info!(access_secrets = store.count(), "the snapshot of access Secrets is complete");
        }
        Change::Trouble(error) => {
            metrics.watch_failure(error.kind());
            if !store.is_complete() {
                gate.close(chain(&error));
            }
            warn!(kind = error.kind().as_str(), "{}", chain(&error));
        }
    }
}
