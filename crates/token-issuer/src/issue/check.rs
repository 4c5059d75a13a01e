//! Whether a token is the one that was asked for. It comes from someone else's machine, and what
//! is passed on gets written into a Secret.

use perennial_core::{
    name::AccountRef,
    token::{Claims, ClaimsError, Token},
};

use super::request::Ask;

/// What differs. Never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Its claims make no sense.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// It is for somebody else.
    #[error("it is for {found}")]
    Account {
        /// Whom it is for.
        found: AccountRef,
    },
    /// It is for others to read.
    #[error("its audiences are not the requested ones")]
    Audiences,
    /// It does not die with a generation that is new enough, or dies with what it should not.
    #[error("what it is bound to is not what was asked for")]
    Bound,
}

/// Compares what came back with what was asked for. The lifetime is not compared: the API server
/// may grant less (B3). Without requested audiences those of the token are not compared either.
///
/// # Errors
/// What differs.
pub(super) fn check(token: &Token, ask: &Ask) -> Result<Claims, Mismatch> {
    let claims = Claims::read(token.expose().as_bytes())?; // `iat` before `exp` is part of it
    if claims.account != ask.account {
        return Err(Mismatch::Account { found: claims.account });
    }
    let sorted = |audiences: &[String]| {
        let mut sorted = audiences.to_vec();
        sorted.sort();
        sorted.dedup();
        sorted
    };
    if !ask.audiences.is_empty() && sorted(&claims.audiences) != sorted(&ask.audiences) {
        return Err(Mismatch::Audiences);
    }
    match (ask.binding, &claims.bound) {
        (None, None) => Ok(claims),
        (Some(binding), Some(bound)) => {
            let number = ask.family().number(&bound.name);
            let is_new_enough = number.is_some_and(|number| number >= binding.generation);
            if is_new_enough { Ok(claims) } else { Err(Mismatch::Bound) }
        }
        (None, Some(_)) | (Some(_), None) => Err(Mismatch::Bound),
    }
}
