//! How long a call to the seed goes on by itself.
//!
//! A write that waits a moment saves a token that was issued already, so 429, 503 and 504 are
//! tried again here. But a seed that asks for a long pause is believed: kube's own retries would
//! sleep through [`crate::call::LIMIT`], and nobody would ever hear of the pause.

use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, retry::RetryPolicy};
use tokio::time::Sleep;
use tower::{BoxError, retry::Policy};

use crate::retry_after;

/// Longest time that the seed can make one call wait, all its pauses together. Half of the limit
/// of a call; the rest is for the tries themselves and for our own pauses.
const ASKED_MAX: Duration = Duration::from_secs(5);
/// Pauses of our own double from this, give or take.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// The longest of them.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// 5, 10, 20, … 640 ms and two of 1 s make 3.3 s.
const RETRIES_MAX: u32 = 10;
const _: () = assert!(ASKED_MAX.as_millis() + 3_300 < crate::call::LIMIT.as_millis());

/// kube's policy with an end.
#[derive(Clone)]
pub(super) struct Patience {
    retries: RetryPolicy,
    asked: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        let retries = RetryPolicy::new(PAUSE_MIN, PAUSE_MAX, RETRIES_MAX, true)
            .expect("the shortest pause is above zero and below the longest");
        Self { retries, asked: Duration::ZERO }
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Patience {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        outcome: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        if let Ok(answer) = outcome {
            let asked = retry_after::seconds(answer.headers()).unwrap_or_default();
            self.asked += Duration::from_secs(asked.into());
        }
        if self.asked > ASKED_MAX {
            return None;
        }
        self.retries.retry(request, outcome)
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        // Which response does not matter here, but the trait must be told one.
        Policy::<_, Response<B>, _>::clone_request(&mut self.retries, request)
    }
}
