//! From the watch into the store.

use futures::{Stream, StreamExt};
use perennial_core::failure::Failure as _;
use perennial_kube::access::Change;
use perennial_process::{outage::Outage, supervise::Shutdown};
use tracing::info;

use crate::{metrics::Metrics, store::Store};

/// Feeds the store until shutdown is requested. The outage ends with the first whole set: an old
/// picture with fresh answers of our own patches is still worth serving.
///
/// # Errors
/// When the seed refuses the first list for too long, or the watch ends, which it never does by itself.
pub async fn follow(
    changes: impl Stream<Item = Change> + Send,
    store: Store,
    mut outage: Outage,
    metrics: Metrics,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut changes = std::pin::pin!(changes);
    loop {
        let change = tokio::select! {
            () = shutdown.requested() => return Ok(()),
            refused = outage.given_up() => return Err(refused.into()),
            change = changes.next() => change,
        };
        let Some(change) = change else { anyhow::bail!("the watch over access Secrets ended") };
        take(change, &store, &mut outage, &metrics);
        metrics.access_secrets.set(i64::try_from(store.count()).unwrap_or(i64::MAX));
    }
}

fn take(change: Change, store: &Store, outage: &mut Outage, metrics: &Metrics) {
    match change {
        Change::SnapshotBegin => store.begin_snapshot(),
        Change::Upsert(seen) => store.upsert(*seen),
        Change::Removed(secret, version) => store.remove(&secret, &version),
        Change::SnapshotComplete => {
            store.complete_snapshot();
            outage.first_list_done();
            info!(access_secrets = store.count(), "the snapshot of access Secrets is complete");
        }
        Change::Trouble(error) => {
            metrics.watch_failure(error.kind());
            outage.failed(&error);
        }
    }
}
