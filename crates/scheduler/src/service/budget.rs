//! Whether every token survives what is to be survived.

use std::time::Duration;

use perennial_core::{
    budget::{LIFETIME_DEFAULT_SECONDS, Life, MARGIN, renewals_per_day},
    name::{Namespace, SecretRef},
};
use perennial_fleet::{budget::Broken, request};
use perennial_proto::scheduler::v1 as proto;
use perennial_rpc::convert::{duration, timestamp};

use super::{Service, error::Error, namespace};

impl Service {
    pub(super) fn get_budget(
        &self,
        message: &proto::GetBudgetRequest,
    ) -> Result<proto::GetBudgetResponse, Error> {
        let only = namespace(&message.namespace)?;
        let (known, budget, basis) = self
            .board
            .read(|fleet, _| (fleet.has_records(), *fleet.budget(), fleet.basis_seconds()));
        if !known {
            let why = "the first whole set of records is not in; is the secret-writer ready?";
            return Err(request::Error::NotReady(why.to_owned()).into());
        }
        let is_none =
            |shoot: &Namespace| self.board.read(|fleet, _| fleet.knows_shoot(shoot) == Some(false));
        if let Some(shoot) = only.clone().filter(is_none) {
            return Err(Error::NoShoot(shoot)); // "holds for all 0" would read as well
        }
        let survival = self.board.read(|fleet, now| fleet.survival(now, only.as_ref()));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let broken = survival.broken.iter().map(|(why, Broken { count: all, first })| {
            let first = first.iter().map(token);
            let why = why.as_str().to_owned();
            proto::BudgetBroken { why, count: count(*all), first: first.collect() }
        });
        let first = survival.first_to_expire.clone();
        Ok(proto::GetBudgetResponse {
            shoot: budget.shoot.map(duration),
            seed: budget.seed.map(duration),
            perennial: budget.perennial.map(duration),
            margin: Some(duration(MARGIN)),
            needed: budget.is_set().then(|| duration(budget.needed())),
            basis: Some(duration(Duration::from_secs(basis.unsigned_abs()))),
            renewals_per_day: renewals_per_day(LIFETIME_DEFAULT_SECONDS, basis),
            secrets: count(survival.secrets),
            holds: count(survival.holds),
            broken: broken.collect(),
            least_left: survival.least_seconds.map(|seconds| duration(length(seconds))),
            first_expires_at: first.as_ref().map(|(at, _)| timestamp(*at)),
            first_to_expire: first.map(|(_, secret)| secret.to_string()).unwrap_or_default(),
            lifetime_needed: budget
                .is_set()
                .then(|| duration(length(budget.lifetime_needed(basis)))),
        })
    }
}

/// What is over is none.
fn length(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn token((secret, life): &(SecretRef, Option<Life>)) -> proto::BudgetToken {
    let of = |seconds: fn(&Life) -> i64| life.as_ref().map(|life| duration(length(seconds(life))));
    proto::BudgetToken {
        secret: secret.to_string(),
        granted: of(|life| life.granted),
        asked: of(|life| life.asked),
        left: of(|life| life.left_at_renewal),
    }
}
