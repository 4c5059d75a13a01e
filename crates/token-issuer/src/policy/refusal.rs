//! Why the policy refuses.

use std::time::Duration;

use perennial_core::{
    failure::{Failure, Kind},
    keys,
    name::{AccountRef, Namespace, SecretName, SecretRef},
};

/// Why the policy refuses. The text says which annotation of the Secret it is about, what to do, and
/// which flag it comes from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The namespace of the Secret is none that may hold a shoot.
    #[error(
        "namespace {namespace} may not hold a shoot, because none of the patterns \
         --shoot-namespace={patterns} of the token-issuer matches it; move the Secret to the \
         namespace of a shoot, or add a pattern there"
    )]
    ShootNamespace {
        /// Which namespace, on the seed.
        namespace: Namespace,
        /// Those that may, as the flag takes them.
        patterns: String,
    },
    /// Somebody else asks for what the token-issuer itself is.
    #[error(
        "{secret} may not have a token of {account}, the token-issuer's own account: only the \
         Secret {own} of the same namespace may; use another ServiceAccount in annotation {}",
        keys::ACCOUNT_NAME
    )]
    OwnAccount {
        /// Which Secret asked.
        secret: SecretRef,
        /// The own account.
        account: AccountRef,
        /// The own Secret.
        own: SecretName,
    },
    /// No account of that namespace gets a token.
    #[error(
        "{secret} may not have a token of {account}: annotation {} must name one of the namespaces \
         {allowed}; correct it, or add {} to --allowed-account-namespace of the token-issuer",
        keys::ACCOUNT_NAMESPACE, .account.namespace
    )]
    AccountNamespace {
        /// Which Secret asked.
        secret: SecretRef,
        /// For which account.
        account: AccountRef,
        /// The namespaces of the flag.
        allowed: String,
    },
    /// That account gets no token.
    #[error(
        "{secret} may not have a token of {account}, which is denied to everybody; use another \
         ServiceAccount in annotation {}, or {remedy}",
        keys::ACCOUNT_NAME
    )]
    DeniedAccount {
        /// Which Secret asked.
        secret: SecretRef,
        /// For which account.
        account: AccountRef,
        /// What whoever runs the token-issuer can do.
        remedy: &'static str,
    },
    /// Without its kubeconfig nobody would reach the shoot.
    #[error(
        "{secret} is how the token-issuer reaches the shoot and may have no target; remove          annotations {} and {}",
        keys::TARGET_NAME,
        keys::TARGET_NAMESPACE
    )]
    OwnTarget {
        /// The own Secret.
        secret: SecretRef,
    },
    /// That Secret means something to the shoot itself.
    #[error(
        "{secret} may not have target {target}: Secrets of such names let nodes join the shoot, or \
         tokens are bound to them; correct annotation {}",
        keys::TARGET_NAME
    )]
    DeniedTarget {
        /// Which Secret asked.
        secret: SecretRef,
        /// For which target.
        target: SecretRef,
    },
    /// No Secret of that namespace is written.
    #[error(
        "{secret} may not have target {target}: annotation {} must name one of the namespaces          {allowed}; correct it, or add {} to --allowed-target-namespace of the token-issuer",
        keys::TARGET_NAMESPACE, .target.namespace
    )]
    TargetNamespace {
        /// Which Secret asked.
        secret: SecretRef,
        /// For which target.
        target: SecretRef,
        /// The namespaces of the flag.
        allowed: String,
    },
    /// No token lives that long.
    #[error(
        "{secret} may not have a token of {asked_seconds} s: annotation {} must be at most {} s; \
         lower it, or raise --lifetime-max of the token-issuer",
        keys::TOKEN_LIFETIME, .max.as_secs()
    )]
    Lifetime {
        /// Which Secret asked.
        secret: SecretRef,
        /// For which lifetime.
        asked_seconds: i64,
        /// The longest.
        max: Duration,
    },
    /// No token is for that audience.
    #[error(
        "{secret} may not have a token for the audience {audience:?}: annotation {}, or --audience \
         of the secret-writer where there is none, must name only {allowed}; correct it, or add \
         the audience to --allowed-audience of the token-issuer",
        keys::AUDIENCES
    )]
    Audience {
        /// Which Secret asked.
        secret: SecretRef,
        /// The first one that is not allowed.
        audience: String,
        /// The audiences of the flag.
        allowed: String,
    },
}

impl Failure for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::ShootNamespace { .. }
            | Self::OwnAccount { .. }
            | Self::AccountNamespace { .. }
            | Self::DeniedAccount { .. }
            | Self::OwnTarget { .. }
            | Self::DeniedTarget { .. }
            | Self::TargetNamespace { .. }
            | Self::Lifetime { .. }
            | Self::Audience { .. } => Kind::Denied,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::ShootNamespace { .. } => "SHOOT_NAMESPACE_NOT_ALLOWED",
            Self::OwnAccount { .. } => "POLICY_OWN_ACCOUNT",
            Self::AccountNamespace { .. } => "POLICY_ACCOUNT_NAMESPACE",
            Self::DeniedAccount { .. } => "POLICY_DENIED_ACCOUNT",
            Self::OwnTarget { .. } | Self::DeniedTarget { .. } => "POLICY_DENIED_TARGET",
            Self::TargetNamespace { .. } => "POLICY_TARGET_NAMESPACE",
            Self::Lifetime { .. } => "POLICY_LIFETIME",
            Self::Audience { .. } => "POLICY_AUDIENCE",
        }
    }
}
