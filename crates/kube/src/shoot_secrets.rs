//! The two Secrets that say how a shoot is reached (contract, section F), in all namespaces.
//!
//! A list or watch is only ever sent with `fieldSelector=metadata.name=…`: that is what a
//! ClusterRole with these `resourceNames` admits. What arrives is reduced at once to a
//! [`Connection`]; the Secret itself is not kept.

mod reduce;
mod reread;

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::DeserializeGuard,
    runtime::watcher::{self, watcher},
};
use perennial_core::{
    kubeconfig::{Connection, KubeconfigError},
    name::{Namespace, SecretName},
    shoot::Hibernation,
};

use self::reduce::Known;
pub use self::reread::{RereadQueue, Rereads, rereads};
use crate::{
    error::Error,
    rewatch::{trouble, with_pauses},
};

/// Data key of the kubeconfig in either Secret.
const DATA_KUBECONFIG: &str = perennial_core::keys::DATA_KUBECONFIG;

/// A Secret, or the reason why it is none.
type Guarded = DeserializeGuard<Secret>;

/// The names of the two Secrets, the same in every namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The token-issuer's own access Secret.
    pub own: SecretName,
    /// The credential of whoever made the shoot.
    pub bootstrap: SecretName,
}

impl Names {
    const fn of(&self, which: Which) -> &SecretName {
        match which {
            Which::Own => &self.own,
            Which::Bootstrap => &self.bootstrap,
        }
    }
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
        /// Whether the shoot hibernates; only the own Secret says that it does.
        hibernation: Hibernation,
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
    /// What was to be read once more could not be read; the watch goes on.
    NotRead {
        /// Whose Secrets.
        shoot: Namespace,
        /// Why.
        error: Error,
    },
    /// A list or watch failed and is tried again after a pause.
    Trouble(Error),
}

/// Watches both Secrets in all namespaces, and reads those of one shoot once more where `rereads` asks
/// for it. The stream never ends; after a failure it pauses (0.8 s, doubling up to 5 s; not where the
/// API server only forgot where we were) and goes on, and what vanished meanwhile is told as removed.
pub fn watch(
    client: Client,
    names: &Names,
    rereads: RereadQueue,
) -> impl Stream<Item = Change> + Send + use<> {
    let own = events(client.clone(), &names.own).map(|event| Heard::Event(Which::Own, event));
    let bootstrap = events(client.clone(), &names.bootstrap);
    let bootstrap = bootstrap.map(|event| Heard::Event(Which::Bootstrap, event));
    let read = reread::read(client, names.clone(), rereads);
    let read = read.map(|(shoot, which, answer)| Heard::Read(shoot, which, answer));
    let mut both = Both::new(names.clone());
    stream::select(stream::select(own, bootstrap), read)
        .flat_map(move |heard| stream::iter(both.hear(heard)))
}

/// The events of one name.
fn events(
    client: Client,
    name: &SecretName,
) -> impl Stream<Item = watcher::Result<watcher::Event<Guarded>>> + Send + use<> {
    let api: Api<Guarded> = Api::all(client);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    with_pauses(watcher(api, config))
}

/// What one of the streams says.
enum Heard {
    Event(Which, watcher::Result<watcher::Event<Guarded>>),
    Read(Namespace, Which, Result<Option<Guarded>, Error>),
}

/// What is known of both names.
struct Both {
    names: Names,
    own: Known,
    bootstrap: Known,
    /// First lists that are not in.
    missing: u32,
}

impl Both {
    fn new(names: Names) -> Self {
        let (own, bootstrap) = (Known::new(Which::Own), Known::new(Which::Bootstrap));
        Self { names, own, bootstrap, missing: 2 }
    }

    fn hear(&mut self, heard: Heard) -> Vec<Change> {
        let mut changes = match heard {
            Heard::Event(which, Ok(event)) => self.known(which).reduce(event),
            Heard::Event(which, Err(error)) => {
                let operation = format!("watch Secrets {}", self.names.of(which));
                vec![Change::Trouble(trouble(&operation, error))]
            }
            Heard::Read(shoot, which, Ok(secret)) => {
                self.known(which).read(shoot, secret).into_iter().collect()
            }
            Heard::Read(shoot, _, Err(error)) => vec![Change::NotRead { shoot, error }],
        };
        changes.retain(|change| {
            let is_mark = matches!(change, Change::SnapshotComplete);
            self.missing -= u32::from(is_mark);
            !is_mark || self.missing == 0
        });
        changes
    }

    const fn known(&mut self, which: Which) -> &mut Known {
        match which {
            Which::Own => &mut self.own,
            Which::Bootstrap => &mut self.bootstrap,
        }
    }
}
