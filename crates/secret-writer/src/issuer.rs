//! The token-issuer, as the secret-writer needs it.

use std::{fmt::Debug, time::Duration};

use futures::future::BoxFuture;
use perennial_core::{inputs::Inputs, name::SecretRef, token::Token};
use perennial_proto::issuer::v1::{
    IssueTokenRequest, SyncShootRequest, token_issuer_client::TokenIssuerClient,
};
use perennial_rpc::{
    client::{Replicas, with_deadline},
    convert,
    status::Remote,
};

/// Longest time for a token. At the shoot that may be a refused TokenRequest, a ServiceAccount
/// made and another TokenRequest, 10 s each.
pub const ISSUE_DEADLINE: Duration = Duration::from_secs(30);

/// Who can be asked for a token.
pub trait Issue: Send + Sync + Debug {
    /// Asks for a token for the Secret.
    fn issue<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
    ) -> BoxFuture<'a, Result<Issuance, Remote>>;

    /// Asks for the CA of the shoot, PEM. With `apply_account` the ServiceAccount is brought to what
    /// the Secret asks for before.
    fn sync<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        apply_account: bool,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>>;
}

/// What was issued.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// The token, not yet checked.
    pub token: Token,
    /// CA certificates of the shoot, PEM.
    pub ca_pem: Vec<u8>,
}

/// The token-issuer over gRPC. All Secrets of a shoot go to one replica, whose connection to that
/// shoot is warm.
#[derive(Clone, Debug)]
pub struct TokenIssuer(Replicas);

impl TokenIssuer {
    /// The token-issuer behind these channels.
    #[must_use]
    pub const fn new(replicas: Replicas) -> Self {
        Self(replicas)
    }
}

impl Issue for TokenIssuer {
    fn issue<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
    ) -> BoxFuture<'a, Result<Issuance, Remote>> {
        Box::pin(async move {
            let request = with_deadline(request(secret, inputs), ISSUE_DEADLINE);
            let mut client = TokenIssuerClient::new(self.0.pick(secret.namespace.as_str()));
            let answer = client.issue_token(request).await?.into_inner();
            Ok(Issuance { token: Token::new(answer.token), ca_pem: answer.ca_pem.to_vec() })
        })
    }

    fn sync<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        apply_account: bool,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>> {
        Box::pin(async move {
            let request = SyncShootRequest {
                namespace: secret.namespace.to_string(),
                name: secret.name.to_string(),
                account: Some(convert::account_to_proto(&inputs.account)),
                account_labels: inputs.account_labels.clone().into_iter().collect(),
                apply_account,
            };
            let request = with_deadline(request, ISSUE_DEADLINE);
            let mut client = TokenIssuerClient::new(self.0.pick(secret.namespace.as_str()));
            Ok(client.sync_shoot(request).await?.into_inner().ca_pem.to_vec())
        })
    }
}

fn request(secret: &SecretRef, inputs: &Inputs) -> IssueTokenRequest {
    let lifetime = Duration::from_secs(inputs.lifetime_seconds.unsigned_abs());
    IssueTokenRequest {
        namespace: secret.namespace.to_string(),
        name: secret.name.to_string(),
        account: Some(convert::account_to_proto(&inputs.account)),
        account_labels: inputs.account_labels.clone().into_iter().collect(),
        lifetime: Some(convert::duration(lifetime)),
        audiences: inputs.audiences.clone(),
    }
}
