//! The side that answers.

use std::future::ready;

use futures::{StreamExt as _, stream::BoxStream};
use http::Extensions;
use tonic::{Request, Status, Streaming};
use tracing::{Instrument as _, Span};

use super::{Asked, Method};
use crate::trace::{incoming, note_code};

/// Calls of one stream at once; what comes after them is not read before one of them ends. A caller has fewer.
const CALLS_MAX: usize = 1_024;

/// Answers each call of a stream by `carry_out`, until the caller goes or `until` ends. What was read by then is
/// answered.
pub fn answers<M: Method, F>(
    request: Request<Streaming<M::Request>>,
    until: impl Future<Output = ()> + Send + 'static,
    carry_out: impl Fn(M::Ask) -> F + Send + 'static,
) -> BoxStream<'static, Result<M::Response, Status>>
where
    F: Future<Output = Result<M::Answer, Status>> + Send + 'static,
{
    let (_, extensions, messages) = request.into_parts();
    let until_it_breaks = messages.take_until(until).scan((), |(), read| ready(read.ok()));
    until_it_breaks
        .map(move |message| answer::<M, _, _>(&extensions, message, &carry_out))
        .buffer_unordered(CALLS_MAX)
        .map(Ok)
        .boxed()
}

fn answer<M: Method, F, C: Fn(M::Ask) -> F>(
    extensions: &Extensions,
    message: M::Request,
    carry_out: &C,
) -> impl Future<Output = M::Response> + Send + use<M, F, C>
where
    F: Future<Output = Result<M::Answer, Status>> + Send + 'static,
{
    let Asked { number, traceparent, ask } = M::asked(message);
    let span = incoming::of_message(M::NAME, extensions, traceparent);
    let carried_out = ask.map(|ask| span.in_scope(|| carry_out(ask)));
    let answered = async move {
        let outcome = match carried_out {
            Some(carried_out) => carried_out.await,
            None => Err(Status::invalid_argument("the message asks for nothing")),
        };
        note_code(&Span::current(), outcome.as_ref().err().map(Status::code));
        M::response(number, outcome)
    };
    answered.instrument(span)
}
