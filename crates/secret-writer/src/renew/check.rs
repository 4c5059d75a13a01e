//! A credential is checked before it is written.

use std::collections::BTreeSet;

use perennial_core::{
    inputs::Inputs,
    name::AccountRef,
    token::{Claims, ClaimsError},
};

use crate::issuer::Issuance;

/// Why an issued token must not be written: the next look at the Secret would find it wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No ServiceAccount token, or one with times that make no sense.
    #[error("{0}")]
    Claims(ClaimsError),
    /// Somebody else's.
    #[error("it is for ServiceAccount {is}, not {wanted}")]
    Account {
        /// Whose it is.
        is: AccountRef,
        /// Whose it should be.
        wanted: AccountRef,
    },
    /// For somebody else.
    #[error("its audiences are {}, not {}", .is.join(","), .wanted.join(","))]
    Audiences {
        /// Its audiences.
        is: Vec<String>,
        /// What was asked for.
        wanted: Vec<String>,
    },
    /// A CA was asked for beside it.
    #[error("there is no CA beside it")]
    NoCa,
}

/// The claims of what was issued, where it is what the Secret asks for. A readable token always
/// expires after it was issued.
pub(super) fn check(issuance: &Issuance, inputs: &Inputs) -> Result<Claims, Unfit> {
    let claims = Claims::read(issuance.token.expose().as_bytes()).map_err(Unfit::Claims)?;
    if claims.account != inputs.account {
        return Err(Unfit::Account { is: claims.account, wanted: inputs.account.clone() });
    }
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    if !inputs.audiences.is_empty() && set(&claims.audiences) != set(&inputs.audiences) {
        let wanted = inputs.audiences.clone();
        return Err(Unfit::Audiences { is: claims.audiences, wanted });
    }
    if inputs.inject_ca && issuance.ca_pem.is_empty() {
        return Err(Unfit::NoCa);
    }
    Ok(claims)
}
