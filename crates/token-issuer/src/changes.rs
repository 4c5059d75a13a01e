//! The last change of each thing that is observed, in the order of the changes: what a stream of
//! WatchShoots that is behind asks for.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use perennial_core::shoot::ShootId;

/// Whoever holds a thing keeps the version of its last change, and gives it back with the next one.
#[derive(Debug)]
pub struct Changes<K> {
    version: u64,
    last: BTreeMap<u64, Arc<(ShootId, K)>>,
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Self { version: 0, last: BTreeMap::new() }
    }
}

impl<K> Changes<K> {
    /// The version of the last change, which is also the cursor behind all of them.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Something changed whose last change was `before`. Gives back the version of this one.
    pub fn note(&mut self, shoot: &ShootId, key: K, before: Option<u64>) -> u64 {
        before.into_iter().for_each(|before| self.forget(before));
        self.version += 1;
        self.last.insert(self.version, Arc::new((shoot.clone(), key)));
        self.version
    }

    /// What had this version is no longer observed.
    pub fn forget(&mut self, version: u64) {
        self.last.remove(&version);
    }

    /// At most `max` that changed after `cursor`, and the cursor behind them.
    #[must_use]
    pub fn after(&self, cursor: u64, max: usize) -> (Vec<Arc<(ShootId, K)>>, u64) {
        let after = self.last.range((Bound::Excluded(cursor), Bound::Unbounded)).take(max);
        let last = after.clone().last().map_or(cursor, |(version, _)| *version);
        (after.map(|(_, changed)| Arc::clone(changed)).collect(), last)
    }
}
