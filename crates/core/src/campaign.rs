//! Campaigns: every token of a selection is replaced, and somebody waits until the last one is.
//!
//! Only a sentence is stored ("every token of this shoot that is signed by another key than k"), in one
//! ConfigMap, a key for each campaign. How far it is, the records say: so a restart loses nothing, and
//! *done* means that the tokens which stand in the Secrets are as wanted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    name::CampaignId,
    shoot::ShootId,
    stop::{NO_REASON, REASON_CHARS_MAX, SOMEBODY, StopReason, shown},
};

/// Name of the ConfigMap.
pub const NAME: &str = "perennial-campaigns";

/// Most campaigns that are kept, finished ones too. Each is looked at once a second. A ConfigMap holds
/// 1 MiB: a reason has at most 500 characters of 4 bytes, a SPIFFE id 2,048 bytes, the id of a key 253, the
/// rest 400.
pub const CAMPAIGNS_MAX: usize = 16;
const _: () = assert!(CAMPAIGNS_MAX * (REASON_CHARS_MAX * 4 + 2_048 + 253 + 400) < 1024 * 1024);

/// A campaign that began so long ago makes room for a new one.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Nothing is ordered for a campaign before so much time has passed since it began. `iat` is whole
/// seconds and the offset of a shoot's clock is known to a second: a token that is issued after this
/// surely counts as one that was issued after the begin, so none is replaced twice.
pub const LEAD: SignedDuration = SignedDuration::from_secs(3);

/// What a campaign is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Why; fit to be shown, and never empty.
    pub reason: String,
    /// Who: the SPIFFE id of an operator, or that somebody did it by hand.
    pub by: String,
    /// Since when, by the clock of the scheduler that was asked.
    pub since: Timestamp,
    /// Only the Secrets of this shoot; all where there is none.
    pub shoot: Option<ShootId>,
    /// What its tokens must be.
    pub wanted: Wanted,
    /// When somebody ended it.
    pub cancelled: Option<Timestamp>,
}

/// What a token must be to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Issued at this moment or later.
    IssuedSince(Timestamp),
    /// Signed by this key.
    SignedBy(String),
    /// Signed by any other key.
    NotSignedBy(String),
}

/// Campaigns by id.
pub type Campaigns = BTreeMap<CampaignId, Campaign>;

/// What is known of one token.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// `iat`, by our clock.
    pub issued_at: Timestamp,
    /// `kid`
    pub key_id: Option<&'a str>,
}

/// How one Secret stands in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its token is as wanted.
    Done,
    /// It is to be renewed.
    ToDo,
    /// It would get a token of the same key: its shoot signs by another key than is wanted.
    KeyNotUsed,
    /// It has no token yet, and gets one anyway.
    NoToken,
    /// Nobody can renew it before somebody mends it.
    Cannot(Cannot),
}

/// Why a Secret cannot be renewed before somebody mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cannot {
    /// It asks for something impossible.
    Invalid,
    /// It is immutable, or being deleted.
    Obstructed,
}

impl Cannot {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Obstructed => "obstructed",
        }
    }
}

impl Wanted {
    /// Whether a token may stay.
    #[must_use]
    pub fn is_met(&self, token: Token<'_>) -> bool {
        match self {
            Self::IssuedSince(moment) => token.issued_at >= *moment,
            Self::SignedBy(key) => token.key_id == Some(key),
            Self::NotSignedBy(key) => token.key_id != Some(key),
        }
    }

    /// Whether a shoot whose key set is this can give such a token; an empty set is not known.
    #[must_use]
    pub fn is_possible<'a>(&self, published: impl IntoIterator<Item = &'a str>) -> bool {
        let mut published = published.into_iter().peekable();
        match self {
            Self::IssuedSince(_) => true,
            _ if published.peek().is_none() => true,
            Self::SignedBy(key) => published.any(|id| id == key),
            Self::NotSignedBy(key) => published.any(|id| id != key),
        }
    }
}

impl Campaign {
    /// How a Secret stands whose token is this one, or that has none. `newest` is the newest token of
    /// its shoot: while that is not as wanted, another one would not be either.
    #[must_use]
    pub fn judge(&self, token: Option<Token<'_>>, newest: Option<Token<'_>>) -> Verdict {
        let Some(token) = token else { return Verdict::NoToken };
        if self.wanted.is_met(token) {
            return Verdict::Done;
        }
        match self.wanted {
            Wanted::IssuedSince(_) => Verdict::ToDo,
            Wanted::SignedBy(_) | Wanted::NotSignedBy(_) => match newest {
                Some(newest) if self.wanted.is_met(newest) => Verdict::ToDo,
                _ => Verdict::KeyNotUsed,
            },
        }
    }

    /// Whether orders may go out for it.
    #[must_use]
    pub fn runs(&self, now: Timestamp) -> bool {
        let begin = self.since.saturating_add(LEAD).unwrap_or(Timestamp::MAX);
        self.cancelled.is_none() && now >= begin
    }

    /// Whether a Secret of this shoot is in its selection.
    #[must_use]
    pub fn selects(&self, shoot: &ShootId) -> bool {
        self.shoot.as_ref().is_none_or(|selected| selected == shoot)
    }
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    by: String,
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shoot: Option<ShootId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_signed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled: Option<Timestamp>,
}

impl Campaign {
    /// A campaign by `by` from this moment on, cut to whole seconds as it is stored.
    #[must_use]
    pub fn new(
        reason: StopReason,
        by: String,
        since: Timestamp,
        shoot: Option<ShootId>,
        wanted: Wanted,
    ) -> Self {
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        Self { reason: reason.into(), by, since, shoot, wanted, cancelled: None }
    }

    /// What the value of a key says. `None` where it is no campaign that this version knows: nothing is
    /// renewed for what is not understood.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(value).ok()?;
        let wanted = match (stored.issued_since, stored.signed_by, stored.not_signed_by) {
            (Some(moment), None, None) => Wanted::IssuedSince(moment),
            (None, Some(key), None) => Wanted::SignedBy(key),
            (None, None, Some(key)) => Wanted::NotSignedBy(key),
            _ => return None,
        };
        let words = |text: &str, none: &str| match shown(text) {
            text if text.is_empty() => none.to_owned(),
            text => text,
        };
        Some(Self {
            reason: words(&stored.reason, NO_REASON),
            by: words(&stored.by, SOMEBODY),
            since: stored.since,
            shoot: stored.shoot,
            wanted,
            cancelled: stored.cancelled,
        })
    }

    /// The value that says the same.
    #[must_use]
    pub fn value(&self) -> String {
        let Self { reason, by, since, shoot, wanted, cancelled } = self.clone();
        let mut stored = Stored {
            reason,
            by,
            since,
            shoot,
            issued_since: None,
            signed_by: None,
            not_signed_by: None,
            cancelled,
        };
        match wanted {
            Wanted::IssuedSince(moment) => stored.issued_since = Some(moment),
            Wanted::SignedBy(key) => stored.signed_by = Some(key),
            Wanted::NotSignedBy(key) => stored.not_signed_by = Some(key),
        }
        serde_json::to_string(&stored).expect("strings and moments are JSON")
    }
}

/// What the keys of the ConfigMap say. A key that is no id, and a value that is no campaign, is none.
#[must_use]
pub fn read(data: &BTreeMap<String, String>) -> Campaigns {
    let campaign =
        |(key, value): (&String, &String)| Some((key.parse().ok()?, Campaign::read(value)?));
    data.iter().filter_map(campaign).collect()
}

#[cfg(test)]
mod tests;
