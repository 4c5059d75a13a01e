//! How fast things begin.

use std::time::Duration;

use futures::{Stream, stream};
use tokio::time;

/// 0, 1, 2 and so on, one each `every`; as fast as they are taken without. Without end.
pub fn numbers(every: Option<Duration>) -> impl Stream<Item = usize> + Send {
    stream::unfold((0, every.map(time::interval)), |(number, mut beat)| async move {
        if let Some(beat) = &mut beat {
            beat.tick().await;
        }
        Some((number, (number + 1, beat)))
    })
}
