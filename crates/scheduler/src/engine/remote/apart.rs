//! How far our clock is from that of a token-issuer, by its messages, which say when they were sent.
//!
//! All times in a stream are moved by what its first message shows. Where a later one shows
//! something else, one of the two clocks was set: the stream ends and is opened anew, so that all of
//! it is told once more.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use perennial_core::clock::Clock;
use tonic::Status;

/// Clocks that are no further apart count as one.
const SAME_MAX: SignedDuration = SignedDuration::from_secs(10);
/// A message may wait for so long while there is much to do.
const WAIT_MAX: SignedDuration = SignedDuration::from_secs(60);

#[derive(Debug)]
pub(super) struct Apart {
    clock: Arc<dyn Clock>,
    ahead: Option<SignedDuration>,
}

impl Apart {
    pub(super) const fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, ahead: None }
    }

    /// By how much our clock is ahead of the sender's, whole seconds; zero for one that does not say.
    ///
    /// # Errors
    /// It is not what it was.
    pub(super) fn ahead(&mut self, sent_at: Option<Timestamp>) -> Result<SignedDuration, Status> {
        let Some(sent_at) = sent_at else { return Ok(self.ahead.unwrap_or_default()) };
        let seen = self.clock.now().duration_since(sent_at);
        let ahead = *self.ahead.get_or_insert_with(|| match seen.abs() <= SAME_MAX {
            true => SignedDuration::ZERO,
            false => SignedDuration::from_secs(seen.as_secs()),
        });
        match seen.saturating_sub(ahead).abs() <= WAIT_MAX {
            true => Ok(ahead),
            false => Err(Status::unavailable("its clock or ours was set meanwhile")),
        }
    }
}

#[cfg(test)]
mod tests {
    use perennial_testing::clock::ManualClock;

    use super::*;
    use crate::fixtures::at;

    const HOUR: i64 = 3_600;

    fn ahead(apart: &mut Apart, sent_at: i64) -> Option<i64> {
        apart.ahead(Some(at(sent_at))).ok().map(|ahead| ahead.as_secs())
    }

    #[test]
    fn c_clock_the_first_message_says_how_far_apart_and_seconds_are_nothing() {
        let clock = ManualClock::at(at(13 * HOUR));
        let apart = || Apart::new(Arc::new(clock.clone()));
        assert_eq!(ahead(&mut apart(), 0), Some(13 * HOUR));
        assert_eq!(ahead(&mut apart(), 26 * HOUR), Some(-13 * HOUR));
        assert_eq!(ahead(&mut apart(), 13 * HOUR - 9), Some(0));
        assert_eq!(apart().ahead(None).unwrap(), SignedDuration::ZERO, "an older version");
    }

    #[test]
    fn c_clock_a_message_that_waited_changes_nothing_and_a_clock_that_was_set_ends_the_stream() {
        let clock = ManualClock::at(at(13 * HOUR));
        let mut apart = Apart::new(Arc::new(clock.clone()));
        assert_eq!(ahead(&mut apart, 0), Some(13 * HOUR));
        clock.set(at(13 * HOUR + 100));
        assert_eq!(ahead(&mut apart, 60), Some(13 * HOUR), "it was under way for 40 s");
        clock.set(at(200));
        assert_eq!(ahead(&mut apart, 200), None);
    }
}
