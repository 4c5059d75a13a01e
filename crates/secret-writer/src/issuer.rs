//! The token-issuer, as the secret-writer needs it.

use std::{fmt::Debug, time::Duration};

use futures::future::BoxFuture;
use perennial_core::{
    generation::Number,
    inputs::Inputs,
    issued::Left,
    name::SecretRef,
    token::{Claims, Token, TokenHash},
};
use perennial_process::supervise::Tasks;
use perennial_proto::issuer::v1::{
    self as proto, Delivery, IssueTokenRequest, RevokeGenerationRequest, SyncShootRequest,
    token_issuer_client::TokenIssuerClient,
};
use perennial_rpc::{
    client::{Channel, Replicas, with_deadline},
    convert::{self, ConvertError},
    pipeline::{IssueTokens, Pipelines},
    status::Remote,
};
use tonic::Status;

/// Longest time for a token. At the shoot that may be a refused TokenRequest, a ServiceAccount
/// made and another TokenRequest, 10 s each.
pub const ISSUE_DEADLINE: Duration = Duration::from_secs(30);
/// Longest time until older generations are revoked: the token-issuer tries an old token for 20 s,
/// and has 10 s to look at them and to delete them.
pub const REVOKE_DEADLINE: Duration = Duration::from_secs(30);

/// Who can be asked for a token.
pub trait Issue: Send + Sync + Debug {
    /// Asks for a token for the Secret.
    fn issue<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        binding: Option<Binding>,
    ) -> BoxFuture<'a, Result<Issuance, Remote>>;

    /// Has older generations of the Secret deleted. Says whether one of their tokens was tried and
    /// refused.
    fn revoke<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        older: Older,
    ) -> BoxFuture<'a, Result<bool, Remote>>;

    /// Has the shoot brought to what the Secret asks for, and gives its CA, PEM.
    fn sync<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>>;
}

/// Generations that are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// The newest of them.
    pub up_to: Number,
    /// The one that must be there, and stays.
    pub keep: Number,
    /// Whether nobody waits for the proof that an old token is refused.
    pub unproved: bool,
}

/// What is to be done in the shoot without a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The ServiceAccount is brought to what the Secret asks for.
    pub apply_account: bool,
    /// The CA in the target is.
    pub refresh_target: bool,
    /// Former targets lose what was put there.
    pub left: Vec<Left>,
}

/// What a token is to be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The least generation that will do; 0 where none is known.
    pub generation: Number,
    /// Older ones are about to be revoked.
    pub revokes: bool,
    /// For how long they live on after the token is written.
    pub grace: Option<Duration>,
}

/// What was issued.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// The token, or where it is.
    pub given: Given,
    /// CA certificates of the shoot, PEM.
    pub ca_pem: Vec<u8>,
}

/// What came of a request for a token; not yet checked.
#[derive(Clone, Debug)]
pub enum Given {
    /// The token.
    Token(Token),
    /// It stands in the target.
    Delivered {
        /// What it says of itself.
        claims: Claims,
        /// Its SHA-256.
        sha256: TokenHash,
    },
}

/// The token-issuer over gRPC. All Secrets of a shoot go to one replica, whose connection to that
/// shoot is warm.
#[derive(Clone, Debug)]
pub struct TokenIssuer {
    replicas: Replicas,
    calls: Pipelines<IssueTokens>,
}

impl TokenIssuer {
    /// The token-issuer behind these channels. Calls go out by a task of its own, which ends with the last clone.
    #[must_use]
    pub fn start(replicas: Replicas, tasks: &Tasks) -> Self {
        let (calls, driven) = Pipelines::new(replicas.clone());
        tasks.spawn("calls of the token-issuer", async move {
            driven.await;
            Ok(())
        });
        Self { replicas, calls }
    }

    fn client(&self, secret: &SecretRef) -> TokenIssuerClient<Channel> {
        TokenIssuerClient::new(self.replicas.pick(secret.namespace.as_str()))
    }
}

impl Issue for TokenIssuer {
    fn issue<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        binding: Option<Binding>,
    ) -> BoxFuture<'a, Result<Issuance, Remote>> {
        Box::pin(async move {
            let request = request(secret, inputs, binding);
            let answer = self.calls.call(secret.namespace.as_str(), request).await?;
            let given = match answer.delivered {
                None => Given::Token(Token::new(answer.token)),
                Some(delivered) => {
                    let (claims, sha256) = convert::delivered_from_proto(delivered)
                        .map_err(|error| Remote::from(nonsense(&error)))?;
                    Given::Delivered { claims, sha256 }
                }
            };
            Ok(Issuance { given, ca_pem: answer.ca_pem.to_vec() })
        })
    }

    fn sync<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<u8>, Remote>> {
        Box::pin(async move {
            let request = SyncShootRequest {
                namespace: secret.namespace.to_string(),
                name: secret.name.to_string(),
                account: Some(convert::account_to_proto(&inputs.account)),
                account_labels: inputs.account_labels.clone().into_iter().collect(),
                apply_account: wanted.apply_account,
                refresh: delivery(inputs).filter(|_| wanted.refresh_target),
                left: wanted.left.iter().map(convert::left_to_proto).collect(),
            };
            let request = with_deadline(request, ISSUE_DEADLINE);
            Ok(self.client(secret).sync_shoot(request).await?.into_inner().ca_pem.to_vec())
        })
    }

    fn revoke<'a>(
        &'a self,
        secret: &'a SecretRef,
        inputs: &'a Inputs,
        Older { up_to, keep, unproved }: Older,
    ) -> BoxFuture<'a, Result<bool, Remote>> {
        Box::pin(async move {
            let request = RevokeGenerationRequest {
                namespace: secret.namespace.to_string(),
                name: secret.name.to_string(),
                account: Some(convert::account_to_proto(&inputs.account)),
                keep,
                up_to,
                unproved,
            };
            let request = with_deadline(request, REVOKE_DEADLINE);
            Ok(self.client(secret).revoke_generation(request).await?.into_inner().refused)
        })
    }
}

fn nonsense(error: &ConvertError) -> Status {
    Status::internal(format!("the answer of the token-issuer makes no sense: {error}"))
}

fn request(secret: &SecretRef, inputs: &Inputs, binding: Option<Binding>) -> IssueTokenRequest {
    let lifetime = Duration::from_secs(inputs.lifetime_seconds.unsigned_abs());
    IssueTokenRequest {
        namespace: secret.namespace.to_string(),
        name: secret.name.to_string(),
        account: Some(convert::account_to_proto(&inputs.account)),
        account_labels: inputs.account_labels.clone().into_iter().collect(),
        lifetime: Some(convert::duration(lifetime)),
        audiences: inputs.audiences.to_vec(),
        delivery: delivery(inputs),
        binding: binding.map(|binding| proto::Binding {
            generation: binding.generation,
            revokes: binding.revokes,
            grace: binding.grace.map(convert::duration),
        }),
    }
}

fn delivery(inputs: &Inputs) -> Option<Delivery> {
    let target = inputs.target.as_ref().map(convert::target_to_proto)?;
    Some(Delivery { target: Some(target), inject_ca: inputs.inject_ca })
}
