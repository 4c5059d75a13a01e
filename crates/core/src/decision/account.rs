//! Whether the ServiceAccount is still the one that the token is for (contract, section C).
//!
//! Records and accounts come by two streams, and one may be behind the other. So what was seen of
//! an account counts only where it is no older than the token, and not in the first moments after
//! the token was written.

use jiff::{SignedDuration, Timestamp};

use super::{ShootClock, ShootView};
use crate::{
    inputs::Inputs,
    reason::Reason,
    record::Record,
    shoot::{AccountSeen, AccountState, ShootStatus},
    token::Claims,
};

/// How far the two streams may be apart. Within this time after a token was written an account
/// that does not fit it may be the one before.
const STREAMS_APART_MAX: SignedDuration = SignedDuration::from_secs(2);
/// `Date` and `iat` have whole seconds, and clocks up to 2 s apart count as one. Where a doubt
/// remains, one token too many is better than one that nobody accepts.
const CLOCK_DOUBT: SignedDuration = SignedDuration::from_secs(3);

/// What an account, or a generation, says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It does not speak against it.
    Fits,
    /// To be looked at again then, by our clock.
    Again(Timestamp),
    /// Its token is refused.
    Lost(Reason),
}

impl Look {
    /// What the next one says, where this one does not speak against it.
    pub(super) fn or_else(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Fits => next(),
            Self::Again(_) | Self::Lost(_) => self,
        }
    }
}

/// What a look says that was taken at that moment, by our clock, and for that reason speaks against
/// the token with these claims.
pub(super) fn speaks_against(
    now: Timestamp,
    record: &Record,
    claims: &Claims,
    (seen_at, reason): (Timestamp, Reason),
    clock: ShootClock,
) -> Look {
    let written_at = record.issued.as_ref().map(|note| note.at);
    match worth(now, seen_at, clock.ours(claims.issued_at), written_at) {
        Worth::Nothing => Look::Fits,
        Worth::Later(calm_at) => Look::Again(calm_at),
        Worth::Now => Look::Lost(reason),
    }
}

pub(super) fn look(
    now: Timestamp,
    record: &Record,
    inputs: &Inputs,
    shoot: ShootView<'_>,
    clock: ShootClock,
) -> Look {
    let (Some(seen), Some(claims)) = (seen(shoot, inputs), record.held.claims()) else {
        return Look::Fits;
    };
    match misfit(&seen.state, claims) {
        Some(reason) => speaks_against(now, record, claims, (seen.at, reason), clock),
        None => Look::Fits,
    }
}

/// What a look at the shoot is worth that speaks against a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is from before this token was made.
    Nothing,
    /// It may be; whoever looks then, by our clock, knows.
    Later(Timestamp),
    /// The token is not as it should be.
    Now,
}

/// `seen_at` is when the shoot was looked at, `issued_at` when the token was made, `written_at` when
/// its note was; all by our clock.
pub(super) fn worth(
    now: Timestamp,
    seen_at: Timestamp,
    issued_at: Timestamp,
    written_at: Option<Timestamp>,
) -> Worth {
    if seen_at.saturating_add(CLOCK_DOUBT).is_ok_and(|at| at < issued_at) {
        return Worth::Nothing;
    }
    let calm_at = written_at.and_then(|at| at.checked_add(STREAMS_APART_MAX).ok());
    match calm_at.filter(|calm_at| *calm_at > now) {
        // A note of the future comes from a clock that was set back.
        Some(calm_at) if calm_at.duration_since(now) <= STREAMS_APART_MAX => Worth::Later(calm_at),
        Some(_) | None => Worth::Now,
    }
}

fn misfit(state: &AccountState, claims: &Claims) -> Option<Reason> {
    match (state, &claims.account_uid) {
        (AccountState::Absent | AccountState::Terminating, _) => Some(Reason::AccountGone),
        (AccountState::Present { uid, .. }, Some(held)) if **uid != **held => {
            Some(Reason::AccountReplaced)
        }
        (AccountState::Present { .. }, _) => None,
    }
}

/// Whether it is being deleted: nothing is issued for it then (B12).
pub(super) fn is_terminating(status: &ShootStatus, inputs: &Inputs) -> bool {
    let seen = status.accounts.get(&inputs.account);
    seen.is_some_and(|seen| seen.state == AccountState::Terminating)
}

pub(super) fn seen<'a>(shoot: ShootView<'a>, inputs: &Inputs) -> Option<&'a AccountSeen> {
    match shoot {
        ShootView::Seen(status) => status.accounts.get(&inputs.account),
        ShootView::Missing | ShootView::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
