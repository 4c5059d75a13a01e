//! The annotation `perennial.dev/issued`: what we noted about a token when we wrote it.
//!
//! It stands beside the token in the same write (B8), so every reader, also one that starts later,
//! knows whether the token is still the one we wrote and what it was made for.

use arcstr::ArcStr;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    generation::Noted,
    inputs::{Inputs, InputsHash},
    name::SecretRef,
    reason::Reason,
    storm::Memory,
    token::{Claims, TokenHash},
    window::Plan,
};

/// Longest note that is looked at, in bytes. Ours have about 450; one with a target and all that it
/// can have left has 450 + 5 × 450.
const NOTE_BYTES_MAX: usize = 4 * 1024;
/// Most former targets that are remembered. Whoever names another one more often than they can be
/// cleaned finds the oldest tokens there until their end.
pub const LEFT_MAX: usize = 4;

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
    pub kid: Option<ArcStr>,
    /// Issuer.
    pub iss: ArcStr,
    /// UID of the ServiceAccount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<ArcStr>,
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
    /// How many tokens came at once out of the allowance beside that (B12).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spent: u32,
    /// The Secret in the shoot that the token was put into; absent where it stands beside this note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<SecretRef>,
    /// Former targets that were not cleaned yet, the oldest first; at most [`LEFT_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// The generation that the token is bound to, where the Secret is revocable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Box<Noted>>,
}

/// A former target: a Secret in the shoot that may still hold what was put there (B7).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Left {
    /// Which Secret.
    pub secret: SecretRef,
    /// SHA-256 of the last token that was put there.
    pub sha256: TokenHash,
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
    /// See [`Issued::spent`].
    pub spent: u32,
    /// See [`Issued::left`]; see [`Issued::now_left`].
    pub left: Vec<Left>,
    /// See [`Issued::generation`].
    pub generation: Option<Noted>,
}

impl Issued {
    /// The note for a token that is about to be written.
    #[must_use]
    pub fn note(what: IssuedFor<'_>) -> Self {
        let IssuedFor {
            token, claims, inputs, plan, reason, written_at, streak, spent, left, ..
        } = what;
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
            spent,
            target: inputs.target.clone(),
            left,
            generation: what.generation.map(Box::new),
        }
    }

    /// The former targets of a Secret that has this note and names `target` now.
    #[must_use]
    pub fn now_left(&self, target: Option<&SecretRef>) -> Vec<Left> {
        let own = self.target.iter();
        let own = own.map(|secret| Left { secret: secret.clone(), sha256: self.sha256.clone() });
        let all = self.left.iter().cloned().chain(own);
        let mut left: Vec<_> = all.filter(|left| Some(&left.secret) != target).collect();
        left.drain(..left.len().saturating_sub(LEFT_MAX));
        left
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
        Memory { spent: self.spent, ..Memory::new(self.at, self.streak) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
