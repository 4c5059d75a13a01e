//! What an operator is told when a call fails.

use std::time::Duration;

use perennial_core::{
    campaign::{CAMPAIGNS_MAX, NAME as CAMPAIGNS},
    failure::{Failure, Kind},
    name::{NameError, Namespace, SecretRef},
    pause::{NAME as PAUSES, PAUSES_MAX},
    selector::{Selector, SelectorError},
    stop::{NAME, ReasonError},
};

use super::forecast::SLOTS_MAX;
use perennial_fleet::request;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Not the name of a namespace or Secret.
    #[error("field {field} {source}")]
    Name { field: &'static str, source: NameError },
    /// Not a token of ours.
    #[error("page_token is not one that ListSchedules gave; begin with an empty one")]
    PageToken,
    /// Too many streams.
    #[error("too many watch schedules already; close a stream first")]
    TooManyWatchers,
    /// The caller took too little too late.
    #[error("more schedules changed than can be kept for a slow reader; open the stream anew")]
    TooSlow,
    /// No length of time that a grace can have.
    #[error("field grace must be from 0 to 24 h")]
    Grace,
    /// No time that a forecast can be for.
    #[error("field horizon must be from 1 s to 31 days")]
    Horizon,
    /// No slots that a forecast can have.
    #[error("field slot must be whole seconds, and long enough for at most {SLOTS_MAX} slots")]
    Slot,
    /// Still waiting for the outcome.
    #[error("{0} is not renewed yet; it stays ahead of the queue, look at its schedule")]
    StillUnderWay(SecretRef),
    /// Why the fleet is to be stopped was not said as it should be.
    #[error("field reason: {0}")]
    StopReason(ReasonError),
    /// The seed did not do it.
    #[error(
        "the stop switch does not move: {0}; by hand, which counts as much: kubectl -n NAMESPACE \
         create configmap {NAME} --from-literal=reason=WHY, and delete configmap to resume"
    )]
    Switch(perennial_kube::Error),
    /// Not a length of time that a pause can have.
    #[error("field for must be from 1 s to 365 days; leave it out for a pause without an end")]
    PauseLength,
    /// Neither one shoot nor all, or both.
    #[error("give a namespace, or set `all`, and not both; or give a label selector")]
    Selection,
    /// No label selector.
    #[error("field label_selector: {0}")]
    Selector(SelectorError),
    /// A typing error would read as done.
    #[error(
        "no access Secret is selected by {0}; the labels of one: kubectl -n NAMESPACE get secret NAME \
         --show-labels"
    )]
    NothingSelected(Selector),
    /// What the tokens are to be was not said.
    #[error(
        "say what every token is to be: issued_from_now, signed_by, not_signed_by or revoked_from_now; \
         a grace only with the last"
    )]
    Wanted,
    /// No id that a key can have, or for all shoots.
    #[error(
        "a key is that of one shoot, so it needs a namespace; its id (`kid`) has 1 to 253 ASCII \
         characters"
    )]
    Key,
    /// Nobody knows the key.
    #[error("the shoot knows no key {0:?}; those that it publishes or that signed its tokens: {1}")]
    NoKey(String, String),
    /// Not one of ours.
    #[error("there is no campaign {0}; perennial campaign list shows those that are kept")]
    NoCampaign(String),
    /// There is no room for more.
    #[error(
        "{CAMPAIGNS_MAX} campaigns of the last week are kept, which is the most; cancel one, and it makes \
         room"
    )]
    TooManyCampaigns,
    /// Nobody knows the shoot.
    #[error(
        "there is no shoot {0}: no access Secret is in that namespace and no token-issuer names it"
    )]
    NoShoot(Namespace),
    /// The same, where that may come later.
    #[error(
        "there is no shoot {0}: no access Secret is in that namespace and no token-issuer names it; to \
         pause it ahead of time: kubectl -n NAMESPACE patch configmap {PAUSES} --type merge -p \
         '{{\"data\":{{\"{0}\":\"WHY\"}}}}'"
    )]
    NoShootToPause(Namespace),
    /// There is no room for more.
    #[error(
        "{PAUSES_MAX} shoots are paused already, which is the most; resume some, or stop the fleet \
         (perennial stop)"
    )]
    TooManyPauses,
    /// The seed did not do it.
    #[error("the pauses of shoots cannot be changed, ConfigMap {PAUSES}: {0}")]
    Pauses(perennial_kube::Error),
    /// The seed did not do it.
    #[error("the campaigns cannot be changed, ConfigMap {CAMPAIGNS}: {0}")]
    Campaigns(perennial_kube::Error),
    /// Stored, and this scheduler does not say so.
    #[error(
        "it is stored on the seed, and this scheduler has not heard of it yet; ask perennial status \
         in a moment"
    )]
    SwitchNotHeard,
    /// The renewal.
    #[error(transparent)]
    Request(#[from] request::Error),
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Name { .. }
            | Self::PageToken
            | Self::Grace
            | Self::Horizon
            | Self::Slot
            | Self::StopReason(_)
            | Self::PauseLength
            | Self::Selection
            | Self::Selector(_)
            | Self::Wanted
            | Self::Key => Kind::Invalid,
            Self::NoShoot(_)
            | Self::NoShootToPause(_)
            | Self::NoKey(..)
            | Self::NoCampaign(_)
            | Self::NothingSelected(_) => Kind::NotFound,
            Self::Switch(error) | Self::Pauses(error) | Self::Campaigns(error) => error.kind(),
            Self::TooManyWatchers
            | Self::TooManyPauses
            | Self::TooManyCampaigns
            | Self::TooSlow => Kind::Throttled,
            Self::StillUnderWay(_) | Self::SwitchNotHeard => Kind::TimedOut,
            Self::Request(error) => error.kind(),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Name { .. } => "NAME_INVALID",
            Self::PageToken => "PAGE_TOKEN_INVALID",
            Self::Grace => "GRACE_INVALID",
            Self::Horizon => "HORIZON_INVALID",
            Self::Slot => "SLOT_INVALID",
            Self::TooManyWatchers => "TOO_MANY_WATCHERS",
            Self::TooSlow => "WATCHER_TOO_SLOW",
            Self::StillUnderWay(_) => "STILL_UNDER_WAY",
            Self::StopReason(_) => "STOP_REASON_INVALID",
            Self::PauseLength => "PAUSE_LENGTH_INVALID",
            Self::NoShoot(_) | Self::NoShootToPause(_) => "SHOOT_NOT_FOUND",
            Self::TooManyPauses => "TOO_MANY_PAUSES",
            Self::Selection => "SELECTION_INVALID",
            Self::Selector(_) => "LABEL_SELECTOR_INVALID",
            Self::NothingSelected(_) => "NOTHING_SELECTED",
            Self::Wanted => "WANTED_INVALID",
            Self::Key => "KEY_INVALID",
            Self::NoKey(..) => "KEY_NOT_FOUND",
            Self::NoCampaign(_) => "CAMPAIGN_NOT_FOUND",
            Self::TooManyCampaigns => "TOO_MANY_CAMPAIGNS",
            Self::Switch(error) | Self::Pauses(error) | Self::Campaigns(error) => error.reason(),
            Self::SwitchNotHeard => "SWITCH_NOT_HEARD",
            Self::Request(error) => error.reason(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Request(error) => error.retry_after(),
            Self::Switch(error) | Self::Pauses(error) | Self::Campaigns(error) => {
                error.retry_after()
            }
            Self::Name { .. }
            | Self::PageToken
            | Self::Grace
            | Self::Horizon
            | Self::Slot
            | Self::TooManyWatchers
            | Self::TooSlow
            | Self::StillUnderWay(_)
            | Self::StopReason(_)
            | Self::PauseLength
            | Self::NoShoot(_)
            | Self::NoShootToPause(_)
            | Self::TooManyPauses
            | Self::Selection
            | Self::Selector(_)
            | Self::NothingSelected(_)
            | Self::Wanted
            | Self::Key
            | Self::NoKey(..)
            | Self::NoCampaign(_)
            | Self::TooManyCampaigns
            | Self::SwitchNotHeard => None,
        }
    }
}
