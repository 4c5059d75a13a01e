//! What must hold whatever happens, by name. Pure functions: the product asks them in debug
//! assertions, the simulation and the model ask them after every step.
//!
//! Each is given what is true, and not what a process believes: its clock is that of the shoot,
//! and what stands on the seed is what stands there.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::{
    decision::Decision,
    generation::Number,
    inputs::Inputs,
    reason::Reason,
    record::{Held, Record, Stamp},
    storm::AT_ONCE_MAX,
    token::Claims,
};

/// Most tokens of one Secret in [`STORM_WINDOW`]: eight by the ladder and the allowance (contract B12).
pub const STORM_TOKENS_MAX: usize = 8 + AT_ONCE_MAX as usize;
/// The time over which they are counted.
pub const STORM_WINDOW: SignedDuration = SignedDuration::from_mins(20);
/// Longest time in which no replica orders for a shoot when replicas come and go while the seed
/// answers: 6 s until a Lease counts as dead, 2 s until somebody looks, and 7 s where it comes back just
/// before that and joins anew.
pub const HAND_OVER_MAX: SignedDuration = SignedDuration::from_secs(15);
/// Longest time that a campaign takes once nothing keeps it from its tokens: a minute until it is seen that
/// the shoot publishes another key, a minute until the next token tells that it signs with it, two for
/// pauses after failures, and one for the tokens.
pub const CAMPAIGN_END_MAX: SignedDuration = SignedDuration::from_mins(5);

/// The names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Consumers always have a token that has not expired.
    NoExpiredSecond,
    /// What replaces a usable token fits, and is no older.
    NoUsableTokenReplacedByOneThatDoesNotFit,
    /// Nobody asks a shoot for a token without a reason that holds.
    NoCallBetweenRenewals,
    /// No more is under way than the limits admit.
    LimitsNeverExceeded,
    /// Whoever is late is shown as late.
    EveryOverdueSecretIsKnownToBeOverdue,
    /// B12.
    NoStorm,
    /// A token that was issued in vain has its cause in the table of failures, and each cause one.
    ExtraTokensWithinTheFailureTable,
    /// Once all that failed is back, every Secret gets a token that fits.
    EverySecretEndsUpRenewed,
    /// While the seed answers, no two replicas of the scheduler order for one shoot.
    OneOwnerAtATime,
    /// A shoot is without a replica that orders for no longer than a hand-over takes.
    HandOverInTime,
    /// The generation of the token that stands is not deleted.
    NoUsableTokenRevoked,
    /// No older generation goes before what was promised is over.
    GraceRespected,
    /// A generation that was revoked is not made again.
    NoRevokedGenerationMadeAgain,
    /// A campaign that is called done has replaced every token of its selection.
    DoneMeansWritten,
    /// No token is renewed for a campaign that was renewed for it already.
    RenewedOnceForACampaign,
    /// Once all that failed is back, a campaign ends soon.
    CampaignEndsInTime,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: [Self; 16] = [
        Self::NoExpiredSecond,
        Self::NoUsableTokenReplacedByOneThatDoesNotFit,
        Self::NoCallBetweenRenewals,
        Self::LimitsNeverExceeded,
        Self::EveryOverdueSecretIsKnownToBeOverdue,
        Self::NoStorm,
        Self::ExtraTokensWithinTheFailureTable,
        Self::EverySecretEndsUpRenewed,
        Self::OneOwnerAtATime,
        Self::HandOverInTime,
        Self::NoUsableTokenRevoked,
        Self::GraceRespected,
        Self::NoRevokedGenerationMadeAgain,
        Self::DoneMeansWritten,
        Self::RenewedOnceForACampaign,
        Self::CampaignEndsInTime,
    ];

    /// Its name, which is that of its function.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoExpiredSecond => "no_expired_second",
            Self::NoUsableTokenReplacedByOneThatDoesNotFit => {
                "no_usable_token_replaced_by_one_that_does_not_fit"
            }
            Self::NoCallBetweenRenewals => "no_call_between_renewals",
            Self::LimitsNeverExceeded => "limits_never_exceeded",
            Self::EveryOverdueSecretIsKnownToBeOverdue => {
                "every_overdue_secret_is_known_to_be_overdue"
            }
            Self::NoStorm => "no_storm",
            Self::ExtraTokensWithinTheFailureTable => "extra_tokens_within_the_failure_table",
            Self::EverySecretEndsUpRenewed => "every_secret_ends_up_renewed",
            Self::OneOwnerAtATime => "one_owner_at_a_time",
            Self::HandOverInTime => "hand_over_in_time",
            Self::NoUsableTokenRevoked => "no_usable_token_revoked",
            Self::GraceRespected => "grace_respected",
            Self::NoRevokedGenerationMadeAgain => "no_revoked_generation_made_again",
            Self::DoneMeansWritten => "done_means_written",
            Self::RenewedOnceForACampaign => "renewed_once_for_a_campaign",
            Self::CampaignEndsInTime => "campaign_ends_in_time",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invariant that does not hold, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} does not hold: {seen}")]
pub struct Broken {
    /// Which one.
    pub invariant: Invariant,
    /// What was seen.
    pub seen: String,
}

fn holds(invariant: Invariant, yes: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if yes { Ok(()) } else { Err(Broken { invariant, seen: seen() }) }
}

/// The token that stands there has not expired, by the shoot's clock.
///
/// # Errors
/// [`Invariant::NoExpiredSecond`]
pub fn no_expired_second(claims: &Claims, shoot_now: Timestamp) -> Result<(), Broken> {
    holds(Invariant::NoExpiredSecond, shoot_now < claims.expires_at, || {
        format!("the token expired at {}, and it is {shoot_now}", claims.expires_at)
    })
}

/// What is put in the place of `held` is a token of the account and the audiences that the Secret
/// asks for, has not expired, and was not issued before it. Moments are the shoot's.
///
/// # Errors
/// [`Invariant::NoUsableTokenReplacedByOneThatDoesNotFit`]
pub fn no_usable_token_replaced_by_one_that_does_not_fit(
    held: Option<&Claims>,
    put: &Claims,
    inputs: &Inputs,
    shoot_now: Timestamp,
) -> Result<(), Broken> {
    let is_usable = |held: &&Claims| shoot_now < held.expires_at && held.issued_at <= shoot_now;
    let Some(held) = held.filter(is_usable) else { return Ok(()) };
    let fits = put.account == inputs.account
        && (inputs.audiences.is_empty()
            || inputs.audiences.iter().all(|audience| put.audiences.contains(audience)))
        && shoot_now < put.expires_at
        && held.issued_at <= put.issued_at;
    holds(Invariant::NoUsableTokenReplacedByOneThatDoesNotFit, fits, || {
        format!(
            "a token of {} from {} was replaced by one of {} from {} to {}, at {shoot_now}",
            held.account, held.issued_at, put.account, put.issued_at, put.expires_at
        )
    })
}

/// A token is asked for because of a reason that holds. `slack` is how far the clock that decided
/// may have been ahead of the shoot's. What only an operator, an account or a key says is not
/// looked at here: the record does not show it.
///
/// # Errors
/// [`Invariant::NoCallBetweenRenewals`]
pub fn no_call_between_renewals(
    reason: Reason,
    record: &Record,
    shoot_now: Timestamp,
    slack: SignedDuration,
) -> Result<(), Broken> {
    let latest = shoot_now.saturating_add(slack).unwrap_or(Timestamp::MAX);
    let planned = record.issued.as_ref().map(|note| note.renew_at);
    let claims = record.held.claims();
    let true_reason = match reason {
        Reason::NothingHeld => record.held == Held::Nothing,
        Reason::Unreadable => record.held == Held::Unreadable,
        Reason::Damaged => matches!(record.held, Held::Damaged(_)),
        Reason::Expired => claims.is_some_and(|claims| claims.expires_at <= latest),
        Reason::Due => match (planned, record.stamp) {
            (Some(planned), _) => planned <= latest,
            (None, Stamp::At(stamp)) => stamp <= latest,
            (None, Stamp::Absent | Stamp::Unreadable) => true,
        },
        Reason::TimestampForward => matches!(record.stamp, Stamp::At(stamp) if stamp <= latest),
        Reason::TimestampRemoved => record.stamp == Stamp::Absent,
        Reason::TimestampUnreadable => record.stamp == Stamp::Unreadable,
        _ => reason.needs_token(),
    };
    holds(Invariant::NoCallBetweenRenewals, true_reason, || {
        format!("{} at {shoot_now}, planned {planned:?}, slack {slack:?}", reason.as_str())
    })
}

/// No more is under way than may be.
///
/// # Errors
/// [`Invariant::LimitsNeverExceeded`]
pub fn limits_never_exceeded(under_way: usize, limit: usize) -> Result<(), Broken> {
    holds(Invariant::LimitsNeverExceeded, under_way <= limit, || {
        format!("{under_way} are under way, and {limit} may be")
    })
}

/// As many are known to be overdue as are.
///
/// # Errors
/// [`Invariant::EveryOverdueSecretIsKnownToBeOverdue`]
pub fn every_overdue_secret_is_known_to_be_overdue(
    overdue: usize,
    known: usize,
) -> Result<(), Broken> {
    holds(Invariant::EveryOverdueSecretIsKnownToBeOverdue, overdue <= known, || {
        format!("{overdue} are overdue, and {known} are known to be")
    })
}

/// One Secret got no more tokens in [`STORM_WINDOW`] than [`STORM_TOKENS_MAX`].
///
/// # Errors
/// [`Invariant::NoStorm`]
pub fn no_storm(tokens: usize) -> Result<(), Broken> {
    holds(Invariant::NoStorm, tokens <= STORM_TOKENS_MAX, || {
        format!("{tokens} tokens in {STORM_WINDOW:#}")
    })
}

/// For each token of a Secret that was issued in vain since its last write there is a failure that
/// cost it: a crash, a lost answer, a stale view, or a second owner.
///
/// # Errors
/// [`Invariant::ExtraTokensWithinTheFailureTable`]
pub fn extra_tokens_within_the_failure_table(extra: u32, failures: u32) -> Result<(), Broken> {
    holds(Invariant::ExtraTokensWithinTheFailureTable, extra <= failures, || {
        format!("{extra} tokens in vain, and {failures} failures that cost one each")
    })
}

/// What is decided about a Secret when all that failed is back and nothing is under way: there is
/// nothing to do.
///
/// # Errors
/// [`Invariant::EverySecretEndsUpRenewed`]
pub fn every_secret_ends_up_renewed(decision: &Decision) -> Result<(), Broken> {
    let is_renewed = matches!(decision, Decision::Keep { .. });
    holds(Invariant::EverySecretEndsUpRenewed, is_renewed, || format!("{decision:?}"))
}

/// So many replicas would order for one shoot now, while the seed answers all of them.
///
/// # Errors
/// [`Invariant::OneOwnerAtATime`]
pub fn one_owner_at_a_time(owners: usize) -> Result<(), Broken> {
    holds(Invariant::OneOwnerAtATime, owners <= 1, || format!("{owners} order for one shoot"))
}

/// For so long no replica ordered for a shoot, while one ran and the seed answered.
///
/// # Errors
/// [`Invariant::HandOverInTime`]
pub fn hand_over_in_time(gap: SignedDuration) -> Result<(), Broken> {
    holds(Invariant::HandOverInTime, gap <= HAND_OVER_MAX, || format!("nobody for {gap:#}"))
}

/// `deleted` is a generation that goes, `held` that of the usable token which stands then.
///
/// # Errors
/// [`Invariant::NoUsableTokenRevoked`]
pub fn no_usable_token_revoked(deleted: Number, held: Option<Number>) -> Result<(), Broken> {
    holds(Invariant::NoUsableTokenRevoked, held != Some(deleted), || {
        format!("generation {deleted} goes, and the token that stands is of it")
    })
}

/// A generation goes at `now`; `promised` is until when it was to live at least.
///
/// # Errors
/// [`Invariant::GraceRespected`]
pub fn grace_respected(deleted: Number, now: Timestamp, promised: Timestamp) -> Result<(), Broken> {
    holds(Invariant::GraceRespected, promised <= now, || {
        format!("generation {deleted} goes at {now}, and was promised to live until {promised}")
    })
}

/// A generation is made; all up to `revoked` have gone.
///
/// # Errors
/// [`Invariant::NoRevokedGenerationMadeAgain`]
pub fn no_revoked_generation_made_again(made: Number, revoked: Number) -> Result<(), Broken> {
    holds(Invariant::NoRevokedGenerationMadeAgain, revoked < made, || {
        format!("generation {made} is made, and all up to {revoked} were revoked")
    })
}

/// A replica calls a campaign done; so many tokens of its selection that stand are not as wanted.
///
/// # Errors
/// [`Invariant::DoneMeansWritten`]
pub fn done_means_written(left: usize) -> Result<(), Broken> {
    holds(Invariant::DoneMeansWritten, left == 0, || {
        format!("it is called done, and {left} tokens are not as wanted")
    })
}

/// A token is renewed for a campaign; the one that it replaces was issued so long after the begin, and
/// by `clocks` who renews it may be wrong about that. Of two keys nobody is ever wrong.
///
/// # Errors
/// [`Invariant::RenewedOnceForACampaign`]
pub fn renewed_once_for_a_campaign(
    after: SignedDuration,
    clocks: SignedDuration,
) -> Result<(), Broken> {
    holds(Invariant::RenewedOnceForACampaign, after <= clocks, || {
        format!("the token is {after:#} newer than asked for, and clocks are wrong by {clocks:#}")
    })
}

/// A campaign has waited so long for tokens that nothing keeps from it.
///
/// # Errors
/// [`Invariant::CampaignEndsInTime`]
pub fn campaign_ends_in_time(waited: SignedDuration) -> Result<(), Broken> {
    holds(Invariant::CampaignEndsInTime, waited <= CAMPAIGN_END_MAX, || {
        format!("nothing keeps it from its tokens for {waited:#}")
    })
}

#[cfg(test)]
mod tests;
