//! What the token of a revocable Secret is bound to (contract, section D).
//!
//! To the newest generation that is there, if it is as new as was asked for; else one is made. An
//! ordinary renewal names the generation of the token before and costs one TokenRequest: what is
//! there is looked at only where that one is missing, where none is known, and where a newer one is
//! wanted that is probably not there yet.

use std::time::Duration;

use perennial_core::{
    generation::{Family, GRACE_MAX, Number},
    token::Token,
};
use perennial_kube::{
    Error as KubeError,
    shoot::{is_account_missing, is_bound_missing},
};
use perennial_process::crash;
use perennial_proto::issuer::v1 as proto;
use perennial_rpc::convert::{self, ConvertError};

use super::Ask;
use crate::shoot::{
    Shoot,
    generations::{SeenGeneration, is_name_taken},
};

/// What a token is to be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The least generation that will do; 0 where none is known.
    pub generation: Number,
    /// Whether older generations are about to be revoked.
    pub revokes: bool,
    /// For how long those live on after the token is written.
    pub grace: Option<Duration>,
}

impl Binding {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub(super) fn parse(message: proto::Binding) -> Result<Self, ConvertError> {
        let proto::Binding { generation, revokes, grace } = message;
        let field = "binding.grace";
        let grace = convert::duration_from_optional(field, grace)?;
        match grace.is_some_and(|grace| grace > GRACE_MAX) {
            true => {
                let problem = format!("must be at most {} s", GRACE_MAX.as_secs());
                Err(ConvertError { field, problem })
            }
            false => Ok(Self { generation, revokes, grace }),
        }
    }

    /// Whether the generation that was asked for is probably not there.
    pub(super) const fn is_doubtful(self) -> bool {
        self.generation == 0 || self.revokes
    }
}

/// A generation that a token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub number: Number,
    /// What it says of older ones, where that was seen.
    pub grace: Option<Duration>,
}

/// A token, and what was done for it.
#[derive(Debug)]
pub(super) struct Granted {
    pub token: Token,
    pub account_created: bool,
    pub bound: Option<Chosen>,
}

/// Asks for a token. Where the account or the generation is what is missing, it is made, each once.
/// With `looks_first` that is done for the generation before anything is asked for.
pub(super) async fn request_token(
    shoot: &dyn Shoot,
    ask: &Ask,
    looks_first: bool,
) -> Result<Granted, KubeError> {
    let family = ask.family();
    let mut bound = match ask.binding {
        Some(binding) if looks_first => Some(find(shoot, ask, binding).await?),
        Some(binding) => Some(Chosen { number: binding.generation, grace: None }),
        None => None,
    };
    let (mut created, mut looked) = (None, looks_first);
    loop {
        let name = bound.map(|bound| family.name(bound.number));
        let Ask { account, lifetime_seconds, audiences, .. } = ask;
        let asked = shoot.request_token(account, *lifetime_seconds, audiences, name.as_ref());
        match (asked.await, ask.binding) {
            (Ok(token), _) => {
                let account_created = created.unwrap_or(false);
                return Ok(Granted { token, account_created, bound });
            }
            (Err(error), _) if is_account_missing(&error) && created.is_none() => {
                created = Some(shoot.apply_account(account, &ask.account_labels).await?);
                crash::point("token-issuer.account-created");
            }
            (Err(error), Some(binding)) if is_bound_missing(&error) && !looked => {
                looked = true;
                bound = Some(find(shoot, ask, binding).await?);
            }
            (Err(error), _) => return Err(error),
        }
    }
}

/// The newest generation that is there, or one that is made.
async fn find(shoot: &dyn Shoot, ask: &Ask, binding: Binding) -> Result<Chosen, KubeError> {
    let family = ask.family();
    let look = async || {
        let found = shoot.list_generations(&family.namespace).await?;
        Ok::<_, KubeError>(choose(&found, &family, binding.generation))
    };
    let number = match look().await? {
        Choice::There(chosen) => return Ok(chosen),
        Choice::Make(number) => number,
    };
    match shoot.make_generation(&family, number, binding.grace, &ask.secret).await {
        Ok(()) => {
            crash::point("token-issuer.generation-made");
            Ok(Chosen { number, grace: binding.grace })
        }
        Err(error) if is_name_taken(&error) => match look().await? {
            Choice::There(chosen) => Ok(chosen),
            Choice::Make(_) => Err(error), // it is none of ours
        },
        Err(error) => Err(error),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    There(Chosen),
    Make(Number),
}

/// One that is being deleted is not there, but its name is taken.
fn choose(found: &[SeenGeneration], family: &Family, least: Number) -> Choice {
    let least = least.max(1);
    let numbered = found.iter().filter_map(|seen| Some((family.number(seen.name.as_str())?, seen)));
    let newest = numbered.clone().filter(|(_, seen)| !seen.terminating).max_by_key(|(n, _)| *n);
    match newest {
        Some((number, seen)) if number >= least => {
            Choice::There(Chosen { number, grace: seen.grace })
        }
        _ => {
            let taken = numbered.map(|(number, _)| number.saturating_add(1)).max();
            Choice::Make(taken.unwrap_or(0).max(least))
        }
    }
}

#[cfg(test)]
mod tests;
