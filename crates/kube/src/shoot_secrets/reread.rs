//! The two Secrets of one shoot, read once more.
//!
//! What they say may not hold any more while the watch shows nothing new: a watch can lag, and one
//! whose connection died without a word hangs for minutes. Whoever finds that a credential or an address
//! does not hold asks here.

use futures::{Stream, StreamExt as _, future, stream};
use kube::{Api, Client};
use perennial_core::name::Namespace;
use tokio::sync::mpsc;

use super::{Guarded, Names, Which};
use crate::{call, error::Error};

/// Most shoots that wait to be read. Beyond, the watch has to do.
const WAITING_MAX: usize = 256;
/// Most Secrets that are read at once.
const IN_FLIGHT_MAX: usize = 4;

/// Where a shoot is asked for. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Rereads(mpsc::Sender<Namespace>);

/// What [`super::watch`] takes.
#[derive(Debug)]
pub struct RereadQueue(mpsc::Receiver<Namespace>);

/// Both ends.
#[must_use]
pub fn rereads() -> (Rereads, RereadQueue) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Rereads(sender), RereadQueue(receiver))
}

impl Rereads {
    /// Has both Secrets of a shoot read soon. Says whether there was room to ask.
    pub fn ask(&self, shoot: &Namespace) -> bool {
        self.0.try_send(shoot.clone()).is_ok()
    }
}

/// What was read; `None` where it is not there. Never ends.
pub(super) fn read(
    client: Client,
    names: Names,
    RereadQueue(mut queue): RereadQueue,
) -> impl Stream<Item = (Namespace, Which, Result<Option<Guarded>, Error>)> + Send {
    let asked = stream::poll_fn(move |context| queue.poll_recv(context));
    let both = |shoot: Namespace| {
        stream::iter([Which::Own, Which::Bootstrap].map(|which| (shoot.clone(), which)))
    };
    let read = move |(shoot, which): (Namespace, Which)| {
        let name = names.of(which).clone();
        let secrets: Api<Guarded> = Api::namespaced(client.clone(), shoot.as_str());
        async move {
            let operation = format!("read Secret {shoot}/{name} once more");
            let answer = call::bounded(&operation, secrets.get_opt(name.as_str())).await;
            (shoot, which, answer)
        }
    };
    let read = asked.flat_map(both).map(read).buffer_unordered(IN_FLIGHT_MAX);
    // Where nobody can ask any more the watch goes on.
    read.chain(stream::once(future::pending()))
}
