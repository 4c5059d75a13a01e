//! Operators who wait for the outcome of their request.

use std::collections::HashMap;

use perennial_core::name::SecretRef;
use tokio::sync::oneshot;
use tracing::Span;

use perennial_fleet::{
    request::{Error, REQUESTS_MAX},
    schedule::Schedule,
};

/// An operator asks for one Secret.
#[derive(Debug)]
pub struct Request {
    /// Which Secret.
    pub secret: SecretRef,
    /// Gets the outcome.
    pub reply: Reply,
}

/// Takes the outcome to whoever asked.
#[derive(Debug)]
pub struct Reply {
    to: oneshot::Sender<Result<Schedule, Error>>,
    asked_in: Span,
}

impl Request {
    /// A request, and where its outcome arrives. That ends without one when the engine stops.
    #[must_use]
    pub fn new(secret: SecretRef) -> (Self, oneshot::Receiver<Result<Schedule, Error>>) {
        let (to, outcome) = oneshot::channel();
        (Self { secret, reply: Reply { to, asked_in: Span::current() } }, outcome)
    }
}

impl Reply {
    pub(super) fn say(self, outcome: Result<Schedule, Error>) {
        let _ = self.to.send(outcome); // whoever asked may have left
    }
}

/// At most one for each Secret: the fleet refuses a second.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<SecretRef, Reply>);

impl Waiting {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= REQUESTS_MAX
    }

    /// The span that whoever asks for this Secret is in; none where nobody asks.
    pub(super) fn asked_in(&self, secret: &SecretRef) -> Span {
        self.0.get(secret).map_or_else(Span::none, |reply| reply.asked_in.clone())
    }

    pub(super) fn add(&mut self, secret: SecretRef, reply: Reply) {
        self.0.insert(secret, reply);
    }

    pub(super) fn answer(&mut self, secret: &SecretRef, outcome: Result<Schedule, Error>) {
        if let Some(reply) = self.0.remove(secret) {
            reply.say(outcome);
        }
    }

    pub(super) fn dismiss(&mut self, dismissed: Vec<(SecretRef, Error)>) {
        for (secret, error) in dismissed {
            self.answer(&secret, Err(error));
        }
    }
}
