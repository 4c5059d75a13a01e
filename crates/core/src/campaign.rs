//! Campaigns: every token of a selection is replaced, and somebody waits until the last one is.
//!
//! Only a sentence is stored ("every token of this shoot that is signed by another key than k", "no
//! generation made before t is left"), in one ConfigMap, a key for each campaign. How far it is, the records say: so a restart loses nothing, and
//! *done* means that the tokens which stand in the Secrets are as wanted.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    labels::Labels,
    name::CampaignId,
    selector::{SELECTOR_BYTES_MAX, Selector},
    shoot::ShootId,
    stop::{REASON_CHARS_MAX, StopReason},
};

mod stored;

/// Name of the ConfigMap.
pub const NAME: &str = "perennial-campaigns";

/// Most campaigns that are kept, finished ones too. Each is looked at once a second. A ConfigMap holds
/// 1 MiB: a reason has at most 500 characters of 4 bytes, a SPIFFE id 2,048 bytes, the id of a key 253, a
/// selector 1,024, the rest 450.
pub const CAMPAIGNS_MAX: usize = 16;
const _: () = assert!(
    CAMPAIGNS_MAX * (REASON_CHARS_MAX * 4 + 2_048 + 253 + SELECTOR_BYTES_MAX + 450) < 1024 * 1024
);

/// A campaign that began so long ago makes room for a new one.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Nothing is ordered for a campaign before so much time has passed since it began. `iat`, and the moment
/// in which a generation was made, are whole seconds and the offset of a shoot's clock is known to a second: a token that is issued after this
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
    /// Which Secrets.
    pub selection: Selection,
    /// What its tokens must be.
    pub wanted: Wanted,
    /// When somebody ended it.
    pub cancelled: Option<Timestamp>,
}

/// The Secrets that a campaign is about; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those of this shoot.
    pub shoot: Option<ShootId>,
    /// Only those with such labels.
    pub labels: Option<Selector>,
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
    /// Bound to a generation that was made at this moment or later, and none from before is left: what
    /// was issued until then is refused.
    Revoked {
        /// The moment.
        before: Timestamp,
        /// How long older generations live on after a new token is written.
        grace: Duration,
    },
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

/// What is known of the generations of one Secret, by our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Its tokens are bound to nothing.
    Never,
    /// The next token is bound to one.
    NotYet,
    /// The shoot was not seen to have the generation of its token.
    Unseen,
    /// They were seen.
    Seen {
        /// When that of its token was made.
        own: Timestamp,
        /// The same of the oldest one that is left beside it.
        oldest: Option<Timestamp>,
    },
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
    /// Its token is bound to nothing yet; the next one is, and comes anyway.
    NotBound,
    /// Its generations were not seen yet.
    Unseen,
    /// Its token is as wanted, and older ones live on for their grace.
    OlderLeft,
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
    /// Its tokens are bound to nothing, so none can be revoked.
    NotRevocable,
}

impl Cannot {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Obstructed => "obstructed",
            Self::NotRevocable => "not_revocable",
        }
    }
}

impl Selection {
    /// Every Secret of every shoot.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Every Secret of one shoot.
    #[must_use]
    pub fn of_shoot(shoot: ShootId) -> Self {
        Self { shoot: Some(shoot), labels: None }
    }

    /// Whether Secrets of this shoot may be in it.
    #[must_use]
    pub fn has_shoot(&self, shoot: &ShootId) -> bool {
        self.shoot.as_ref().is_none_or(|selected| selected == shoot)
    }

    /// Whether a Secret of such a shoot with these labels is.
    #[must_use]
    pub fn has_labels(&self, labels: &Labels) -> bool {
        self.labels.as_ref().is_none_or(|selector| selector.selects(labels))
    }
}

impl Wanted {
    /// Whether a token may stay by what it says itself, whatever generations there are.
    fn is_met(&self, token: Token<'_>) -> bool {
        match self {
            Self::IssuedSince(moment) => token.issued_at >= *moment,
            Self::SignedBy(key) => token.key_id == Some(key),
            Self::NotSignedBy(key) => token.key_id != Some(key),
            Self::Revoked { .. } => true,
        }
    }

    /// Whether a shoot whose key set is this can give such a token; an empty set is not known.
    #[must_use]
    pub fn is_possible<'a>(&self, published: impl IntoIterator<Item = &'a str>) -> bool {
        let mut published = published.into_iter().peekable();
        match self {
            Self::IssuedSince(_) | Self::Revoked { .. } => true,
            _ if published.peek().is_none() => true,
            Self::SignedBy(key) => published.any(|id| id == key),
            Self::NotSignedBy(key) => published.any(|id| id != key),
        }
    }
}

impl Campaign {
    /// How a Secret stands whose token is this one, or that has none. `newest` is the newest token of
    /// its shoot: while that is not as wanted, another one would not be either. What it is bound to is
    /// asked for only where that matters.
    #[must_use]
    pub fn judge(
        &self,
        token: Option<Token<'_>>,
        newest: Option<Token<'_>>,
        binding: impl FnOnce() -> Binding,
    ) -> Verdict {
        if let Wanted::Revoked { before, .. } = self.wanted {
            return judge_binding(before, token.is_some(), binding());
        }
        let Some(token) = token else { return Verdict::NoToken };
        if self.wanted.is_met(token) {
            return Verdict::Done;
        }
        match self.wanted {
            Wanted::IssuedSince(_) | Wanted::Revoked { .. } => Verdict::ToDo,
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

    /// A campaign by `by` from this moment on, cut to whole seconds as it is stored.
    #[must_use]
    pub fn new(
        reason: StopReason,
        by: String,
        since: Timestamp,
        selection: Selection,
        wanted: Wanted,
    ) -> Self {
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        Self { reason: reason.into(), by, since, selection, wanted, cancelled: None }
    }
}

fn judge_binding(before: Timestamp, has_token: bool, binding: Binding) -> Verdict {
    match binding {
        Binding::Never => Verdict::Cannot(Cannot::NotRevocable),
        _ if !has_token => Verdict::NoToken,
        Binding::NotYet => Verdict::NotBound,
        Binding::Unseen => Verdict::Unseen,
        Binding::Seen { own, .. } if own < before => Verdict::ToDo,
        Binding::Seen { oldest: Some(oldest), .. } if oldest < before => Verdict::OlderLeft,
        Binding::Seen { .. } => Verdict::Done,
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
