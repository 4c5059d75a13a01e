//! SyncShoot: what belongs to an access Secret in its shoot, brought to what it asks for without a
//! token.

use std::collections::BTreeMap;

use perennial_core::{
    issued::{LEFT_MAX, Left},
    name::{AccountRef, SecretRef},
};
use perennial_kube::Error as KubeError;
use perennial_proto::issuer::v1::SyncShootRequest;
use perennial_rpc::convert::{self, ConvertError};

use super::{Error, Goal, Issuer, LIMIT, request::checked_labels};
use crate::{
    attempt::attempt,
    directory::{Candidate, Purpose},
    shoot::{Shoot, targets::Unwritable},
};

/// A checked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// The access Secret on the seed; its namespace is the shoot.
    pub secret: SecretRef,
    /// The ServiceAccount in the shoot.
    pub account: AccountRef,
    /// Its labels.
    pub account_labels: BTreeMap<String, String>,
    /// Whether it is to be brought to them.
    pub apply_account: bool,
    /// A target whose CA is to be brought to what is asked for.
    pub refresh: Option<Goal>,
    /// Former targets that lose what was put there.
    pub left: Vec<Left>,
}

impl Sync {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn parse(message: SyncShootRequest) -> Result<Self, ConvertError> {
        if message.left.len() > LEFT_MAX {
            let problem = format!("has more than {LEFT_MAX} former targets");
            return Err(ConvertError { field: "left", problem });
        }
        let left = message.left.into_iter().map(convert::left_from_proto);
        Ok(Self {
            secret: SecretRef {
                namespace: convert::parsed("namespace", &message.namespace)?,
                name: convert::parsed("name", &message.name)?,
            },
            account: convert::account_from_proto(message.account)?,
            account_labels: checked_labels(message.account_labels)?,
            apply_account: message.apply_account,
            refresh: message.refresh.map(Goal::parse).transpose()?,
            left: left.collect::<Result<_, _>>()?,
        })
    }
}

impl Issuer {
    /// Brings the shoot to what the Secret asks for and gives back the CA that it is reached by,
    /// PEM. Without `apply_account` the shoot is not called.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn sync(&self, sync: &Sync) -> Result<Vec<u8>, Error> {
        self.policy.admit_account(&sync.secret, &sync.account)?;
        for target in sync.targets() {
            self.policy.admit_target(&sync.secret, target)?;
        }
        let _permit =
            self.in_flight.try_acquire().map_err(|_| Error::Busy { max: self.in_flight_max })?;
        let shoot = &sync.secret.namespace;
        match tokio::time::timeout(LIMIT, self.sync_at_shoot(sync)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.probes.soon(shoot);
                let what = "answer what was to be synced";
                Err(Error::TimedOut { shoot: shoot.clone(), what, limit: LIMIT })
            }
        }
    }

    async fn sync_at_shoot(&self, sync: &Sync) -> Result<Vec<u8>, Error> {
        let shoot = &sync.secret.namespace;
        let ways = self.ways(shoot)?;
        let none = || Error::NoCredential {
            shoot: shoot.clone(),
            obstacle: ways.obstacle.clone(),
            refused: false,
        };
        if sync.apply_account {
            self.accounts_alive(shoot, &sync.account)?;
        }
        let call = |candidate: Candidate| async move {
            let ca_pem = candidate.endpoint.ca_pem();
            carry_out(candidate.client.as_ref(), sync, ca_pem).await
        };
        let outcome = attempt(&ways.candidates, Purpose::Issue, call).await.ok_or_else(none)?;
        let (candidate, done) = outcome.map_err(|cause| {
            if cause.is_way_lost() {
                self.probes.soon(shoot);
            }
            self.refused(cause, shoot, &sync.account)
        })?;
        done.map_err(|(target, cause)| Error::Target { shoot: shoot.clone(), target, cause })?;
        if sync.calls() {
            self.directory.worked(shoot, &ways, candidate.which, self.clock.now());
        }
        Ok(candidate.endpoint.ca_pem().to_vec())
    }
}

impl Sync {
    fn targets(&self) -> impl Iterator<Item = &SecretRef> {
        let left = self.left.iter().map(|left| &left.secret);
        self.refresh.iter().map(|goal| &goal.target).chain(left)
    }

    fn calls(&self) -> bool {
        self.apply_account || self.targets().next().is_some()
    }
}

/// Everything, in an order in which nothing is lost when one step fails.
async fn carry_out(
    shoot: &dyn Shoot,
    sync: &Sync,
    ca_pem: &[u8],
) -> Result<Result<(), (SecretRef, Unwritable)>, KubeError> {
    if sync.apply_account {
        shoot.apply_account(&sync.account, &sync.account_labels).await?;
    }
    if let Some(Goal { target, inject_ca }) = &sync.refresh {
        let ca_pem = inject_ca.then_some(ca_pem);
        if let Err(cause) = shoot.refresh_target(target, ca_pem).await? {
            return Ok(Err((target.clone(), cause)));
        }
    }
    for left in &sync.left {
        if let Err(cause) = shoot.leave_target(left, &sync.account).await? {
            return Ok(Err((left.secret.clone(), cause)));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests;
