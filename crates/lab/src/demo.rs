//! `perennial-lab demo`: the main job in about a minute, on real API servers, with proof at the end.

mod components;
mod ledger;
mod proof;
mod stage;
mod story;

use anyhow::Result;

use crate::lab::Options;
use crate::run::{Signals, begin, exit_code_of_signal};

/// Every token is renewed within 80 % of this, so that one can watch.
const RENEWAL_BASIS: &str = "8s";

/// Shows the main job; returns the exit code, 0 when everything was proved.
///
/// # Errors
/// Signals cannot be handled, or something of the lab itself breaks.
pub(crate) async fn run(keep: bool) -> Result<u8> {
    let mut signals = Signals::new()?;
    let options = Options {
        shoots: 2,
        scheduler_args: vec![format!("--renewal-basis={RENEWAL_BASIS}")],
        ..Options::default()
    };
    let mut lab = match begin(options, &mut signals).await {
        Ok(lab) => lab,
        Err(code) => return Ok(code),
    };
    let told = tokio::select! {
        told = story::tell(&lab, keep) => told,
        signal = signals.next() => {
            lab.stop().await?;
            // With --keep this is how it ends.
            return Ok(if keep { 0 } else { exit_code_of_signal(signal) });
        }
    };
    if !matches!(told, Ok(true)) {
        lab.keep_dir();
    }
    lab.stop().await?;
    Ok(if told? { 0 } else { 1 })
}
