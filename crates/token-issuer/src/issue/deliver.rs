//! A token into a target (contract, B7): whether it can be written is asked before a token is
//! issued for it, so that none is issued in vain.

use perennial_core::{
    name::SecretRef,
    token::{Claims, Token, TokenHash},
};
use perennial_kube::Error as KubeError;
use perennial_proto::issuer::v1 as proto;
use perennial_rpc::convert::{self, ConvertError};

use super::{Ask, Error, Issuer};
use crate::{
    attempt::{Failed, attempt},
    directory::{Candidate, Purpose, Ways},
    shoot::targets::{Delivered, Delivery, Unwritable},
};

/// Where a token goes in the shoot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// Which Secret.
    pub target: SecretRef,
    /// Whether the CA of the shoot goes beside it.
    pub inject_ca: bool,
}

impl Goal {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub(super) fn parse(message: proto::Delivery) -> Result<Self, ConvertError> {
        let target = convert::target_from_proto(message.target)?;
        Ok(Self { target, inject_ca: message.inject_ca })
    }
}

impl Issuer {
    /// What stands in the target of a request, where it names one.
    pub(super) async fn check_target(
        &self,
        ask: &Ask,
        ways: &Ways,
    ) -> Result<Option<TokenHash>, Error> {
        let Some(Goal { target, inject_ca }) = &ask.goal else { return Ok(None) };
        let call = |candidate: Candidate| async move {
            candidate.client.check_target(target, *inject_ca).await
        };
        let shoot = &ask.secret.namespace;
        let none = || Error::NoCredential {
            shoot: shoot.clone(),
            obstacle: ways.obstacle.clone(),
            refused: false,
        };
        let outcome = attempt(&ways.candidates, Purpose::Issue, call).await.ok_or_else(none)?;
        let (_, found) = outcome.map_err(|cause| self.target_lost(ask, cause))?;
        found.map_err(|cause| unwritable(ask, target, cause))
    }

    /// Puts the token there, with the credential it was issued with.
    pub(super) async fn deliver(
        &self,
        ask: &Ask,
        goal: &Goal,
        candidate: &Candidate,
        token: Token,
        found: Option<TokenHash>,
    ) -> Result<Delivered, Error> {
        let claims = Claims::read(token.expose().as_bytes())
            .map_err(|cause| Error::Mismatch { shoot: shoot_of(ask), cause: cause.into() })?;
        let ca_pem = goal.inject_ca.then(|| candidate.endpoint.ca_pem().to_vec());
        let delivery = Delivery { target: goal.target.clone(), token, ca_pem, found };
        let (delivery, claims) = (&delivery, &claims);
        let call = |candidate: Candidate| async move {
            let answer: Result<_, KubeError> = candidate.client.deliver(delivery, claims).await;
            answer
        };
        let candidates = std::slice::from_ref(candidate);
        let outcome = attempt(candidates, Purpose::Issue, call).await;
        let outcome = outcome.expect("there is one candidate");
        let (_, delivered) = outcome.map_err(|cause| self.target_lost(ask, cause))?;
        delivered.map_err(|cause| unwritable(ask, &goal.target, cause))
    }

    fn target_lost(&self, ask: &Ask, cause: Failed) -> Error {
        if cause.is_way_lost() {
            self.probes.soon(&ask.secret.namespace);
        }
        self.refused(cause, &ask.secret.namespace, &ask.account)
    }
}

fn unwritable(ask: &Ask, target: &SecretRef, cause: Unwritable) -> Error {
    Error::Target { shoot: shoot_of(ask), target: target.clone(), cause }
}

fn shoot_of(ask: &Ask) -> perennial_core::shoot::ShootId {
    ask.secret.namespace.clone()
}

#[cfg(test)]
mod tests;
