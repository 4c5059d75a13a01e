//! Many calls over one stream.
//!
//! A call of its own costs headers both ways, a stream of HTTP/2 and a dozen layers on each side. Where one
//! service asks another again and again, both hold one stream open, and a call is one message there and one
//! back: less than half of the CPU at 450 a second, two thirds at 115 (docs/benchmarks.md).
//!
//! ```text
//! Pipelines::call ─► stream of the replica ─number, ask─► answers ─► handler
//!                                          ◄─number, answer or failure─
//! ```
//!
//! What is asked is what the method for one call takes, so that whoever debugs can call that. Order and
//! authority are the same: the stream is opened by whoever may call it, and answers come as they are ready.

mod client;
mod methods;
mod server;

use futures::future::BoxFuture;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::client::Channel;

pub use self::{
    client::Pipelines,
    methods::{IssueTokens, RenewTokens},
    server::answers,
};

/// One message of whoever asks.
#[derive(Debug)]
pub struct Asked<T> {
    /// Tells answers apart.
    pub number: u64,
    /// W3C trace context; empty outside of a trace.
    pub traceparent: String,
    /// What is asked for.
    pub ask: T,
}

/// A method whose calls share a stream.
pub trait Method: Send + Sync + 'static {
    /// Path of the method that does the same for one call; spans have its name.
    const NAME: &'static str;
    /// What is asked.
    type Ask: Send + 'static;
    /// What is answered.
    type Answer: Send + 'static;
    /// A message there.
    type Request: Send + 'static;
    /// A message back.
    type Response: Send + 'static;

    /// Packs a call.
    fn request(asked: Asked<Self::Ask>) -> Self::Request;

    /// Unpacks it. Without an ask it makes no sense.
    fn asked(request: Self::Request) -> Asked<Option<Self::Ask>>;

    /// Packs the answer to a call.
    fn response(number: u64, outcome: Result<Self::Answer, Status>) -> Self::Response;

    /// Unpacks it.
    fn answered(response: Self::Response) -> (u64, Result<Self::Answer, Status>);

    /// Opens the stream.
    fn open(
        channel: Channel,
        requests: ReceiverStream<Self::Request>,
    ) -> BoxFuture<'static, Result<Streaming<Self::Response>, Status>>;
}
