//! Every call has a limit of its own. kube would retry 429, 503 and 504 up to 15 times by itself,
//! about 160 s; the scheduler knows better when to try again, so that is switched off. Calls to the
//! seed are repeated for a few seconds, those to a shoot not at all.

use std::{future::Future, time::Duration};

use perennial_core::failure::Failure as _;
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::error::Error;

/// Longest time one call to an API server may take, its repetitions included. The shortest
/// life one can ask for is 600 s and the last 240 s are left when renewal is due, so even after
/// ten calls that hang and their pauses there is time for another.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Runs one call within [`LIMIT`].
///
/// # Errors
/// The error of the call, or that it did not answer in time; both name `operation`, a phrase like
/// `request a token for kube-system/kube-proxy`.
pub async fn bounded<T>(
    operation: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    let span = span(operation);
    let answer = match tokio::time::timeout(LIMIT, call.instrument(span.clone())).await {
        Ok(answer) => answer.map_err(|error| Error::from_kube(operation, error)),
        Err(_) => Err(Error::TimedOut { operation: operation.to_owned(), limit: LIMIT }),
    };
    if let Err(error) = &answer {
        span.record("error.type", error.reason());
        span.record("otel.status_code", "ERROR");
    }
    answer
}

/// Part of what asked for the call. A call that nobody asked for (a probe) has none: it would be a
/// trace of its own.
fn span(operation: &str) -> Span {
    if Span::current().is_disabled() {
        return Span::none();
    }
    info_span!(
        "api server", otel.kind = "client", operation, error.type = Empty, otel.status_code = Empty
    )
}
