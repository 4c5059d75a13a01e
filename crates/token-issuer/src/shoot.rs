//! What the token-issuer asks of a shoot, as a port: the real one is [`ShootClient`], tests have a
//! fake.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use futures::future::BoxFuture;
use perennial_core::{kubeconfig::Connection, name::AccountRef, token::Token};
pub use perennial_kube::shoot::KeySet;
use perennial_kube::{Error, shoot::ShootClient};

/// One shoot, reached with one credential.
pub trait Shoot: Send + Sync + Debug {
    /// See [`ShootClient::request_token`].
    fn request_token<'a>(
        &'a self,
        account: &'a AccountRef,
        lifetime_seconds: i64,
        audiences: &'a [String],
    ) -> BoxFuture<'a, Result<Token, Error>>;

    /// See [`ShootClient::create_account`].
    fn create_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// See [`ShootClient::apply_account`].
    fn apply_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), Error>>;

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
    ) -> BoxFuture<'a, Result<Token, Error>> {
        Box::pin(Self::request_token(self, account, lifetime_seconds, audiences))
    }

    fn create_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(Self::create_account(self, account, labels))
    }

    fn apply_account<'a>(
        &'a self,
        account: &'a AccountRef,
        labels: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(Self::apply_account(self, account, labels))
    }

    fn prove(&self) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(Self::prove(self))
    }

    fn probe(&self) -> BoxFuture<'_, Result<KeySet, Error>> {
        Box::pin(Self::probe(self))
    }
}
