//! What the attempts at one Secret have come to, and the pause that follows from it.

use std::{mem, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{backoff, failure::Kind, reason::Reason, token::TokenHash};

use super::{
    CLOCK_STEP,
    history::{History, Trouble},
};

/// How long a Secret waits for its new record after the secret-writer said that it has changed.
pub const RECORD_WAIT: Duration = Duration::from_secs(5);
/// Pause for all after the secret-writer could not be reached.
pub const WRITER_PAUSE: Duration = Duration::from_secs(1);
/// Whatever ends a pause early, a Secret that failed is not tried again sooner than this.
const PAUSE_LEAST: Duration = Duration::from_secs(1);
/// First pause after a repair; it doubles with each one that follows soon. Drift is put back within
/// 10 s (contract, section C), also the third one in a row.
const REPAIR_PAUSE_MIN: Duration = Duration::from_secs(1);
/// Doublings of a pause between repairs at first: 1 s, 2 s, 4 s, and then 8 s, so that what drifted is
/// put back within the 10 s of section C, also again and again.
const REPAIR_DOUBLINGS: u32 = 3;
/// So many in a row are a fight, and from then on pauses double up to the longest.
const REPAIRS_QUICK: u32 = 12;
const REPAIR_PAUSE_MAX: Duration = Duration::from_secs(60 * 60);
/// So many pauses of calm, and the next repair counts as the first.
const REPAIRS_QUIET_PAUSES: u32 = 16;
/// Longest wait that somebody else can impose on us (Retry-After).
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(10 * 60);

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Class of the failure.
    pub kind: Kind,
    /// Stable, upper-case name of what went wrong.
    pub reason: String,
    /// What went wrong, in words.
    pub message: String,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
    /// Whose failure it is.
    pub blame: Blame,
}

/// Whose failure it is, and so who has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The failure says something of this Secret only.
    Secret,
    /// The API server of the shoot asks everybody to slow down.
    Shoot,
    /// The secret-writer was not reached; nothing is said of any Secret.
    Writer,
    /// The shoot did not answer, or not us. Where that is so for several Secrets in a row, it is
    /// none of them (see [`outages`](super::outages)); as with the next two.
    ShootAway,
    /// The token-issuer was not reached, or gave no answer.
    IssuerAway,
    /// The seed took no write.
    SeedAway,
}

/// The last attempt that failed, for whoever looks at a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// What went wrong.
    pub trouble: Arc<Trouble>,
}

/// Why a Secret that should be renewed has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An attempt failed.
    Failed,
    /// Somebody asked us to slow down.
    Throttled,
    /// The secret-writer says that it must not be now.
    HeldByWriter,
    /// The record it was decided on is not the present one; the present one is on its way.
    Changed,
    /// Another token so soon would be a storm (B12).
    Storm,
    /// It was repaired a moment ago.
    Repaired,
}

/// A pause on the wall clock. A clock that is set back ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    from: Timestamp,
    /// Not over before, whatever happens.
    least: Timestamp,
    /// Over then, even if nothing happens.
    pub until: Timestamp,
    pub why: Why,
}

impl Pause {
    pub(super) fn new(now: Timestamp, least: Duration, length: Duration, why: Why) -> Self {
        let after = |length: Duration| now.saturating_add(length).unwrap_or(Timestamp::MAX);
        Self { from: now, least: after(least.min(length)), until: after(length), why }
    }

    pub(super) fn holds(&self, now: Timestamp) -> bool {
        let from = self.from.saturating_sub(CLOCK_STEP).unwrap_or(Timestamp::MIN);
        from <= now && now < self.until
    }

    fn cut(&mut self) {
        self.until = self.until.min(self.least);
    }
}

/// All attempts at one Secret since the start of this scheduler.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Failed in a row.
    pub failures: u32,
    /// In a row ended because the record had changed meanwhile.
    aborted: u32,
    pub last_failure: Option<Box<Failure>>,
    /// Boxed, because hardly any Secret has to wait.
    pause: Option<Box<Pause>>,
    /// Succeeded.
    pub renewals: u32,
    /// The last one that succeeded.
    took: Option<Took>,
    /// The last ones. Nothing is decided by them.
    pub history: History,
    /// What was repaired lately. Hardly any Secret ever is, so it costs 8 bytes.
    pub repairs: Option<Box<Repairs>>,
    /// The same for generations that were deleted: whoever fights over labels must not keep tokens
    /// alive that are revoked.
    pub deletions: Option<Box<Repairs>>,
}

/// How long it took to write a token.
#[derive(Clone, Copy, Debug)]
struct Took {
    /// Of [`TokenHash::short`] of the token: a mistake shows a wrong duration.
    token: u32,
    milliseconds: u32,
}

/// Repairs in a row. Two Secrets that want different things of one account, or a stranger who
/// undoes each repair, must not make us write without end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repairs {
    at: Timestamp,
    count: u32,
}

impl Repairs {
    fn next(before: Option<Self>, now: Timestamp) -> Self {
        let is_one_more = |before: &Self| {
            let quiet = before.pause().saturating_mul(REPAIRS_QUIET_PAUSES);
            let age = now.duration_since(before.at);
            !age.is_negative()
                && age < SignedDuration::try_from(quiet).unwrap_or(SignedDuration::MAX)
        };
        let count = before.filter(is_one_more).map_or(1, |before| before.count.saturating_add(1));
        Self { at: now, count }
    }

    fn pause(&self) -> Duration {
        let more = self.count.saturating_sub(REPAIRS_QUICK);
        let doublings = (self.count - 1).min(REPAIR_DOUBLINGS).saturating_add(more);
        backoff::doubled(REPAIR_PAUSE_MIN, doublings, REPAIR_PAUSE_MAX)
    }

    /// The Secret asks for something else: nobody undid anything. The pause grows no further than
    /// 8 s, and begins anew from there.
    fn asked(&mut self) {
        self.count = self.count.min(REPAIR_DOUBLINGS + 1);
    }

    /// Until when nothing is to be repaired again.
    pub(super) fn hold_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.at.saturating_add(self.pause()).unwrap_or(Timestamp::MAX);
        let from = self.at.saturating_sub(CLOCK_STEP).unwrap_or(Timestamp::MIN);
        (from <= now && now < until).then_some(until)
    }
}

impl Attempts {
    pub(super) fn succeeded(&mut self, token: Option<u64>, took: Duration) {
        let milliseconds = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let took = token.map(|token| Took { token: token as u32, milliseconds });
        let (history, repairs) = (mem::take(&mut self.history), self.repairs.take());
        let (renewals, deletions) = (self.renewals + 1, self.deletions.take());
        *self = Self { renewals, took, history, repairs, deletions, ..Self::default() };
    }

    /// How long it took to write this token, where that was done here, in whole milliseconds.
    pub(super) fn took(&self, token: &TokenHash) -> Option<Duration> {
        let took = self.took.filter(|took| took.token == token.short() as u32)?;
        Some(Duration::from_millis(took.milliseconds.into()))
    }

    /// What it has to wait for now.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Pause> {
        self.pause.as_deref().copied().filter(|pause| pause.holds(now))
    }

    fn wait(&mut self, pause: Pause) {
        self.pause = Some(Box::new(pause));
    }

    /// A repair ended, well or not.
    pub(super) fn repair_ended(&mut self, now: Timestamp, reason: Reason) {
        let held = match reason {
            Reason::GenerationLeft => &mut self.deletions,
            _ => &mut self.repairs,
        };
        *held = Some(Box::new(Repairs::next(held.as_deref().copied(), now)));
    }

    /// The Secret asks for other labels, or for a CA, or for none.
    pub(super) fn asks_for_repair(&mut self) {
        self.repairs.as_mut().into_iter().for_each(|repairs| repairs.asked());
    }

    /// Until when nothing is to be repaired again for this reason.
    pub(super) fn repair_held_until(&self, now: Timestamp, reason: Reason) -> Option<Timestamp> {
        let held = match reason {
            Reason::GenerationLeft => &self.deletions,
            _ => &self.repairs,
        };
        held.as_ref().and_then(|repairs| repairs.hold_until(now))
    }

    /// An operator asks: what is only our own patience is over.
    pub(super) fn hurry(&mut self) {
        self.pause = self.pause.take().filter(|pause| match pause.why {
            Why::Failed | Why::Changed | Why::Repaired => false,
            Why::Throttled | Why::HeldByWriter | Why::Storm => true,
        });
    }

    /// Another record is there. It was not the one that failed.
    pub(super) fn record_changed(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.cut();
        }
    }

    /// The shoot answers again after it did not.
    pub(super) fn shoot_returned(&mut self) {
        if let Some(pause) = self.pause.as_mut().filter(|pause| pause.why == Why::Failed) {
            pause.cut();
        }
    }

    /// A good token is there, whoever put it there.
    pub(super) fn settled(&mut self) {
        (self.failures, self.aborted) = (0, 0);
        (self.last_failure, self.pause) = (None, None);
    }

    /// Shows a failure without counting it.
    pub(super) fn note(&mut self, now: Timestamp, fault: &Fault) {
        let trouble = self.history.trouble(fault);
        self.last_failure = Some(Box::new(Failure { at: now, trouble }));
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, now: Timestamp, fault: &Fault) {
        self.failures = self.failures.saturating_add(1);
        self.note(now, fault);
    }

    pub(super) fn back_off(&mut self, now: Timestamp, length: Duration) {
        self.wait(Pause::new(now, PAUSE_LEAST, length, Why::Failed));
    }

    pub(super) fn slow_down(&mut self, now: Timestamp, length: Duration) {
        self.wait(Pause::new(now, length, length, Why::Throttled));
    }

    pub(super) fn held(&mut self, now: Timestamp, length: Duration) {
        self.wait(Pause::new(now, Duration::ZERO, length, Why::HeldByWriter));
    }

    /// Waits for the new record. Whoever edits a Secret without pause gets one attempt a second
    /// and not as many as we can make.
    pub(super) fn await_record(&mut self, now: Timestamp, length: Duration) {
        let least = if self.aborted == 0 { Duration::ZERO } else { PAUSE_LEAST };
        self.aborted = self.aborted.saturating_add(1);
        self.wait(Pause::new(now, least, length.max(least), Why::Changed));
    }
}

/// Time from `since` to `now`; none where the clock was set back.
pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    let elapsed: SignedDuration = now.duration_since(since);
    Duration::try_from(elapsed).unwrap_or(Duration::ZERO)
}
