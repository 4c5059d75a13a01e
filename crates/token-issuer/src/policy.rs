//! What the token-issuer refuses whoever asks: who may create tokens in `kube-system` is
//! cluster-admin of the shoot in effect, so the last word is here and not with the caller.
//!
//! Of the request nothing but the request itself is looked at, and no shoot is called. The own
//! account is the business of [`Policy::own_account`] alone: no list of accounts is about it.
//! Lifetime and audiences count for it as for everybody.

mod args;
mod controllers;
mod refusal;

#[cfg(test)]
mod tests;

use perennial_core::{
    generation,
    name::{AccountRef, Namespace, SecretName, SecretRef},
    shoot::ShootId,
};

pub use self::{args::PolicyArgs, refusal::Refusal};
use crate::{issue::Ask, shoot_namespaces::ShootNamespaces};

/// Secrets by which nodes join a shoot have names that begin so.
const BOOTSTRAP_TOKENS: &str = "bootstrap-token-";

/// The policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name of the token-issuer's own Secret, in every shoot namespace.
    pub own_secret: SecretName,
    /// The token-issuer's own account, in every shoot.
    pub own_account: AccountRef,
    /// Namespaces of the seed that may hold a shoot.
    pub shoot_namespaces: ShootNamespaces,
    /// The rest.
    pub rules: PolicyArgs,
}

impl Policy {
    /// Whether a request may be sent to its shoot.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit(&self, ask: &Ask) -> Result<(), Refusal> {
        self.admit_account(&ask.secret, &ask.account)?;
        if let Some(goal) = &ask.goal {
            self.admit_target(&ask.secret, &goal.target)?;
        }
        self.admit_lifetime(ask)?;
        self.admit_audiences(ask)
    }

    /// Whether this account of the shoot is any business of this Secret.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit_account(&self, secret: &SecretRef, account: &AccountRef) -> Result<(), Refusal> {
        self.admit_namespace(secret)?;
        match *account == self.own_account {
            true => self.admit_own_account(secret, account),
            false => self.admit_other_account(secret, account),
        }
    }

    /// Whether an account of a shoot may be watched: one for which no Secret gets a token is no
    /// business of whoever asks.
    #[must_use]
    pub fn may_observe(&self, shoot: &ShootId, account: &AccountRef) -> bool {
        let secret = SecretRef { namespace: shoot.clone(), name: self.own_secret.clone() };
        self.admit_account(&secret, account).is_ok()
    }

    /// Whether a namespace of a shoot may hold accounts of ours, and what their tokens are bound to.
    #[must_use]
    pub fn may_observe_in(&self, namespace: &Namespace) -> bool {
        let allowed = &self.rules.allowed_account_namespace;
        allowed.is_empty() || allowed.contains(namespace)
    }

    /// Whether this Secret of the shoot may be written for that access Secret.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit_target(&self, secret: &SecretRef, target: &SecretRef) -> Result<(), Refusal> {
        let (named, aimed) = (|| secret.clone(), || target.clone());
        if self.is_own(secret) {
            return Err(Refusal::OwnTarget { secret: named() });
        }
        let name = target.name.as_str();
        if name.starts_with(BOOTSTRAP_TOKENS) || generation::is_one(name) {
            return Err(Refusal::DeniedTarget { secret: named(), target: aimed() });
        }
        let allowed = &self.rules.allowed_target_namespace;
        match allowed.is_empty() || allowed.contains(&target.namespace) {
            true => Ok(()),
            false => Err(Refusal::TargetNamespace {
                secret: named(),
                target: aimed(),
                allowed: joined(allowed),
            }),
        }
    }

    /// Whether a Secret is one that we ourselves reach a shoot with; its tokens are proved.
    #[must_use]
    pub fn is_own(&self, secret: &SecretRef) -> bool {
        secret.name == self.own_secret
    }

    fn admit_namespace(&self, secret: &SecretRef) -> Result<(), Refusal> {
        let namespace = &secret.namespace;
        match self.shoot_namespaces.admit(namespace) {
            true => Ok(()),
            false => Err(Refusal::ShootNamespace {
                namespace: namespace.clone(),
                patterns: self.shoot_namespaces.to_string(),
            }),
        }
    }

    fn admit_own_account(&self, secret: &SecretRef, account: &AccountRef) -> Result<(), Refusal> {
        match self.is_own(secret) {
            true => Ok(()),
            false => Err(Refusal::OwnAccount {
                secret: secret.clone(),
                account: account.clone(),
                own: self.own_secret.clone(),
            }),
        }
    }

    fn admit_other_account(&self, secret: &SecretRef, account: &AccountRef) -> Result<(), Refusal> {
        let denied = |remedy| {
            let (secret, account) = (secret.clone(), account.clone());
            Err(Refusal::DeniedAccount { secret, account, remedy })
        };
        if self.rules.denied_account.contains(account) {
            return denied("take it from --denied-account of the token-issuer");
        }
        if !self.rules.allow_controller_accounts && controllers::is_controller(account) {
            return denied(
                "lift the denial of the accounts of Kubernetes' own controllers with \
                 --allow-controller-accounts of the token-issuer",
            );
        }
        match self.may_observe_in(&account.namespace) {
            true => Ok(()),
            false => Err(Refusal::AccountNamespace {
                secret: secret.clone(),
                account: account.clone(),
                allowed: joined(&self.rules.allowed_account_namespace),
            }),
        }
    }

    fn admit_lifetime(&self, ask: &Ask) -> Result<(), Refusal> {
        let max = self.rules.lifetime_max;
        match ask.lifetime_seconds.unsigned_abs() <= max.as_secs() {
            true => Ok(()),
            false => Err(Refusal::Lifetime {
                secret: ask.secret.clone(),
                asked_seconds: ask.lifetime_seconds,
                max,
            }),
        }
    }

    /// A request that names no audience asks for a token for the shoot's own API server, which is
    /// what tokens are for: it is always allowed.
    fn admit_audiences(&self, ask: &Ask) -> Result<(), Refusal> {
        let allowed = &self.rules.allowed_audience;
        let stranger = ask.audiences.iter().find(|audience| !allowed.contains(audience));
        match stranger {
            Some(audience) if !allowed.is_empty() => Err(Refusal::Audience {
                secret: ask.secret.clone(),
                audience: audience.clone(),
                allowed: joined(allowed),
            }),
            _ => Ok(()),
        }
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
