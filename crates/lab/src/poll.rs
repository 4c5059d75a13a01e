//! Waiting for a condition, with a bound, and with the last state in the error.

use std::time::Duration;

use anyhow::{Result, anyhow};

/// Pause between two looks. Short, because starting the lab is part of every inner loop.
const BEAT: Duration = Duration::from_millis(50);

/// What one look at the world says.
#[derive(Debug)]
pub enum Look<T> {
    /// It is so.
    Done(T),
    /// Not yet; the text is the state to show when the bound is hit.
    Waiting(String),
}

/// Looks until it is so, at most for `bound`.
///
/// # Errors
/// The look itself failed, which ends the wait at once; or the bound is over, with the last state.
pub async fn until<T, F>(what: &str, bound: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Look<T>>,
{
    let mut last = "nothing seen yet".to_owned();
    let wait = async {
        loop {
            match look().await? {
                Look::Done(value) => return Ok(value),
                Look::Waiting(state) => last = state,
            }
            tokio::time::sleep(BEAT).await;
        }
    };
    let outcome = tokio::time::timeout(bound, wait).await;
    outcome.unwrap_or_else(|_| {
        Err(anyhow!("{what}: not after {} s; last state: {last}", bound.as_secs()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_fails_tells_the_last_state() {
        let mut looks = 0;
        let error = until::<(), _>("moon", Duration::from_secs(1), async || {
            looks += 1;
            Ok(Look::Waiting(format!("look {looks}")))
        })
        .await
        .unwrap_err();

        assert!(error.to_string().starts_with("moon: not after 1 s; last state: look "));
    }
}
