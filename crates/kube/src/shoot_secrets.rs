//! The two Secrets that say how a shoot is reached (contract, section F), in all namespaces.
//!
//! A list or watch is only ever sent with `fieldSelector=metadata.name=…`: that is what a
//! ClusterRole with these `resourceNames` admits. What arrives is reduced at once to a
//! [`Connection`]; the Secret itself is not kept.

mod reduce;

use futures::{Stream, StreamExt as _, future, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::DeserializeGuard,
    runtime::watcher::{self, watcher},
};
use perennial_core::{
    kubeconfig::{Connection, KubeconfigError},
    name::{Namespace, SecretName},
};

use self::reduce::Known;
use crate::{error::Error, rewatch::with_pauses};

/// Data key of the kubeconfig in either Secret.
const DATA_KUBECONFIG: &str = perennial_core::keys::DATA_KUBECONFIG;

/// The names of the two Secrets, the same in every namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The token-issuer's own access Secret.
    pub own: SecretName,
    /// The credential of whoever made the shoot.
    pub bootstrap: SecretName,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// The token-issuer's own access Secret.
    Own,
    /// The credential of whoever made the shoot.
    Bootstrap,
}

/// Why a Secret says nothing about how a shoot is reached. The text says what to do, and holds
/// nothing of the Secret's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// No such data key.
    #[error("data key {DATA_KUBECONFIG} is missing; put a kubeconfig there")]
    Missing,
    /// Not a Secret as the API describes it.
    #[error("the Secret cannot be read; make it anew")]
    Unreadable,
    /// A kubeconfig that cannot be used.
    #[error("data key {DATA_KUBECONFIG} cannot be used: {0}")]
    Kubeconfig(#[from] KubeconfigError),
}

/// What happened to one of the Secrets.
#[derive(Debug)]
pub enum Change {
    /// It is there: new, changed, or as it was.
    Upsert {
        /// Its namespace, which is the id of the shoot.
        shoot: Namespace,
        /// Which of the two.
        which: Which,
        /// What it says.
        connection: Result<Connection, ConnectionError>,
    },
    /// It is gone.
    Removed {
        /// Its namespace.
        shoot: Namespace,
        /// Which of the two.
        which: Which,
    },
    /// Both first lists are in. Comes once.
    SnapshotComplete,
    /// A list or watch failed and is tried again after a pause.
    Trouble(Error),
}

/// Watches both Secrets in all namespaces. The stream never ends; after a failure it pauses (0.8 s,
/// doubling up to 5 s; not where the API server only forgot where we were) and goes on, and what vanished meanwhile is told as removed.
pub fn watch(client: Client, names: &Names) -> impl Stream<Item = Change> + Send + use<> {
    let own = changes(client.clone(), &names.own, Which::Own);
    let bootstrap = changes(client, &names.bootstrap, Which::Bootstrap);
    let mut missing = 2; // first lists
    stream::select(own, bootstrap).filter_map(move |change| {
        let told = match change {
            Change::SnapshotComplete => {
                missing -= 1;
                (missing == 0).then_some(Change::SnapshotComplete)
            }
            other => Some(other),
        };
        future::ready(told)
    })
}

/// The changes of one name; `SnapshotComplete` when its own first list is in.
fn changes(
    client: Client,
    name: &SecretName,
    which: Which,
) -> impl Stream<Item = Change> + Send + use<> {
    let api: Api<DeserializeGuard<Secret>> = Api::all(client);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let name = name.clone();
    let mut known = Known::new(which);
    with_pauses(watcher(api, config)).flat_map(move |event| {
        stream::iter(match event {
            Ok(event) => known.reduce(event),
            Err(error) => vec![Change::Trouble(trouble(&name, error))],
        })
    })
}

/// Through [`Error`], because the text of a parse error may quote the Secret.
fn trouble(name: &SecretName, error: watcher::Error) -> Error {
    use watcher::Error::{
        InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed,
    };
    let operation = format!("watch Secrets {name}");
    let cause = match error {
        InitialListFailed(cause) | WatchStartFailed(cause) | WatchFailed(cause) => cause,
        WatchError(status) => kube::Error::Api(status),
        NoResourceVersion => {
            let problem = "the list has no version".to_owned();
            return Error::Nonsense { operation, problem };
        }
    };
    Error::from_kube(&operation, cause)
}
