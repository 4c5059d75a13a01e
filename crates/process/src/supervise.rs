//! One supervisor waits on every long-lived task.
//!
//! A task that ends before a stop was asked for, even cleanly, stops the whole process with an
//! error: half a process looks healthy and does nothing. After the first signal tasks have a
//! bounded grace to finish; a second signal, or the end of the grace, drops them where they are.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use perennial_core::failure;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// Tells that the process is asked to stop. Clones follow the same request.
#[derive(Clone, Debug)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Ends when the stop is requested.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// As [`Shutdown::requested`], for those who take a future that borrows nothing.
    pub async fn requested_owned(self) {
        self.0.cancelled_owned().await;
    }

    /// Whether the stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// Starts supervised tasks, at any time and from anywhere.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    abort: CancellationToken,
    running: Arc<Mutex<Vec<&'static str>>>,
    // Unbounded, but holds at most one message a task.
    ended: mpsc::UnboundedSender<Ended>,
}

impl Tasks {
    /// Starts a task that lives as long as the process. `name` stands in the error when it does
    /// not. It should end soon after [`Tasks::shutdown`] is requested.
    ///
    /// Must be called inside a tokio runtime.
    pub fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running().push(name);
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let guarded = AssertUnwindSafe(future).catch_unwind();
            let Some(outcome) = tasks.abort.run_until_cancelled(guarded).await else {
                return; // dropped by the supervisor, which names it
            };
            let outcome =
                outcome.unwrap_or_else(|panic| Err(anyhow!("panicked: {}", text(&*panic))));
            tasks.leave(name);
            // Nobody listens any more when the supervisor has given up on us.
            let _ = tasks.ended.send(Ended { name, outcome });
        });
    }

    /// When to stop.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.shutdown.clone())
    }

    fn leave(&self, name: &'static str) {
        let mut running = self.running();
        if let Some(at) = running.iter().position(|held| *held == name) {
            running.swap_remove(at);
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<&'static str>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Ended {
    name: &'static str,
    outcome: anyhow::Result<()>,
}

impl Ended {
    fn unexpected(self) -> anyhow::Error {
        match self.outcome {
            Ok(()) => {
                anyhow!("task {} ended unexpectedly: it returned without an error", self.name)
            }
            Err(error) => error.context(format!("task {} ended unexpectedly", self.name)),
        }
    }
}

/// Waits for all tasks of the process, and ends it.
#[derive(Debug)]
pub struct Supervisor {
    tasks: Tasks,
    ended: mpsc::UnboundedReceiver<Ended>,
    grace: Duration,
}

impl Supervisor {
    /// A supervisor whose tasks have `grace` to finish after a stop was requested.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            abort: CancellationToken::new(),
            running: Arc::default(),
            ended: sender,
        };
        Self { tasks, ended, grace }
    }

    /// Handle to start tasks with.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// When to stop.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.tasks.shutdown()
    }

    /// Waits for SIGTERM or SIGINT, or for the first task that ends, then drains.
    ///
    /// # Errors
    ///
    /// When a task ended or panicked before a stop was asked for (the error names it), when the
    /// drain did not finish within the grace, when a second signal cut it short, or when signals
    /// cannot be received.
    pub async fn run(self) -> anyhow::Result<()> {
        let signals = signals().context("failed to listen for SIGTERM and SIGINT")?;
        self.supervise(signals).await
    }

    /// As [`Supervisor::run`], with `stop` in place of signals. Nothing cuts the drain short.
    ///
    /// # Errors
    ///
    /// As for [`Supervisor::run`].
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.supervise(stream::once(stop).chain(stream::pending())).await
    }

    async fn supervise(mut self, signals: impl Stream<Item = ()>) -> anyhow::Result<()> {
        let mut signals = pin!(signals);
        let asked = tokio::select! {
            _ = signals.next() => Ok(()),
            Some(ended) = self.ended.recv() => Err(ended.unexpected()),
        };
        match &asked {
            Ok(()) => info!(grace = ?self.grace, "stop requested, draining"),
            // Why is said once, at the end, by whoever ends the process.
            Err(error) => info!("{error}; draining"),
        }
        let drained = self.drain(signals).await;
        match (asked, drained) {
            (Ok(()), drained) => drained,
            (unexpected, Ok(())) => unexpected,
            (Err(unexpected), Err(drain)) => Err(unexpected.context(format!("{drain}, after"))),
        }
    }

    async fn drain(mut self, mut signals: impl Stream<Item = ()> + Unpin) -> anyhow::Result<()> {
        self.tasks.shutdown.cancel();
        self.tasks.tracker.close();
        let cut_short = tokio::select! {
            biased;
            () = self.tasks.tracker.wait() => None,
            _ = signals.next() => Some("a second signal cut the drain short".to_owned()),
            () = time::sleep(self.grace) => {
                Some(format!("the drain did not finish within {:?} (--drain-grace)", self.grace))
            }
        };
        self.tasks.abort.cancel();
        while let Ok(Ended { name, outcome }) = self.ended.try_recv() {
            if let Err(error) = outcome {
                warn!("task {name} failed while draining: {}", failure::chain(error.as_ref()));
            }
        }
        match cut_short {
            None => Ok(()),
            Some(why) => bail!("{why}: still running: {}", self.tasks.running().join(", ")),
        }
    }
}

/// One item for each SIGTERM or SIGINT.
fn signals() -> std::io::Result<impl Stream<Item = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(stream::select(
        stream::poll_fn(move |cx| terminate.poll_recv(cx)),
        stream::poll_fn(move |cx| interrupt.poll_recv(cx)),
    ))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests;
