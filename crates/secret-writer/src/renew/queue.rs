//! Where renewals run.

use futures::future::BoxFuture;
use perennial_process::supervise::Shutdown;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use tracing::error;

/// One permitted renewal. How many there can be is bounded by who permits them.
pub type Job = BoxFuture<'static, ()>;

/// Works off renewals until shutdown is requested, then finishes those that are in flight.
pub async fn run(mut jobs: mpsc::Receiver<Job>, shutdown: Shutdown) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.requested(), if !jobs.is_closed() => jobs.close(),
            Some(ended) = running.join_next() => look_at(ended),
            job = jobs.recv() => match job {
                Some(job) => drop(running.spawn(job)),
                None => break,
            },
        }
    }
    while let Some(ended) = running.join_next().await {
        look_at(ended);
    }
}

/// A renewal that panicked is our own mistake; the others go on.
fn look_at(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        error!("a renewal ended without an answer: {panic}");
    }
}
