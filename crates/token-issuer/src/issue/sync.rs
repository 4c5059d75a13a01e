//! SyncShoot: what belongs to an access Secret in its shoot, brought to what it asks for without a
//! token.

use std::collections::BTreeMap;

use perennial_core::name::{AccountRef, SecretRef};
use perennial_proto::issuer::v1::SyncShootRequest;
use perennial_rpc::convert::{self, ConvertError};

use super::{Error, Issuer, LIMIT, request::checked_labels};
use crate::{
    attempt::attempt,
    directory::{Candidate, Purpose},
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
}

impl Sync {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn parse(message: SyncShootRequest) -> Result<Self, ConvertError> {
        Ok(Self {
            secret: SecretRef {
                namespace: convert::parsed("namespace", &message.namespace)?,
                name: convert::parsed("name", &message.name)?,
            },
            account: convert::account_from_proto(message.account)?,
            account_labels: checked_labels(message.account_labels)?,
            apply_account: message.apply_account,
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
        let _permit =
            self.in_flight.try_acquire().map_err(|_| Error::Busy { max: self.in_flight_max })?;
        let shoot = &sync.secret.namespace;
        match tokio::time::timeout(LIMIT, self.sync_at_shoot(sync)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.probes.soon(shoot);
                Err(Error::TimedOut { shoot: shoot.clone(), limit: LIMIT })
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
        let Sync { account, account_labels, apply_account, .. } = sync;
        if *apply_account {
            self.accounts_alive(shoot, account)?;
        }
        let call = |candidate: Candidate| async move {
            match apply_account {
                true => candidate.client.apply_account(account, account_labels).await.map(drop),
                false => Ok(()),
            }
        };
        let outcome = attempt(&ways.candidates, Purpose::Issue, call).await.ok_or_else(none)?;
        let (candidate, ()) = outcome.map_err(|cause| {
            if cause.is_way_lost() {
                self.probes.soon(shoot);
            }
            self.refused(cause, shoot, account)
        })?;
        if *apply_account {
            self.directory.worked(shoot, &ways, candidate.which, self.clock.now());
        }
        Ok(candidate.endpoint.ca_pem().to_vec())
    }
}

#[cfg(test)]
mod tests;
