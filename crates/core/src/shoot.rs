//! What is known of a shoot beside its Secrets, as the token-issuer reports it.

use jiff::{SignedDuration, Timestamp};

use crate::name::Namespace;

/// A shoot is known by its namespace on the seed.
pub type ShootId = Namespace;

/// State of a shoot as the last probe or call saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShootStatus {
    /// Its namespace on the seed.
    pub shoot: ShootId,
    /// Whether it answers.
    pub reach: Reach,
    /// With which credential it is reached.
    pub credential: Credential,
    /// Why it is not reached, or what it lacks although it is, in words; empty when all is well.
    pub detail: String,
    /// Shoot's clock minus ours, from the `Date` of its answers; `None` until one was seen.
    pub clock_offset: Option<SignedDuration>,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// Ids of the keys in its key set, sorted.
    pub key_ids: Vec<String>,
}

/// Whether a shoot answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Not looked at yet.
    Unknown,
    /// It answers and takes our credential.
    Reachable,
    /// It does not answer, or takes none of our credentials.
    Unreachable,
}

/// The credential in use at a shoot (contract, section F).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// None that works.
    None,
    /// The one of whoever made the shoot.
    Bootstrap,
    /// Our own, renewed and proved.
    Own,
}
