//! Why a token is renewed. A decision carries it, and the note beside the token keeps it.

use serde::{Deserialize, Serialize};

/// Why a token is renewed, or a Secret repaired. Stable names: they stand in the note on the Secret, in metrics, logs
/// and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The Secret has no token (B1).
    NothingHeld,
    /// What stands there is no ServiceAccount token.
    Unreadable,
    /// The claims are ours, the bytes are not.
    Damaged,
    /// A token for another ServiceAccount.
    OtherAccount,
    /// A token for other audiences.
    OtherAudiences,
    /// The inputs are not those it was made for.
    InputsChanged,
    /// Its life is over.
    Expired,
    /// The shoot refuses the token-issuer's own token, whatever its claims say (section F).
    OwnRefused,
    /// The timestamp was removed: somebody asks for a renewal.
    TimestampRemoved,
    /// The timestamp is not RFC 3339.
    TimestampUnreadable,
    /// The timestamp was brought forward and has passed.
    TimestampForward,
    /// The planned moment has come.
    Due,
    /// The shoot withdrew the key that signed it.
    KeyWithdrawn,
    /// The shoot signs with another key by now; only for the token-issuer's own token, which must
    /// not die with the old key.
    KeyRotated,
    /// The shoot issues under another name by now.
    IssuerChanged,
    /// An operator asked (`RenewNow`).
    Requested,
    /// The ServiceAccount is not there any more, and every token of it is refused.
    AccountGone,
    /// The ServiceAccount was deleted and made anew: tokens of the old one are refused.
    AccountReplaced,
    /// The generation that the token is bound to was deleted by somebody else (section D).
    GenerationGone,
    /// Tokens of its generation are being revoked (section D).
    Revoked,
    /// Labels or automount of the ServiceAccount are not as the Secret wants them. Needs no token.
    AccountDrifted,
    /// The CA beside the token is not that of the shoot. Needs no token.
    CaChanged,
    /// A CA stands beside the token and is not wanted any more. Needs no token.
    CaUnwanted,
    /// A Secret of the shoot still holds what was put there and is no longer named. Needs no token.
    TargetLeft,
    /// A former generation is to be deleted, and its tokens with it. Needs no token.
    GenerationLeft,
    /// An operator wants former generations gone sooner than is noted: it is noted, and kept whoever
    /// starts anew. Needs no token.
    GraceShortened,
    /// A reason that a newer version noted on the Secret; this one gives none such.
    #[serde(other)]
    Unknown,
}

impl Reason {
    /// Every reason that this version gives, in the order in which they are looked for.
    pub const ALL: [Self; 26] = [
        Self::NothingHeld,
        Self::Unreadable,
        Self::Damaged,
        Self::OtherAccount,
        Self::OtherAudiences,
        Self::InputsChanged,
        Self::Expired,
        Self::OwnRefused,
        Self::TimestampRemoved,
        Self::TimestampUnreadable,
        Self::TimestampForward,
        Self::Due,
        Self::KeyWithdrawn,
        Self::KeyRotated,
        Self::IssuerChanged,
        Self::Requested,
        Self::AccountGone,
        Self::AccountReplaced,
        Self::GenerationGone,
        Self::Revoked,
        Self::AccountDrifted,
        Self::CaChanged,
        Self::CaUnwanted,
        Self::TargetLeft,
        Self::GenerationLeft,
        Self::GraceShortened,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingHeld => "nothing_held",
            Self::Unreadable => "unreadable",
            Self::Damaged => "damaged",
            Self::OtherAccount => "other_account",
            Self::OtherAudiences => "other_audiences",
            Self::InputsChanged => "inputs_changed",
            Self::Expired => "expired",
            Self::OwnRefused => "own_refused",
            Self::TimestampRemoved => "timestamp_removed",
            Self::TimestampUnreadable => "timestamp_unreadable",
            Self::TimestampForward => "timestamp_forward",
            Self::Due => "due",
            Self::KeyWithdrawn => "key_withdrawn",
            Self::KeyRotated => "key_rotated",
            Self::IssuerChanged => "issuer_changed",
            Self::Requested => "requested",
            Self::AccountGone => "account_gone",
            Self::AccountReplaced => "account_replaced",
            Self::GenerationGone => "generation_gone",
            Self::Revoked => "revoked",
            Self::AccountDrifted => "account_drifted",
            Self::CaChanged => "ca_changed",
            Self::CaUnwanted => "ca_unwanted",
            Self::TargetLeft => "target_left",
            Self::GenerationLeft => "generation_left",
            Self::GraceShortened => "grace_shortened",
            Self::Unknown => "unknown",
        }
    }

    /// The reason of that name; [`Reason::Unknown`] where this version knows none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name).unwrap_or(Self::Unknown)
    }

    /// Whether nothing but the time makes it necessary.
    #[must_use]
    pub const fn is_by_the_clock(self) -> bool {
        match self {
            Self::Expired | Self::TimestampForward | Self::Due => true,
            Self::NothingHeld
            | Self::Unreadable
            | Self::Damaged
            | Self::OtherAccount
            | Self::OtherAudiences
            | Self::InputsChanged
            | Self::TimestampRemoved
            | Self::TimestampUnreadable
            | Self::KeyWithdrawn
            | Self::KeyRotated
            | Self::IssuerChanged
            | Self::Requested
            | Self::AccountGone
            | Self::AccountReplaced
            | Self::GenerationGone
            | Self::Revoked
            | Self::OwnRefused
            | Self::AccountDrifted
            | Self::CaChanged
            | Self::CaUnwanted
            | Self::TargetLeft
            | Self::GenerationLeft
            | Self::GraceShortened
            | Self::Unknown => false,
        }
    }

    /// Whether the consumers of the Secret have no usable token until it is renewed.
    #[must_use]
    pub const fn leaves_nothing_usable(self) -> bool {
        match self {
            Self::NothingHeld
            | Self::Unreadable
            | Self::Damaged
            | Self::OtherAccount
            | Self::OtherAudiences
            | Self::Expired
            | Self::AccountGone
            | Self::AccountReplaced
            | Self::GenerationGone
            | Self::OwnRefused
            | Self::KeyWithdrawn => true,
            Self::InputsChanged
            | Self::TimestampRemoved
            | Self::TimestampUnreadable
            | Self::TimestampForward
            | Self::Due
            | Self::KeyRotated
            | Self::IssuerChanged
            | Self::Requested
            | Self::Revoked
            | Self::AccountDrifted
            | Self::CaChanged
            | Self::CaUnwanted
            | Self::TargetLeft
            | Self::GenerationLeft
            | Self::GraceShortened
            | Self::Unknown => false,
        }
    }

    /// Whether it takes another token. Where not, the Secret is *repaired*: what stands beside the
    /// token, or the ServiceAccount, is brought to what the Secret asks for (contract, section C).
    #[must_use]
    pub const fn needs_token(self) -> bool {
        match self {
            Self::AccountDrifted
            | Self::CaChanged
            | Self::CaUnwanted
            | Self::TargetLeft
            | Self::GenerationLeft
            | Self::GraceShortened => false,
            Self::NothingHeld
            | Self::Unreadable
            | Self::Damaged
            | Self::OtherAccount
            | Self::OtherAudiences
            | Self::InputsChanged
            | Self::Expired
            | Self::TimestampRemoved
            | Self::TimestampUnreadable
            | Self::TimestampForward
            | Self::Due
            | Self::Requested
            | Self::AccountGone
            | Self::AccountReplaced
            | Self::GenerationGone
            | Self::Revoked
            | Self::OwnRefused
            | Self::KeyWithdrawn
            | Self::KeyRotated
            | Self::IssuerChanged
            | Self::Unknown => true,
        }
    }
}
