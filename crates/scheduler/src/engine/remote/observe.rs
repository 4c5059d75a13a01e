//! Tells token-issuers what to observe.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use perennial_proto::issuer::v1::{ObserveShootRequest, token_issuer_client::TokenIssuerClient};
use perennial_rpc::{
    client::{Channel, Replicas, with_deadline},
    convert,
    status::Remote,
};

use crate::engine::Observe;
use perennial_fleet::observe::Observation;

/// Longest time for one of them: a token-issuer only notes it.
const DEADLINE: Duration = Duration::from_secs(10);

/// All token-issuers, by the number under which their streams are known.
#[derive(Debug)]
pub struct Observers(Vec<Channel>);

impl Observers {
    /// In the order of [`super::Shoots::each`].
    #[must_use]
    pub fn new(replicas: &Replicas) -> Self {
        Self(replicas.all().map(|(_, channel)| channel).collect())
    }
}

impl Observe for Observers {
    fn observe(&self, observation: &Observation) -> BoxFuture<'static, Result<(), Remote>> {
        let request = ObserveShootRequest {
            namespace: observation.shoot.to_string(),
            accounts: observation.accounts.iter().map(convert::account_to_proto).collect(),
            targets: observation.targets.iter().map(convert::target_to_proto).collect(),
            families: observation.families.iter().map(convert::family_to_proto).collect(),
        };
        let mut client = TokenIssuerClient::new(self.0[observation.source].clone());
        async move { Ok(client.observe_shoot(with_deadline(request, DEADLINE)).await.map(|_| ())?) }
            .boxed()
    }
}
