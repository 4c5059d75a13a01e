//! Which objects of each shoot matter, as the scheduler tells (`ObserveShoot`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use perennial_core::{
    failure::{Failure, Kind},
    name::AccountRef,
    shoot::ShootId,
};
use perennial_proto::issuer::v1::ObserveShootRequest;
use perennial_rpc::convert::{self, ConvertError};

/// Most ServiceAccounts of one shoot: a Secret names one, and an API server that holds more Secrets
/// of one namespace was not seen.
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
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Request(_) => Kind::Invalid,
            Self::ShootUnknown(_) => Kind::NotFound,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Request(_) => "REQUEST_INVALID",
            Self::ShootUnknown(_) => "SHOOT_UNKNOWN",
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
        let accounts = message.accounts.into_iter();
        let accounts = accounts.map(|account| convert::account_from_proto(Some(account)));
        Ok(Self { shoot, accounts: accounts.collect::<Result<_, _>>()? })
    }
}

/// What was told of all shoots.
#[derive(Debug, Default)]
pub struct Observed(Mutex<BTreeMap<ShootId, BTreeSet<AccountRef>>>);

impl Observed {
    /// From now on these accounts matter in that shoot, and no others.
    pub fn set(&self, observe: Observe) {
        self.lock().insert(observe.shoot, observe.accounts);
    }

    /// A shoot is gone.
    pub fn forget(&self, shoot: &ShootId) {
        self.lock().remove(shoot);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShootId, BTreeSet<AccountRef>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
