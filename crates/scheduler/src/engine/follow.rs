//! Follows one stream for as long as the process lives, over every break of it.

use std::time::Duration;

use futures::{StreamExt as _, stream::BoxStream};
use perennial_core::{backoff::doubled, failure::Failure as _};
use perennial_process::supervise::Shutdown;
use perennial_rpc::status::Remote;
use tokio::{sync::mpsc, time};
use tracing::{debug, info, warn};

use super::Input;
use perennial_fleet::feed::Event;

/// First pause after a stream could not be opened or broke; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest silence until the whole set is in. After that a stream may be silent for ever; a dead
/// peer is noticed by the keep-alive of the connection.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);

/// A stream of events.
pub type Events<T, K> = BoxStream<'static, Result<Event<T, K>, Remote>>;

/// Where a stream comes from.
pub trait Origin: Send + 'static {
    /// What it tells of.
    type Item: Send;
    /// What identifies it.
    type Key: Send;

    /// Opens the stream, at the next replica where there are several.
    fn open(
        &mut self,
    ) -> impl Future<Output = Result<Events<Self::Item, Self::Key>, Remote>> + Send;

    /// Whom it was last opened at, for logs.
    fn peer(&self) -> &str;

    /// What a message is to the engine.
    fn input(&self, event: Event<Self::Item, Self::Key>) -> Input;

    /// What trouble is to the engine.
    fn trouble(&self, why: String) -> Input;
}

/// Follows until shutdown is requested or the engine is gone.
pub async fn follow(mut origin: impl Origin, inputs: mpsc::Sender<Input>, shutdown: Shutdown) {
    let following = async {
        let mut breaks = 0;
        loop {
            let why = match pass_on(&mut origin, &inputs, &mut breaks).await {
                Ok(why) => why,
                Err(EngineGone) => return,
            };
            // Said once; while it lasts, the reason stands in /readyz or in the schedules.
            match breaks {
                0 => warn!(peer = origin.peer(), "stream broke: {why}"),
                _ => debug!(peer = origin.peer(), breaks, "stream broke again: {why}"),
            }
            let trouble = origin.trouble(format!("{}: {why}", origin.peer()));
            if inputs.send(trouble).await.is_err() {
                return;
            }
            time::sleep(pause(breaks)).await;
            breaks += 1;
        }
    };
    tokio::select! {
        () = following => {}
        () = shutdown.requested() => {}
    }
}

struct EngineGone;

/// Opens the stream and passes on what it says, until it breaks. Gives back why it did.
async fn pass_on<O: Origin>(
    origin: &mut O,
    inputs: &mpsc::Sender<Input>,
    breaks: &mut u32,
) -> Result<String, EngineGone> {
    let silence = || format!("silent for {SNAPSHOT_TIMEOUT:?} before the whole set was in");
    let mut stream = match time::timeout(SNAPSHOT_TIMEOUT, origin.open()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Ok(words(&error)),
        Err(_) => return Ok(silence()),
    };
    let send = async |event| inputs.send(event).await.map_err(|_| EngineGone);
    send(origin.input(Event::Opened)).await?;
    let mut is_whole = false;
    let why = loop {
        let next = if is_whole {
            stream.next().await
        } else {
            match time::timeout(SNAPSHOT_TIMEOUT, stream.next()).await {
                Ok(next) => next,
                Err(_) => break silence(),
            }
        };
        match next {
            Some(Ok(event)) => {
                if matches!(event, Event::Complete) {
                    info!(peer = origin.peer(), "the whole set is in");
                    (is_whole, *breaks) = (true, 0);
                }
                send(origin.input(event)).await?;
            }
            Some(Err(error)) => break words(&error),
            None => break "the other side ended it".to_owned(),
        }
    };
    send(origin.input(Event::Lost)).await?;
    Ok(why)
}

fn words(error: &Remote) -> String {
    format!("{} ({})", error.message(), error.reason())
}

fn pause(breaks: u32) -> Duration {
    doubled(PAUSE_MIN, breaks, PAUSE_MAX)
}
