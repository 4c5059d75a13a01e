//! The side that asks.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracing::{Instrument as _, Span};

use super::{Asked, Method};
use crate::{
    client::{Channel, Replicas},
    status::Remote,
    trace::{note_code, outgoing},
};

/// Calls that wait for their answer or to be sent, for one replica; whoever calls beyond that waits.
const CALLS_MAX: usize = 1_024;
/// Longest time until the other side took the stream: three seconds to connect are part of it.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Calls of one method, each to the replica of its key. Clones share the streams, one to each replica, which
/// are opened with the first call and again after they broke.
#[derive(Debug)]
pub struct Pipelines<M: Method> {
    replicas: Replicas,
    calls: Arc<[mpsc::Sender<Call<M>>]>, // one for each of the replicas
}

impl<M: Method> Clone for Pipelines<M> {
    fn clone(&self) -> Self {
        Self { replicas: self.replicas.clone(), calls: Arc::clone(&self.calls) }
    }
}

/// A call that waits.
#[derive(Debug)]
struct Call<M: Method> {
    ask: M::Ask,
    traceparent: String,
    answer: oneshot::Sender<Result<M::Answer, Status>>,
}

impl<M: Method> Pipelines<M> {
    /// Pipelines, and what must be run for them; that ends when the last clone is gone.
    pub fn new(replicas: Replicas) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (mut calls, mut drivers) = (Vec::new(), Vec::new());
        for (_, channel) in replicas.all() {
            let (sender, receiver) = mpsc::channel(CALLS_MAX);
            calls.push(sender);
            drivers.push(drive::<M>(channel, receiver));
        }
        let driven = async move { drop(join_all(drivers).await) };
        (Self { replicas, calls: calls.into() }, driven)
    }

    /// Calls the replica of `key`. No time limit but that of the connection: callers have their own, and one
    /// that leaves lets the call go on.
    ///
    /// # Errors
    /// Those of the method, as a call of its own has them; UNAVAILABLE where the stream broke.
    pub async fn call(&self, key: &str, ask: M::Ask) -> Result<M::Answer, Status> {
        let (span, traceparent) = outgoing::begin(M::NAME);
        let (answer, answered) = oneshot::channel();
        let call = Call { ask, traceparent, answer };
        let calls = &self.calls[self.replicas.position(key)];
        let answered = async move {
            let gone = || Status::unavailable("the process is stopping");
            calls.send(call).await.map_err(|_| gone())?;
            let outcome = answered.await.unwrap_or_else(|_| Err(gone()));
            note_code(&Span::current(), outcome.as_ref().err().map(Status::code));
            outcome
        };
        answered.instrument(span).await
    }
}

/// Sends calls to one replica, over one stream after the other.
async fn drive<M: Method>(channel: Channel, mut calls: mpsc::Receiver<Call<M>>) {
    while let Some(first) = calls.recv().await {
        let (requests, sent) = mpsc::channel(CALLS_MAX);
        let mut stream = Stream { requests, waiting: HashMap::new(), next: 0 };
        stream.send(first);
        let opening = M::open(channel.clone(), ReceiverStream::new(sent));
        let why = match timeout(OPEN_LIMIT, opening).await {
            Ok(Ok(answers)) => stream.carry(answers, &mut calls).await,
            Ok(Err(status)) => {
                let why = of_the_way(status);
                // They would fail one after the other, each after an attempt of its own.
                while let Ok(call) = calls.try_recv() {
                    let _ = call.answer.send(Err(why.clone()));
                }
                why
            }
            Err(_) => Status::unavailable(format!("no answer within {OPEN_LIMIT:?}")),
        };
        stream.fail(&why);
    }
}

/// An open stream, and who waits at it.
struct Stream<M: Method> {
    requests: mpsc::Sender<M::Request>,
    waiting: HashMap<u64, oneshot::Sender<Result<M::Answer, Status>>>,
    next: u64,
}

impl<M: Method> Stream<M> {
    /// Passes on calls and answers until the stream breaks; says why it did.
    async fn carry(
        &mut self,
        mut answers: Streaming<M::Response>,
        calls: &mut mpsc::Receiver<Call<M>>,
    ) -> Status {
        loop {
            let has_room = self.has_room();
            tokio::select! {
                call = calls.recv(), if has_room => match call {
                    Some(call) => self.send(call),
                    None => return Status::unavailable("the process is stopping"),
                },
                message = answers.message() => match message {
                    Ok(Some(message)) => self.answered(message),
                    Ok(None) => return Status::unavailable("the other side ended the stream"),
                    Err(status) => return of_the_way(status),
                },
            }
        }
    }

    /// Every call that is sent waits, and no more wait than fit into the channel, so there is room in it.
    fn send(&mut self, call: Call<M>) {
        let Call { ask, traceparent, answer } = call;
        let number = self.next;
        let asked = Asked { number, traceparent, ask };
        match self.requests.try_send(M::request(asked)) {
            Ok(()) => {
                self.next += 1;
                self.waiting.insert(number, answer);
            }
            Err(_) => {
                let _ = answer.send(Err(Status::unavailable("the stream takes no more calls")));
            }
        }
    }

    fn has_room(&mut self) -> bool {
        if self.waiting.len() >= CALLS_MAX {
            self.waiting.retain(|_, answer| !answer.is_closed()); // whoever asked has left
        }
        self.waiting.len() < CALLS_MAX
    }

    fn answered(&mut self, message: M::Response) {
        let (number, outcome) = M::answered(message);
        if let Some(answer) = self.waiting.remove(&number) {
            let _ = answer.send(outcome); // whoever asked may have left
        }
    }

    fn fail(self, why: &Status) {
        for (_, answer) in self.waiting {
            let _ = answer.send(Err(why.clone()));
        }
    }
}

/// What ends a stream says nothing of the calls on it, unless it is a refusal at the door.
fn of_the_way(status: Status) -> Status {
    let refused = [Code::PermissionDenied, Code::Unauthenticated, Code::Unimplemented]
        .contains(&status.code());
    match refused || !status.details().is_empty() {
        true => status,
        false => Status::unavailable(Remote::from(status).message()),
    }
}
