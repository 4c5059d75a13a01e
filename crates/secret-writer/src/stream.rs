//! `WatchAccessSecrets`: the whole set, a mark, then every change.

use std::pin::Pin;

use futures::{Stream, stream};
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
            event = open.subscription.next() => Some((Ok(message(event)), Some(open))),
        }
    })))
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
