//! The part of a shoot that is about targets.

use futures::{future::BoxFuture, stream::BoxStream};
use perennial_core::{
    issued::Left,
    name::{AccountRef, SecretRef},
    target::TargetState,
    token::{Claims, TokenHash},
};
pub use perennial_kube::shoot::targets::{Delivered, Delivery, Unwritable};
use perennial_kube::{Error, shoot::ShootClient};

/// What a shoot says, or why the target is not written.
pub type Answer<'a, T> = BoxFuture<'a, Result<Result<T, Unwritable>, Error>>;

/// Secrets of one shoot that get tokens.
pub trait Targets {
    /// See [`ShootClient::check_target`].
    fn check_target<'a>(
        &'a self,
        target: &'a SecretRef,
        inject_ca: bool,
    ) -> Answer<'a, Option<TokenHash>>;

    /// See [`ShootClient::deliver`].
    fn deliver<'a>(&'a self, delivery: &'a Delivery, claims: &'a Claims) -> Answer<'a, Delivered>;

    /// See [`ShootClient::refresh_target`].
    fn refresh_target<'a>(
        &'a self,
        target: &'a SecretRef,
        ca_pem: Option<&'a [u8]>,
    ) -> Answer<'a, ()>;

    /// See [`ShootClient::leave_target`].
    fn leave_target<'a>(&'a self, left: &'a Left, account: &'a AccountRef) -> Answer<'a, ()>;

    /// See [`ShootClient::watch_target`].
    fn watch_target(&self, target: &SecretRef) -> BoxStream<'static, Result<TargetState, Error>>;
}

impl Targets for ShootClient {
    fn check_target<'a>(
        &'a self,
        target: &'a SecretRef,
        inject_ca: bool,
    ) -> Answer<'a, Option<TokenHash>> {
        Box::pin(Self::check_target(self, target, inject_ca))
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery, claims: &'a Claims) -> Answer<'a, Delivered> {
        Box::pin(Self::deliver(self, delivery, claims))
    }

    fn refresh_target<'a>(
        &'a self,
        target: &'a SecretRef,
        ca_pem: Option<&'a [u8]>,
    ) -> Answer<'a, ()> {
        Box::pin(Self::refresh_target(self, target, ca_pem))
    }

    fn leave_target<'a>(&'a self, left: &'a Left, account: &'a AccountRef) -> Answer<'a, ()> {
        Box::pin(Self::leave_target(self, left, account))
    }

    fn watch_target(&self, target: &SecretRef) -> BoxStream<'static, Result<TargetState, Error>> {
        Self::watch_target(self, target)
    }
}
