//! A target: the Secret in the shoot that gets token and CA in place of the access Secret (B7).
//!
//! The access Secret keeps note and timestamp, and no token. So two things speak of the token: the
//! note, which says what was put there, and whoever reaches the shoot, who sees what stands there.

use std::fmt;

use jiff::Timestamp;

use crate::{
    ca::CaHash,
    generation::{Bound, Family},
    inputs::{Inputs, Mode},
    issued::Issued,
    kubeconfig,
    name::SecretRef,
    record::{Held, Stamp},
    token::{Claims, TokenHash},
};

/// A target as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSeen {
    /// What it is.
    pub state: TargetState,
    /// When it was, by the clock of whoever saw it.
    pub at: Timestamp,
}

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It is not there.
    Absent,
    /// It is there.
    Present {
        /// What stands for a token.
        held: TargetHeld,
        /// Where it stands.
        mode: Mode,
        /// The CA beside it.
        ca: Option<CaHash>,
    },
}

/// What stands for a token in a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetHeld {
    /// Nothing, or an empty value.
    Nothing,
    /// Something that is no ServiceAccount token, or a kubeconfig that cannot take one.
    Unreadable,
    /// A token.
    Token {
        /// What it says of itself.
        claims: Box<Claims>,
        /// Its SHA-256.
        sha256: TokenHash,
    },
}

/// What is read of a target. It borrows: nothing of `data` outlives the reduction.
#[derive(Clone, Copy, Default)]
pub struct TargetView<'a> {
    /// `data.token`
    pub token: Option<&'a [u8]>,
    /// `data.kubeconfig`
    pub kubeconfig: Option<&'a [u8]>,
    /// `data["bundle.crt"]`
    pub bundle: Option<&'a [u8]>,
}

impl fmt::Debug for TargetView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TargetView(…)")
    }
}

impl TargetView<'_> {
    /// What is kept of it.
    #[must_use]
    pub fn state(&self) -> TargetState {
        let Some(document) = self.kubeconfig else {
            let (held, ca) = (held(self.token), self.bundle.map(CaHash::of));
            return TargetState::Present { held, mode: Mode::Token, ca };
        };
        let ca = kubeconfig::current_ca(document).ok().flatten();
        let held = match kubeconfig::current_token(document) {
            Ok(token) => held(token.as_ref().map(|token| token.expose().as_bytes())),
            Err(_) => TargetHeld::Unreadable,
        };
        TargetState::Present { held, mode: Mode::Kubeconfig, ca: ca.map(|pem| CaHash::of(&pem)) }
    }
}

fn held(token: Option<&[u8]>) -> TargetHeld {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return TargetHeld::Nothing };
    match Claims::read(token) {
        Ok(claims) => TargetHeld::Token { claims: Box::new(claims), sha256: TokenHash::of(token) },
        Err(_) => TargetHeld::Unreadable,
    }
}

/// What stands for a token where a target is named, by the access Secret alone.
///
/// The note does not repeat account and audiences; its hash of the inputs stands for them.
pub(crate) fn judge(
    secret: &SecretRef,
    inputs: &Inputs,
    stamp: Stamp,
    note: Option<Issued>,
) -> (Held, Option<Issued>) {
    let Some(note) = note else {
        return match stamp {
            Stamp::Absent => (Held::Nothing, None),
            // Whoever wrote the timestamp has filled the target too.
            Stamp::At(_) | Stamp::Unreadable => (Held::InTarget, None),
        };
    };
    let bound = note.generation.as_ref().map(|noted| {
        let name = Family::new(&inputs.account.namespace, secret).name(noted.number).into();
        Box::new(Bound { name, uid: noted.uid.clone() })
    });
    let claims = Claims {
        issued_at: note.iat,
        expires_at: note.exp,
        issuer: note.iss.clone(),
        account: inputs.account.clone(),
        account_uid: note.uid.clone(),
        audiences: inputs.audiences.clone(),
        key_id: note.kid.clone(),
        bound,
    };
    (Held::Token(claims), Some(note))
}
