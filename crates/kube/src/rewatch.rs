//! How long a watch pauses after an error.
//!
//! Nobody is served while a watch is down, and there is a watch per kind or per shoot, not one per
//! object: so the pauses are short. An API server that has forgotten the version we ask from (410, after an
//! outage the rule) answers at once with a whole list, and is asked for it at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::ExponentialBuilder;
use futures::{Stream, TryStreamExt as _};
use kube::runtime::{
    WatchStreamExt as _,
    utils::{Backoff, ResetTimerBackoff},
    watcher::{self, ExponentialBackoff},
};

use crate::error::Error;

/// First pause, as in client-go's reflector.
const PAUSE_MIN: Duration = Duration::from_millis(800);
/// Longest pause. With 30 s, as in client-go, a Secret made after an outage waited for a minute.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Jitter lengthens a pause to at most twice: 2.5 s × 2 = 5 s.
const BEFORE_JITTER_MAX: Duration = Duration::from_millis(2_500);
const _: () = assert!(BEFORE_JITTER_MAX.as_millis() * 2 == PAUSE_MAX.as_millis());
/// Pauses begin anew after so long without an error, as in client-go.
const QUIET: Duration = Duration::from_secs(120);
/// HTTP 410: the version is too old.
const GONE: u16 = 410;

/// An error of a watch as one of ours; `operation` is a phrase like `watch access Secrets`. Through
/// [`Error`], because the text of a parse error may quote the Secret.
pub(crate) fn trouble(operation: &str, error: watcher::Error) -> Error {
    match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => Error::from_kube(operation, cause),
        watcher::Error::WatchError(status) => Error::from_kube(operation, kube::Error::Api(status)),
        watcher::Error::NoResourceVersion => Error::Nonsense {
            operation: operation.to_owned(),
            problem: "the list has no version".to_owned(),
        },
    }
}

/// The stream with a pause after each error: 0.8 s, doubling, at most 5 s with jitter; none after
/// "too old resource version", but never twice in a row.
pub(crate) fn with_pauses<T>(
    events: impl Stream<Item = watcher::Result<T>> + Send,
) -> impl Stream<Item = watcher::Result<T>> + Send {
    let gone = Arc::new(AtomicBool::new(false));
    let pauses = Pauses { gone: Arc::clone(&gone), skipped: false, after: after() };
    let noted = events.inspect_err(move |error| gone.store(is_gone(error), Ordering::Relaxed));
    noted.backoff(pauses)
}

fn is_gone(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == GONE)
}

fn after() -> ResetTimerBackoff<ExponentialBackoff> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(BEFORE_JITTER_MAX)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times();
    ResetTimerBackoff::new(pauses.into(), QUIET)
}

/// Pauses that know whether the last error was a version too old.
struct Pauses {
    gone: Arc<AtomicBool>,
    /// The last error got no pause. Outlives `reset`: a list that succeeds and a watch that is
    /// refused, in turn and without end, must not spin.
    skipped: bool,
    after: ResetTimerBackoff<ExponentialBackoff>,
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.skipped = self.gone.load(Ordering::Relaxed) && !self.skipped;
        if self.skipped { Some(Duration::ZERO) } else { self.after.next() }
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.after.reset();
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use kube::core::Status;
    use tokio::time::Instant;

    use super::*;

    fn refused(code: u16) -> watcher::Result<()> {
        let status = Status { code, ..Status::default() };
        Err(watcher::Error::WatchError(status.boxed()))
    }

    /// Pauses before each event but the first, in milliseconds.
    #[expect(clippy::disallowed_methods, reason = "a measure on tokio's paused clock")]
    async fn pauses(events: Vec<watcher::Result<()>>) -> Vec<u128> {
        let mut paused = Vec::new();
        let mut events = std::pin::pin!(with_pauses(stream::iter(events)));
        let mut last = Instant::now();
        while events.next().await.is_some() {
            paused.push(last.elapsed().as_millis());
            last = Instant::now();
        }
        paused.remove(0);
        paused
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_is_tried_again_within_five_seconds() {
        let paused = pauses((0..12).map(|_| refused(500)).collect()).await;
        let (least, most) = (PAUSE_MIN.as_millis(), PAUSE_MAX.as_millis() + 1);
        assert!(paused.iter().all(|pause| (least..=most).contains(pause)), "{paused:?}");
        assert!(paused[4..].iter().all(|pause| *pause >= 2_500), "it doubles first: {paused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_too_old_is_followed_by_a_list_at_once_also_in_an_outage() {
        let paused = pauses(vec![refused(403), refused(403), refused(410), Ok(())]).await;
        assert_eq!(paused[2], 0, "{paused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn versions_too_old_without_end_do_not_spin_whether_or_not_lists_succeed() {
        for listed in [false, true] {
            let round = || [Some(refused(410)), listed.then_some(Ok(()))];
            let events = (0..8).flat_map(|_| round()).flatten().collect();
            let paused: u128 = pauses(events).await.iter().sum();
            assert!(paused >= 3 * PAUSE_MIN.as_millis(), "{paused} ms, listed: {listed}");
        }
    }
}
