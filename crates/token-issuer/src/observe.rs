//! Which objects of a shoot matter, as the scheduler tells (`ObserveShoot`).

use std::collections::BTreeSet;

use perennial_core::{
    failure::{Failure, Kind},
    generation::Family,
    name::{AccountRef, SecretRef},
    shoot::ShootId,
};
use perennial_proto::issuer::v1::ObserveShootRequest;
use perennial_rpc::convert::{self, ConvertError};

/// Most ServiceAccounts, targets and families of generations of one shoot: a Secret names one of each,
/// and an API server that holds more Secrets of one namespace was not seen.
const ACCOUNTS_MAX: usize = 50_000;

/// Why it is not observed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A request that can never succeed.
    #[error(transparent)]
    Request(#[from] ConvertError),
    /// Nobody told us how to reach it.
    #[error("no shoot is known under namespace {0}")]
    ShootUnknown(ShootId),
    /// More than any fleet has.
    #[error("more than {max} {what} are observed already, over all shoots")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Request(_) => Kind::Invalid,
            Self::ShootUnknown(_) => Kind::NotFound,
            Self::TooMany { .. } => Kind::Throttled,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Request(_) => "REQUEST_INVALID",
            Self::ShootUnknown(_) => "SHOOT_UNKNOWN",
            Self::TooMany { .. } => "OBSERVED_TOO_MANY",
        }
    }
}

/// A request, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observe {
    /// Which shoot.
    pub shoot: ShootId,
    /// Every ServiceAccount that matters there.
    pub accounts: BTreeSet<AccountRef>,
    /// Every target that matters there.
    pub targets: BTreeSet<SecretRef>,
    /// Every family of generations that matters there.
    pub families: BTreeSet<Family>,
}

impl Observe {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn parse(message: ObserveShootRequest) -> Result<Self, ConvertError> {
        let shoot = convert::parsed("namespace", &message.namespace)?;
        if message.accounts.len() > ACCOUNTS_MAX {
            let problem = format!("has more than {ACCOUNTS_MAX} accounts");
            return Err(ConvertError { field: "accounts", problem });
        }
        if message.targets.len() > ACCOUNTS_MAX {
            let problem = format!("has more than {ACCOUNTS_MAX} targets");
            return Err(ConvertError { field: "targets", problem });
        }
        if message.families.len() > ACCOUNTS_MAX {
            let problem = format!("has more than {ACCOUNTS_MAX} families");
            return Err(ConvertError { field: "families", problem });
        }
        let families = message.families.into_iter();
        let families = families.map(|family| convert::family_from_proto(Some(family)));
        let targets = message.targets.into_iter();
        let targets = targets.map(|target| convert::target_from_proto(Some(target)));
        let accounts = message.accounts.into_iter();
        let accounts = accounts.map(|account| convert::account_from_proto(Some(account)));
        Ok(Self {
            shoot,
            accounts: accounts.collect::<Result<_, _>>()?,
            targets: targets.collect::<Result<_, _>>()?,
            families: families.collect::<Result<_, _>>()?,
        })
    }
}
