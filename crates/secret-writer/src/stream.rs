//! `WatchAccessSecrets`: the whole set, a mark, then every change.

use std::{pin::Pin, time::Duration};

use futures::{FutureExt as _, Stream, stream};
use perennial_core::{
    failure::{Failure, Kind},
    name::SecretRef,
};
use perennial_process::supervise::Shutdown;
use perennial_proto::writer::v1::{
    SecretName, SnapshotComplete, WatchAccessSecretsResponse, watch_access_secrets_response,
};
use perennial_rpc::{convert::record_to_proto, status::to_status};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time;
use tonic::Status;

use crate::{
    metrics::Metrics,
    store::{Event, Store, Subscription},
};

/// Why a stream does not begin, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// More than we serve.
    #[error("too many watches over access Secrets are open")]
    TooMany,
    /// We are about to stop.
    #[error("the secret-writer is shutting down")]
    Draining,
}

impl Failure for StreamError {
    fn kind(&self) -> Kind {
        match self {
            Self::TooMany => Kind::Throttled,
            Self::Draining => Kind::Unavailable,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::TooMany => "WATCHES_MAX",
            Self::Draining => "SHUTTING_DOWN",
        }
    }
}

/// The stream of one caller.
pub type Events = Pin<Box<dyn Stream<Item = Result<WatchAccessSecretsResponse, Status>> + Send>>;

/// After all changes were told, so long is waited for more, so that where many Secrets change they come
/// together and wake the caller once. The first change after a while of quiet comes at once; and who renews a
/// token has the record from the answer.
const GATHER: Duration = Duration::from_millis(50);

/// Opens a stream. It is pulled: while the caller does not read, changes are only noted by name
/// (see [`Subscription`]). On shutdown it ends with `UNAVAILABLE`.
///
/// # Errors
/// When too many are open.
pub fn open(store: &Store, metrics: &Metrics, shutdown: Shutdown) -> Result<Events, StreamError> {
    let subscription = store.subscribe().map_err(|_| StreamError::TooMany)?;
    let open = Open { subscription, shutdown, _counted: Counted::new(metrics.watchers.clone()) };
    Ok(Box::pin(stream::unfold(Some(open), |open| async {
        let mut open = open?;
        tokio::select! {
            biased;
            () = open.shutdown.requested() => Some((Err(to_status(&StreamError::Draining)), None)),
            event = gathered(&mut open.subscription) => Some((Ok(message(event)), Some(open))),
        }
    })))
}

async fn gathered(subscription: &mut Subscription) -> Event {
    if let Some(event) = subscription.next().now_or_never() {
        return event;
    }
    time::sleep(GATHER).await;
    subscription.next().await
}

struct Open {
    subscription: Subscription,
    shutdown: Shutdown,
    _counted: Counted,
}

/// Counts one open stream while it lives.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn message(event: Event) -> WatchAccessSecretsResponse {
    use watch_access_secrets_response::Event as Message;
    let event = match event {
        Event::Upsert(seen) => Message::Upsert(record_to_proto(&seen.record)),
        Event::Removed(SecretRef { namespace, name }) => {
            Message::Removed(SecretName { namespace: namespace.into(), name: name.into() })
        }
        Event::SnapshotComplete => Message::SnapshotComplete(SnapshotComplete {}),
    };
    WatchAccessSecretsResponse { event: Some(event) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt as _;
    use perennial_process::supervise::Supervisor;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::fixtures::SecretBuilder;

    /// Names that come within so long.
    async fn told(events: &mut Events, within: Duration) -> Vec<String> {
        use watch_access_secrets_response::Event as Message;
        let mut names = Vec::new();
        let all = async {
            while let Some(Ok(message)) = events.next().await {
                names.push(match message.event {
                    Some(Message::Upsert(record)) => record.name,
                    other => format!("{other:?}"),
                });
            }
        };
        let _ = time::timeout(within, all).await; // it goes on for ever
        names
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_change_after_a_quiet_while_comes_at_once_and_later_ones_together() {
        let store = crate::fixtures::store();
        store.begin_snapshot();
        ["a", "b", "c"].iter().for_each(|name| store.upsert(SecretBuilder::new(name).seen(1)));
        store.complete_snapshot();
        let supervisor = Supervisor::new(Duration::ZERO);
        let metrics = Metrics::new(&mut Registry::default());
        let mut events = open(&store, &metrics, supervisor.shutdown()).unwrap();
        let (at_once, moment) = (GATHER / 10, GATHER / 5);
        assert_eq!(told(&mut events, GATHER * 2).await.len(), 4);

        store.upsert(SecretBuilder::new("a").token("x").seen(2));
        assert_eq!(told(&mut events, at_once).await, ["a"]);
        store.upsert(SecretBuilder::new("b").token("x").seen(3));
        assert_eq!(told(&mut events, moment).await, [""; 0]);
        store.upsert(SecretBuilder::new("c").token("x").seen(4));
        assert_eq!(told(&mut events, GATHER).await, ["b", "c"]);
    }
}
