//! What the token-issuer asks of a shoot, as a port: the real one is [`ShootClient`], tests have a
//! fake.

pub mod generations;
pub mod targets;

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use futures::{future::BoxFuture, stream::BoxStream};
use perennial_core::{
    kubeconfig::Connection,
    name::{AccountRef, SecretName},
    token::Token,
};
pub use perennial_kube::shoot::{AccountChange, KeySet, SeenAccount};
use perennial_kube::{Error, shoot::ShootClient};

/// One shoot, reached with one credential.
pub trait Shoot: targets::Targets + generations::Generations + Send + Sync + Debug {
    /// See [`ShootClient::request_token`].
    fn request_token<'a>(
        &'a self,
        account: &'a AccountRef,
        lifetime_seconds: i64,
        audiences: &'a [String],
        bound: Option<&'a SecretName>,
    ) -> BoxFuture<'a, Result<Token, Error>>;

    /// See [`ShootClient::apply_account`].
    fn apply_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// See [`ShootClient::watch_accounts`].
    fn watch_accounts(&self) -> BoxStream<'static, AccountChange>;

    /// See [`ShootClient::look_at_account`].
    fn look_at_account<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> BoxFuture<'a, Result<Option<SeenAccount>, Error>>;

    /// See [`ShootClient::prove`].
    fn prove(&self) -> BoxFuture<'_, Result<bool, Error>>;

    /// See [`ShootClient::probe`].
    fn probe(&self) -> BoxFuture<'_, Result<KeySet, Error>>;
}

/// Makes a client out of address and credential.
pub trait Connect: Send + Sync + Debug {
    /// Nothing is called yet. Called inside a tokio runtime.
    ///
    /// # Errors
    /// When the connection cannot be used; the text says what to correct.
    fn connect(&self, connection: &Connection) -> Result<Arc<dyn Shoot>, Error>;
}

/// Real shoots.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApiServers;

impl Connect for ApiServers {
    fn connect(&self, connection: &Connection) -> Result<Arc<dyn Shoot>, Error> {
        Ok(Arc::new(ShootClient::new(connection)?))
    }
}

impl Shoot for ShootClient {
    fn request_token<'a>(
        &'a self,
        account: &'a AccountRef,
        lifetime_seconds: i64,
        audiences: &'a [String],
        bound: Option<&'a SecretName>,
    ) -> BoxFuture<'a, Result<Token, Error>> {
        Box::pin(Self::request_token(self, account, lifetime_seconds, audiences, bound))
    }

    fn apply_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(Self::apply_account(self, account, labels))
    }

    fn watch_accounts(&self) -> BoxStream<'static, AccountChange> {
        Box::pin(Self::watch_accounts(self))
    }

    fn look_at_account<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> BoxFuture<'a, Result<Option<SeenAccount>, Error>> {
        Box::pin(Self::look_at_account(self, account))
    }

    fn prove(&self) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(Self::prove(self))
    }

    fn probe(&self) -> BoxFuture<'_, Result<KeySet, Error>> {
        Box::pin(Self::probe(self))
    }
}
