use std::time::Duration;

use futures::{Stream, StreamExt, future::ready};
use perennial_core::keys;
use perennial_kube::access::Change;
use serde_json::json;

use super::seed::{Seed, order, written};

/// The next change that is about this seed's namespace, or a mark.
async fn next(seed: &Seed, changes: &mut (impl Stream<Item = Change> + Unpin)) -> Change {
    let ours = |change: &Change| match change {
        Change::Upsert(seen) => seen.record.secret.namespace.as_str() == seed.namespace,
        Change::Removed(secret, _) => secret.namespace.as_str() == seed.namespace,
        Change::SnapshotBegin | Change::SnapshotComplete | Change::Trouble(_) => true,
    };
    let mut changes = changes.filter(|change| ready(ours(change)));
    let next = tokio::time::timeout(Duration::from_secs(20), changes.next());
    next.await.expect("a change in time").expect("watches never end")
}

#[tokio::test]
async fn the_whole_set_comes_first_and_then_every_change() {
    let seed = Seed::new().await;
    let before = seed.create("a", json!({"token": ""})).await;
    let mut changes = Box::pin(seed.access.watch());
    assert!(matches!(next(&seed, &mut changes).await, Change::SnapshotBegin));
    let told = next(&seed, &mut changes).await;
    assert!(matches!(&told, Change::Upsert(seen) if **seen == before), "{told:?}");
    assert!(matches!(next(&seed, &mut changes).await, Change::SnapshotComplete));

    let after = written(seed.write(&order(&before, 0, None)).await);
    let told = next(&seed, &mut changes).await;
    assert!(matches!(&told, Change::Upsert(seen) if **seen == after), "{told:?}");

    seed.edit("a", json!({"metadata": {"labels": {keys::CLASS: "seed"}}})).await;
    let told = next(&seed, &mut changes).await;
    assert!(
        matches!(&told, Change::Removed(_, version)
        if after.resource_version.is_older_than(version)),
        "{told:?}"
    );

    let back = seed.edit("a", json!({"metadata": {"labels": {keys::CLASS: "shoot"}}})).await;
    assert!(matches!(next(&seed, &mut changes).await, Change::Upsert(_)));
    seed.secrets.delete("a", &Default::default()).await.unwrap();
    let told = next(&seed, &mut changes).await;
    let Change::Removed(_, version) = told else { panic!("{told:?}") };
    assert_ne!(Some(version.as_str()), back.metadata.resource_version.as_deref());
}
