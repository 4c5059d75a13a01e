//! Taking up renewed certificates while calls go on.
//!
//! Content that cannot be used is most often content that is not complete yet: certificate there, key
//! to come. So it is said only when the next look finds the same, and then from time to time, because
//! the certificate that is kept will expire.

use std::{sync::Arc, time::Duration};

use perennial_core::{clock::Clock, failure};
use tokio::time;
use tracing::{error, info, warn};

use super::{Reload, TlsStore};

/// Pause between two looks at the files. One reads six small files, 0.2 ms in a debug build: a
/// ten-thousandth of a core.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);
/// What stays wrong is said again after so many looks: five minutes.
const LOOKS_BETWEEN_WORDS: u32 = 5 * 60 / RELOAD_INTERVAL.as_secs() as u32;

impl TlsStore {
    /// Looks at the files every 2 s until `shutdown` ends.
    pub async fn reload_loop(
        self: Arc<Self>,
        clock: Arc<dyn Clock>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut beat = time::interval(RELOAD_INTERVAL);
        beat.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut shutdown = std::pin::pin!(shutdown);
        let (mut bad_content, mut too_old) = (Trouble::default(), Trouble::default());
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = beat.tick() => {}
            }
            let now = clock.now();
            // Small files on a tmpfs: not worth a thread of the blocking pool.
            let problem = match self.reload(now) {
                Ok(Reload::Unchanged) => None,
                Ok(Reload::Swapped) => {
                    info!(expires = %self.expires_at(), "new certificates are in use");
                    None
                }
                Err(error) => Some(failure::chain(&error)),
            };
            if let Some(problem) = bad_content.worth_saying(problem) {
                warn!("keeping the old certificates: {problem}");
            }
            let expired = self.check_time(now).err().map(|error| failure::chain(&error));
            if let Some(problem) = too_old.worth_saying(expired) {
                error!("every peer refuses us: {problem}");
            }
        }
    }
}

/// What is wrong, and for how many looks it has been.
#[derive(Debug, Default)]
struct Trouble {
    problem: Option<String>,
    looks: u32,
}

impl Trouble {
    /// The problem, at the second look in a row that finds it, and then from time to time.
    fn worth_saying(&mut self, problem: Option<String>) -> Option<&str> {
        if self.problem == problem {
            self.looks = self.looks.saturating_add(1);
        } else {
            (self.problem, self.looks) = (problem, 1);
        }
        let due = self.looks >= 2 && (self.looks - 2).is_multiple_of(LOOKS_BETWEEN_WORDS);
        self.problem.as_deref().filter(|_| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_for_one_look_is_not_said_and_what_stays_wrong_is_said_from_time_to_time() {
        let mut trouble = Trouble::default();
        let mut said = |problem: Option<&str>| {
            trouble.worth_saying(problem.map(str::to_owned)).map(str::to_owned)
        };
        assert_eq!(said(Some("no pair")), None, "the other half may be on its way");
        assert_eq!(said(None), None);
        assert_eq!(said(Some("no pair")), None);
        assert_eq!(said(Some("no pair")).as_deref(), Some("no pair"));
        let later = (0..LOOKS_BETWEEN_WORDS).filter(|_| said(Some("no pair")).is_some()).count();
        assert_eq!(later, 1);
        assert_eq!(said(Some("no CA")), None, "another problem begins anew");
    }
}
