//! The annotation `perennial.dev/issued`: what we noted about a token when we wrote it.
//!
//! It stands beside the token in the same write (B8), so every reader, also one that starts later,
//! knows whether the token is still the one we wrote and what it was made for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    inputs::{Inputs, InputsHash},
    reason::Reason,
    storm::Memory,
    token::{Claims, TokenHash},
    window::Plan,
};

/// Longest note that is looked at, in bytes. Ours have about 450.
const NOTE_BYTES_MAX: usize = 4 * 1024;

/// The note. Times are whole seconds, RFC 3339. Fields that a later version adds are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// SHA-256 of the token.
    pub sha256: TokenHash,
    /// Hash of the inputs it was made for.
    pub inputs: InputsHash,
    /// Issued at, the shoot's clock.
    pub iat: Timestamp,
    /// Expires at, the shoot's clock.
    pub exp: Timestamp,
    /// Id of the signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Issuer.
    pub iss: String,
    /// UID of the ServiceAccount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Planned moment of renewal, drawn once.
    pub renew_at: Timestamp,
    /// Why it was issued.
    pub reason: Reason,
    /// When it was written, our own clock: the memory against a storm holds even where the shoot's
    /// clock is hours off.
    pub at: Timestamp,
    /// How many tokens in a row did not live to their planned moment (B12).
    #[serde(default)]
    pub streak: u32,
}

/// What a note is made from.
#[derive(Clone, Debug)]
pub struct IssuedFor<'a> {
    /// SHA-256 of the token.
    pub token: TokenHash,
    /// Its claims.
    pub claims: &'a Claims,
    /// The inputs it was asked for with.
    pub inputs: &'a Inputs,
    /// Its plan.
    pub plan: Plan,
    /// Why it was issued.
    pub reason: Reason,
    /// Our clock.
    pub written_at: Timestamp,
    /// See [`Issued::streak`].
    pub streak: u32,
}

impl Issued {
    /// The note for a token that is about to be written.
    #[must_use]
    pub fn note(what: IssuedFor<'_>) -> Self {
        let IssuedFor { token, claims, inputs, plan, reason, written_at, streak } = what;
        Self {
            sha256: token,
            inputs: inputs.hash(),
            iat: claims.issued_at,
            exp: claims.expires_at,
            kid: claims.key_id.clone(),
            iss: claims.issuer.clone(),
            uid: claims.account_uid.clone(),
            renew_at: plan.planned,
            reason,
            at: Timestamp::from_second(written_at.as_second()).unwrap_or(written_at),
            streak,
        }
    }

    /// One line of JSON.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and times always serialize")
    }

    /// Reads a note; `None` where it is none of ours, which is treated as absent.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        if line.len() > NOTE_BYTES_MAX {
            return None;
        }
        serde_json::from_str(line).ok()
    }

    /// The memory against a storm.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory { at: self.at, streak: self.streak }
    }
}
