//! The client of one shoot.
//!
//! A shoot is someone else's machine, and its kubeconfig comes from a Secret that others write. So
//! the client is put together by hand from the few values of a [`Connection`] ([`build`]): HTTPS
//! with the given CA, no proxy (also not from the environment), no redirects, no plugins, and no
//! answer above 1 MiB. Nothing is retried here; whoever schedules the work knows better when.

mod accounts;
mod apply;
mod build;
pub mod generations;
mod key_set;
mod ownership;
mod send;
pub mod targets;

#[cfg(test)]
mod tests;

use std::fmt;

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use perennial_core::{
    kubeconfig::Connection,
    name::{AccountRef, SecretName},
    token::Token,
};

use crate::{call, error::Error};

pub use accounts::{AccountChange, SeenAccount};
pub use build::ANSWER_BYTES_MAX;
pub use key_set::KeySet;

/// Our name in `metadata.managedFields` of a shoot.
pub const FIELD_MANAGER: &str = "perennial-token-issuer";

/// `details.kind` of the 404 that means the account itself is missing; a namespace that is missing
/// answers 404 too.
const SERVICE_ACCOUNTS: &str = "serviceaccounts";
/// The same of what the token is to be bound to.
const SECRETS: &str = "secrets";

/// The client of one shoot with one credential. Clones share its connections.
#[derive(Clone)]
pub struct ShootClient {
    client: Client,
}

impl fmt::Debug for ShootClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShootClient").finish_non_exhaustive()
    }
}

impl ShootClient {
    /// A client for this address and credential. Nothing is called yet. Must be called inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`Error::Unusable`] when address, CA or credential do not parse; it says what to correct.
    pub fn new(connection: &Connection) -> Result<Self, Error> {
        build::client(connection).map(|client| Self { client })
    }

    /// Asks for a token. `audiences` may be empty: those of the API server then. It dies with the
    /// Secret that it is `bound` to, in the namespace of the account.
    ///
    /// # Errors
    /// Those of the call; [`is_account_missing`] and [`is_bound_missing`] tell what is missing.
    pub async fn request_token(
        &self,
        account: &AccountRef,
        lifetime_seconds: i64,
        audiences: &[String],
        bound: Option<&SecretName>,
    ) -> Result<Token, Error> {
        let operation = format!("request a token for {account}");
        let request = token_request(lifetime_seconds, audiences, bound);
        let accounts = self.accounts(account);
        let params = PostParams::default();
        let asked = accounts.create_token_request(account.name.as_str(), &params, &request);
        let answer = call::bounded(&operation, asked).await?;
        let token = answer.status.and_then(|status| status.token).filter(|text| !text.is_empty());
        token.map(Token::new).ok_or_else(|| Error::Nonsense {
            operation,
            problem: "the answer has no token".to_owned(),
        })
    }

    /// Asks the shoot whether this credential may create tokens of ServiceAccounts in every
    /// namespace: the proof that it works (contract, section F).
    ///
    /// # Errors
    /// Those of the call; 401 means that the credential is not known there.
    pub async fn prove(&self) -> Result<bool, Error> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("create".to_owned()),
                    resource: Some(SERVICE_ACCOUNTS.to_owned()),
                    subresource: Some("token".to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let params = PostParams::default();
        let answer =
            call::bounded("review our own access", reviews.create(&params, &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// One small GET: the key set, and with it whether the shoot answers, takes this credential,
    /// and what its clock says.
    ///
    /// # Errors
    /// Those of the call; [`Error::Nonsense`] where the key set cannot be read or is implausibly
    /// large.
    pub async fn probe(&self) -> Result<KeySet, Error> {
        key_set::get(&self.client).await
    }

    fn accounts(&self, account: &AccountRef) -> Api<ServiceAccount> {
        Api::namespaced(self.client.clone(), account.namespace.as_str())
    }
}

/// Whether an error of [`ShootClient::request_token`] says that the account is missing, so that
/// making it can help. A missing namespace answers 404 too.
#[must_use]
pub fn is_account_missing(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 404, about: Some(kind), .. } if kind == SERVICE_ACCOUNTS)
}

/// Whether an error of [`ShootClient::request_token`] says that the Secret is missing that the token
/// was to be bound to.
#[must_use]
pub fn is_bound_missing(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 404, about: Some(kind), .. } if kind == SECRETS)
}

fn token_request(
    lifetime_seconds: i64,
    audiences: &[String],
    bound: Option<&SecretName>,
) -> TokenRequest {
    let bound = bound.map(|name| BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Secret".to_owned()),
        name: Some(name.to_string()),
        uid: None,
    });
    TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: Some(audiences.to_vec()),
            expiration_seconds: Some(lifetime_seconds),
            bound_object_ref: bound,
        }),
        ..TokenRequest::default()
    }
}
