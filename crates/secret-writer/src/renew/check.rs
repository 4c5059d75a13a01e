//! A credential is checked before it is written.

use std::collections::BTreeSet;

use perennial_core::{
    generation::{Family, Number},
    inputs::Inputs,
    name::{AccountRef, SecretRef},
    token::{Claims, ClaimsError, TokenHash},
};

use crate::issuer::{Binding, Given, Issuance};

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
    /// Nothing that is deleted would end it, or the wrong thing.
    #[error("it is bound to {}, not to generation {wanted} or a newer one", .is.as_deref().unwrap_or("nothing"))]
    Generation {
        /// The Secret in the shoot that it is bound to.
        is: Option<String>,
        /// The generation it should be of at least.
        wanted: Number,
    },
    /// It would die with something that the Secret does not ask for.
    #[error("it is bound to Secret {is} of the shoot, and the access Secret is not revocable")]
    Bound {
        /// What it is bound to.
        is: String,
    },
    /// It is not where the Secret wants it.
    #[error("it is {}", if *.delivered { "in a target" } else { "not in the target" })]
    Place {
        /// Whether it stands in a target.
        delivered: bool,
    },
    /// A CA was asked for beside it.
    #[error("there is no CA beside it")]
    NoCa,
}

/// The claims and the SHA-256 of what was issued, where it is what the Secret asks for. A readable token always
/// expires after it was issued.
pub(super) fn check(
    issuance: &Issuance,
    secret: &SecretRef,
    inputs: &Inputs,
    binding: Option<Binding>,
) -> Result<(Claims, TokenHash), Unfit> {
    let (claims, sha256) = match (&issuance.given, &inputs.target) {
        (Given::Token(token), None) => {
            (Claims::read(token.expose().as_bytes()).map_err(Unfit::Claims)?, token.hash())
        }
        (Given::Delivered { claims, sha256 }, Some(_)) => (claims.clone(), sha256.clone()),
        (Given::Token(_), Some(_)) => return Err(Unfit::Place { delivered: false }),
        (Given::Delivered { .. }, None) => return Err(Unfit::Place { delivered: true }),
    };
    if claims.account != inputs.account {
        return Err(Unfit::Account { is: claims.account, wanted: inputs.account.clone() });
    }
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    if !inputs.audiences.is_empty() && set(&claims.audiences) != set(&inputs.audiences) {
        let wanted = inputs.audiences.clone();
        return Err(Unfit::Audiences { is: claims.audiences.into(), wanted: wanted.into() });
    }
    check_binding(&claims, &Family::new(&inputs.account.namespace, secret), binding)?;
    if inputs.inject_ca && issuance.ca_pem.is_empty() {
        return Err(Unfit::NoCa);
    }
    Ok((claims, sha256))
}

fn check_binding(claims: &Claims, family: &Family, binding: Option<Binding>) -> Result<(), Unfit> {
    let is = claims.bound.as_ref().map(|bound| bound.name.clone());
    let Some(Binding { generation: wanted, .. }) = binding else {
        return is.map_or(Ok(()), |is| Err(Unfit::Bound { is }));
    };
    let number = is.as_ref().and_then(|name| family.number(name));
    match number.is_some_and(|number| number >= wanted) {
        true => Ok(()),
        false => Err(Unfit::Generation { is, wanted }),
    }
}
