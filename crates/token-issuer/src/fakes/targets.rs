//! Targets of the shoot in memory.

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use perennial_core::{
    issued::Left,
    name::{AccountRef, SecretRef},
    target::{TargetState, TargetView},
    token::{Claims, TokenHash},
};
use perennial_kube::Error;

use super::FakeShoot;
use crate::shoot::targets::{Answer, Delivered, Delivery, Targets};

impl Targets for FakeShoot {
    fn check_target<'a>(&'a self, target: &'a SecretRef, _: bool) -> Answer<'a, Option<TokenHash>> {
        Box::pin(async move {
            self.call(&format!("check {target}"), |state| {
                if let Some(unwritable) = &state.unwritable {
                    return Ok(Err(unwritable.clone()));
                }
                let token = state.targets.get(&target.to_string());
                Ok(Ok(token.map(|token| TokenHash::of(token.as_bytes()))))
            })
            .await
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery, claims: &'a Claims) -> Answer<'a, Delivered> {
        let Delivery { target, token, ca_pem, .. } = delivery;
        let with = if ca_pem.is_some() { "with CA" } else { "without CA" };
        Box::pin(async move {
            self.call(&format!("deliver {target} {with}"), |state| {
                state.targets.insert(target.to_string(), token.expose().to_owned());
                Ok(Ok(Delivered { claims: claims.clone(), sha256: token.hash() }))
            })
            .await
        })
    }

    fn refresh_target<'a>(
        &'a self,
        target: &'a SecretRef,
        ca_pem: Option<&'a [u8]>,
    ) -> Answer<'a, ()> {
        let with = if ca_pem.is_some() { "with CA" } else { "without CA" };
        Box::pin(
            async move { self.call(&format!("refresh {target} {with}"), |_| Ok(Ok(()))).await },
        )
    }

    fn leave_target<'a>(&'a self, left: &'a Left, _: &'a AccountRef) -> Answer<'a, ()> {
        Box::pin(async move {
            self.call(&format!("leave {}", left.secret), |state| {
                state.targets.remove(&left.secret.to_string());
                Ok(Ok(()))
            })
            .await
        })
    }

    /// What stands there now, and nothing after that.
    fn watch_target(&self, target: &SecretRef) -> BoxStream<'static, Result<TargetState, Error>> {
        let held = self.world.set().targets.get(&target.to_string()).cloned();
        let state = held.map_or(TargetState::Absent, |token| {
            TargetView { token: Some(token.as_bytes()), ..TargetView::default() }.state()
        });
        stream::iter([Ok(state)]).chain(stream::pending()).boxed()
    }
}
