//! RevokeGeneration: older generations of an access Secret go, and with them every token that is
//! bound to them (contract, section D).
//!
//! Only where the one to keep is there: a Secret is never without one. Deleting is half of it: the
//! API server goes on taking a token for some seconds, so an old one is tried until it is refused.

use std::{sync::Arc, time::Duration};

use perennial_core::{
    failure::Failure as _,
    generation::{Family, Number},
    name::{AccountRef, SecretRef},
};
use perennial_kube::Error as KubeError;
use perennial_process::crash;
use perennial_proto::issuer::v1::RevokeGenerationRequest;
use perennial_rpc::convert::{self, ConvertError};
use tokio::time;

use super::{Error, Issuer, kept::Witness};
use crate::{
    attempt::attempt,
    directory::{Candidate, Purpose, Ways},
    shoot::{Shoot, generations::SeenGeneration},
};

/// Most RevokeGenerations at once; one takes some 10 s, which are spent waiting.
pub(super) const REVOKES_MAX: usize = 64;
/// Longest time for everything before an old token is tried.
const DELETE_LIMIT: Duration = Duration::from_secs(8);
/// For so long an old token is tried. An API server takes one for 10 to 11 s after its generation
/// is gone, because it remembers its own answers.
const CONFIRM_LIMIT: Duration = Duration::from_secs(20);
/// Pause between two tries.
const CONFIRM_PAUSE: Duration = Duration::from_secs(1);
/// Longest time one RevokeGeneration may take. A caller's own deadline should be a little longer.
pub const REVOKE_LIMIT: Duration = Duration::from_secs(28);
const _: () = assert!(DELETE_LIMIT.as_secs() + CONFIRM_LIMIT.as_secs() <= REVOKE_LIMIT.as_secs());
/// Looks at what is there, where something changes between look and deletion.
const ROUNDS_MAX: usize = 2;

/// A checked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// The access Secret on the seed; its namespace is the shoot.
    pub secret: SecretRef,
    /// The ServiceAccount in the shoot.
    pub account: AccountRef,
    /// The generation to keep: it must be there.
    pub keep: Number,
    /// The newest of the older ones that goes.
    pub up_to: Number,
    /// Whether nobody waits for the proof that an old token is refused.
    pub unproved: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// How many generations were deleted.
    pub deleted: u32,
    /// Whether a token that was taken before is refused now.
    pub refused: bool,
}

/// Why nothing was deleted, or not all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// The one to keep is not there.
    KeepMissing,
    /// Others came between every look and deletion.
    Contended,
}

impl Revoke {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn parse(message: RevokeGenerationRequest) -> Result<Self, ConvertError> {
        let RevokeGenerationRequest { namespace, name, account, keep, up_to, unproved } = message;
        if keep == 0 {
            let problem = "must be at least 1".to_owned();
            return Err(ConvertError { field: "keep", problem });
        }
        Ok(Self {
            secret: SecretRef {
                namespace: convert::parsed("namespace", &namespace)?,
                name: convert::parsed("name", &name)?,
            },
            account: convert::account_from_proto(account)?,
            keep,
            up_to: if up_to == 0 { keep - 1 } else { up_to.min(keep - 1) },
            unproved,
        })
    }

    fn family(&self) -> Family {
        Family::new(&self.account.namespace, &self.secret)
    }
}

impl Issuer {
    /// Deletes the older generations that are to go and, unless nobody cares, waits until an old token is
    /// refused, 28 s at most. It may be repeated.
    ///
    /// # Errors
    /// Why it could not be done, or whether an old token is still taken.
    pub async fn revoke(&self, revoke: &Revoke) -> Result<Revoked, Error> {
        self.policy.admit_account(&revoke.secret, &revoke.account)?;
        let busy = |_| Error::RevokesBusy { max: REVOKES_MAX };
        let _permit = self.revokes.try_acquire().map_err(busy)?;
        let shoot = &revoke.secret.namespace;
        let deleted = time::timeout(DELETE_LIMIT, self.delete_older(revoke)).await;
        let (candidate, deleted) = deleted.map_err(|_| {
            self.probes.soon(shoot);
            let (shoot, what) = (shoot.clone(), "delete old generations");
            Error::TimedOut { shoot, what, limit: DELETE_LIMIT }
        })??;
        let refused = !revoke.unproved && self.confirm(revoke, &candidate).await?;
        Ok(Revoked { deleted, refused })
    }

    async fn delete_older(&self, revoke: &Revoke) -> Result<(Candidate, u32), Error> {
        let shoot = &revoke.secret.namespace;
        let ways: Ways = self.ways(shoot)?;
        let call = |candidate: Candidate| async move { self.delete_at(&candidate, revoke).await };
        let outcome = attempt(&ways.candidates, Purpose::Issue, call).await;
        let outcome = outcome.ok_or_else(|| Error::NoCredential {
            shoot: shoot.clone(),
            refused: false,
            obstacle: ways.obstacle.clone(),
        })?;
        let (candidate, done) = outcome.map_err(|cause| {
            if cause.is_way_lost() {
                self.probes.soon(shoot);
            }
            self.generation_lost(cause, shoot, &revoke.account)
        })?;
        self.directory.worked(shoot, &ways, candidate.which, self.clock.now());
        match done {
            Ok(deleted) => Ok((candidate, deleted)),
            Err(Obstacle::KeepMissing) => Err(Error::GenerationMissing {
                shoot: shoot.clone(),
                generation: SecretRef {
                    namespace: revoke.account.namespace.clone(),
                    name: revoke.family().name(revoke.keep),
                },
            }),
            Err(Obstacle::Contended) => {
                let cause = "others made and deleted generations meanwhile".to_owned();
                Err(Error::GenerationContended { shoot: shoot.clone(), cause })
            }
        }
    }

    async fn delete_at(
        &self,
        candidate: &Candidate,
        revoke: &Revoke,
    ) -> Result<Result<u32, Obstacle>, KubeError> {
        let (family, shoot) = (revoke.family(), &revoke.secret.namespace);
        let client = candidate.client.as_ref();
        let mut deleted = 0;
        for _ in 0..ROUNDS_MAX {
            let found = client.list_generations(&family.namespace).await?;
            let present = present(&found, &family);
            if !present.iter().any(|(number, _)| *number == revoke.keep) {
                return Ok(Err(Obstacle::KeepMissing));
            }
            let older = present.into_iter().filter(|(number, _)| *number <= revoke.up_to);
            let older: Vec<_> = older.collect();
            if !older.is_empty() && !revoke.unproved {
                self.look_at_witness(revoke, candidate).await;
            }
            let mut all = true;
            for (number, generation) in older {
                if client.delete_generation(&family.namespace, generation).await? {
                    deleted += 1;
                    self.generations.deleted(shoot, &family, number, &generation.uid);
                    crash::point("token-issuer.generation-deleted");
                } else {
                    all = false;
                }
            }
            if all {
                return Ok(Ok(deleted));
            }
        }
        Ok(Err(Obstacle::Contended))
    }

    /// Only of a token that was taken before means anything that it is refused.
    async fn look_at_witness(&self, revoke: &Revoke, candidate: &Candidate) {
        let Some((witness, shoot)) = self.witness(revoke, candidate) else { return };
        match shoot.probe().await {
            Ok(_) | Err(KubeError::Refused { code: 403, .. }) => {
                self.kept.taken(&revoke.secret, &witness);
            }
            Err(_) => {}
        }
    }

    /// Tries an old token until it is refused. `false` where there is none that can tell.
    async fn confirm(&self, revoke: &Revoke, candidate: &Candidate) -> Result<bool, Error> {
        let witness = self.witness(revoke, candidate);
        let Some((witness, shoot)) = witness.filter(|(witness, _)| witness.was_taken) else {
            return Ok(false);
        };
        let mut last = "it was still taken".to_owned();
        let refused = async {
            loop {
                match shoot.probe().await {
                    Err(KubeError::Refused { code: 401, .. }) => return,
                    Ok(_) | Err(KubeError::Refused { code: 403, .. }) => {
                        last = "it was still taken".to_owned();
                    }
                    Err(error) => last = perennial_core::failure::chain(&error),
                }
                time::sleep(CONFIRM_PAUSE).await;
            }
        };
        match time::timeout(CONFIRM_LIMIT, refused).await {
            Ok(()) => {
                self.kept.refused(&revoke.secret, &witness);
                Ok(true)
            }
            Err(_) => {
                let (shoot, secret) = (revoke.secret.namespace.clone(), revoke.secret.name.clone());
                Err(Error::OldTokenStillTaken { shoot, secret, limit: CONFIRM_LIMIT, last })
            }
        }
    }

    /// An old token, and a connection of its own with it to where we go ourselves.
    fn witness(&self, revoke: &Revoke, candidate: &Candidate) -> Option<(Witness, Arc<dyn Shoot>)> {
        let witness = self.kept.older(&revoke.secret, revoke.up_to + 1, self.clock.now())?;
        let connection = candidate.endpoint.with_token(witness.token.clone());
        let connected = self.directory.connect(&connection);
        let failed = |error: &KubeError| {
            tracing::debug!(shoot = %revoke.secret.namespace, "cannot try an old token: {}", error.reason());
        };
        Some((witness, connected.inspect_err(failed).ok()?))
    }
}

/// Those of a family that are there, the oldest first.
fn present<'a>(found: &'a [SeenGeneration], family: &Family) -> Vec<(Number, &'a SeenGeneration)> {
    let there = found.iter().filter(|seen| !seen.terminating);
    let ours = there.filter_map(|seen| Some((family.number(seen.name.as_str())?, seen)));
    let mut ours: Vec<_> = ours.collect();
    ours.sort_by_key(|(number, _)| *number);
    ours
}

#[cfg(test)]
mod tests;
