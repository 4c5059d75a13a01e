//! One renewal per Secret at a time, and not more than so many in all.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use perennial_core::name::SecretRef;
use prometheus_client::metrics::gauge::Gauge;

use super::RenewError;

/// The Secrets whose renewal is under way. Clones are the same set.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    secrets: Arc<Mutex<HashSet<SecretRef>>>,
    max: usize,
    gauge: Gauge,
}

/// The place of one Secret in the set, given back when dropped.
#[derive(Debug)]
pub(super) struct Guard {
    under_way: UnderWay,
    secret: SecretRef,
}

impl UnderWay {
    pub(super) fn new(max: usize, gauge: Gauge) -> Self {
        Self { secrets: Arc::default(), max, gauge }
    }

    pub(super) fn begin(&self, secret: &SecretRef) -> Result<Guard, RenewError> {
        let mut secrets = self.lock();
        if secrets.contains(secret) {
            return Err(RenewError::UnderWay { secret: secret.clone() });
        }
        if secrets.len() >= self.max {
            return Err(RenewError::Full { max: self.max });
        }
        secrets.insert(secret.clone());
        self.gauge.inc();
        Ok(Guard { under_way: self.clone(), secret: secret.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<SecretRef>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.secret);
        self.under_way.gauge.dec();
    }
}
