//! What a stream says: the whole set first, then a mark, then every change.

use perennial_core::{
    generation::{Family, GenerationsSeen},
    name::{AccountRef, SecretRef},
    record::Record,
    shoot::{AccountSeen, ShootId, ShootStatus},
    target::TargetSeen,
};

/// One message of a stream, or what happened to the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<T, K> {
    /// A new stream was opened; it begins with the whole set.
    Opened,
    /// New or changed.
    Upsert(T),
    /// Gone.
    Removed(K),
    /// The whole set has been sent; what it did not hold is gone.
    Complete,
    /// The stream broke. What it said gets old from here on.
    Lost,
}

/// What the secret-writer says of access Secrets.
pub type RecordEvent = Event<Record, SecretRef>;

/// What a token-issuer says of a ServiceAccount that it was told to observe. It belongs to no whole
/// set: what is not said was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountNews {
    /// In which shoot.
    pub shoot: ShootId,
    /// Which account.
    pub account: AccountRef,
    /// What was seen of it.
    pub seen: AccountSeen,
}

/// What a token-issuer says of a target that it was told to observe; as with ServiceAccounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetNews {
    /// In which shoot.
    pub shoot: ShootId,
    /// Which Secret there.
    pub target: SecretRef,
    /// What was seen of it.
    pub seen: TargetSeen,
}

/// What a token-issuer says of the generations of an access Secret; as with ServiceAccounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationsNews {
    /// In which shoot.
    pub shoot: ShootId,
    /// Whose.
    pub family: Family,
    /// What was seen of them.
    pub seen: GenerationsSeen,
}

/// What a token-issuer says of shoots.
pub type ShootEvent = Event<ShootStatus, ShootId>;
