//! What the token-issuer refuses whoever asks: who may create tokens in `kube-system` is
//! cluster-admin of the shoot in effect, so the last word is here and not with the caller.

use perennial_core::{
    failure::{Failure, Kind},
    name::{AccountRef, SecretName, SecretRef},
};

/// The policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name of the token-issuer's own Secret, in every shoot namespace.
    pub own_secret: SecretName,
    /// The token-issuer's own account, in every shoot.
    pub own_account: AccountRef,
}

/// Why the policy refuses. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else asks for what the token-issuer itself is.
    #[error(
        "{secret} may not have a token of {account}, the token-issuer's own account: only the \
         Secret {own} of the same namespace may; use another ServiceAccount"
    )]
    OwnAccount {
        /// Which Secret asked.
        secret: SecretRef,
        /// The own account.
        account: AccountRef,
        /// The own Secret.
        own: SecretName,
    },
}

impl Failure for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::OwnAccount { .. } => Kind::Denied,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::OwnAccount { .. } => "POLICY_OWN_ACCOUNT",
        }
    }
}

impl Policy {
    /// Whether a Secret may have a token of an account.
    ///
    /// # Errors
    /// The refusal.
    pub fn admit(&self, secret: &SecretRef, account: &AccountRef) -> Result<(), Refusal> {
        if *account == self.own_account && !self.is_own(secret) {
            return Err(Refusal::OwnAccount {
                secret: secret.clone(),
                account: account.clone(),
                own: self.own_secret.clone(),
            });
        }
        Ok(())
    }

    /// Whether a Secret is one that we ourselves reach a shoot with; its tokens are proved.
    #[must_use]
    pub fn is_own(&self, secret: &SecretRef) -> bool {
        secret.name == self.own_secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_account_is_for_the_own_secret_only() {
        let policy = Policy {
            own_secret: "shoot-access-token-issuer".parse().unwrap(),
            own_account: "kube-system/perennial-token-issuer".parse().unwrap(),
        };
        let admit = |secret: &str, account: &str| {
            let secret = SecretRef::parse("shoot--lab--1", secret).unwrap();
            policy.admit(&secret, &account.parse().unwrap())
        };

        assert_eq!(
            admit("shoot-access-token-issuer", "kube-system/perennial-token-issuer"),
            Ok(())
        );
        assert_eq!(admit("shoot-access-kube-proxy", "kube-system/kube-proxy"), Ok(()));
        let refusal =
            admit("shoot-access-kube-proxy", "kube-system/perennial-token-issuer").unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "shoot--lab--1/shoot-access-kube-proxy may not have a token of \
             kube-system/perennial-token-issuer, the token-issuer's own account: only the Secret \
             shoot-access-token-issuer of the same namespace may; use another ServiceAccount"
        );
    }
}
