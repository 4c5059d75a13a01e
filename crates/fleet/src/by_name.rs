//! A map from names that is asked for one of them much more often than it is gone through.
//!
//! A hash finds a name without a look at the others; names in order are kept beside it for whoever goes
//! through them, so that the order is the same in every process. The hash is a quick one: names are given by
//! whoever may write access Secrets on the seed, and who wants to harm us there has shorter ways.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    ops::Bound,
};

use foldhash::fast::RandomState;

/// The map. Values are boxed: a table of hashes is half empty.
#[derive(Debug)]
pub(super) struct ByName<K, V> {
    held: HashMap<K, Box<V>, RandomState>, // asked by name only
    names: BTreeSet<K>,
}

impl<K, V> Default for ByName<K, V> {
    fn default() -> Self {
        Self { held: HashMap::default(), names: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord, V> ByName<K, V> {
    pub(super) fn get(&self, name: &K) -> Option<&V> {
        self.held.get(name).map(|value| &**value)
    }

    pub(super) fn get_mut(&mut self, name: &K) -> Option<&mut V> {
        self.held.get_mut(name).map(|value| &mut **value)
    }

    pub(super) fn contains(&self, name: &K) -> bool {
        self.held.contains_key(name)
    }

    pub(super) fn get_or_default(&mut self, name: &K) -> &mut V
    where
        V: Default,
    {
        if !self.contains(name) {
            self.names.insert(name.clone());
        }
        self.held.entry(name.clone()).or_default()
    }

    /// Gives back the value that it takes the place of.
    pub(super) fn insert(&mut self, name: K, value: V) -> Option<V> {
        let before = self.held.insert(name.clone(), Box::new(value)).map(|value| *value);
        if before.is_none() {
            self.names.insert(name);
        }
        before
    }

    pub(super) fn remove(&mut self, name: &K) -> Option<V> {
        let value = self.held.remove(name)?;
        self.names.remove(name);
        Some(*value)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.held.retain(|_, value| keep(value));
        self.names.retain(|name| self.held.contains_key(name));
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// All names, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &K> {
        self.names.iter()
    }

    /// All of them, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.from(Bound::Unbounded)
    }

    /// Those from a name on, in the order of their names.
    pub(super) fn from(&self, name: Bound<&K>) -> impl Iterator<Item = (&K, &V)> {
        let names = self.names.range::<K, _>((name, Bound::Unbounded));
        names.filter_map(|name| Some((name, self.get(name)?)))
    }

    /// All values, in the order of their names.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All values, in no order: for what is the same in any.
    pub(super) fn values_in_no_order(&self) -> impl Iterator<Item = &V> {
        self.held.values().map(|value| &**value)
    }

    /// The same, to change them.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.held.values_mut().map(|value| &mut **value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_map_in_order_holds(
            steps in prop::collection::vec((0_u8..5, 0_u8..20, any::<u8>()), 0..100),
        ) {
            let (mut held, mut expected) = (ByName::<u8, u8>::default(), BTreeMap::<u8, u8>::new());
            for (step, name, value) in steps {
                match step {
                    0 => prop_assert_eq!(held.remove(&name), expected.remove(&name)),
                    1 => {
                        held.retain(|held| *held > value);
                        expected.retain(|_, held| *held > value);
                    }
                    2 => {
                        *held.get_or_default(&name) ^= value;
                        *expected.entry(name).or_default() ^= value;
                    }
                    _ => prop_assert_eq!(held.insert(name, value), expected.insert(name, value)),
                }
                prop_assert!(held.iter().eq(expected.iter()));
                prop_assert!(held.names().eq(expected.keys()));
                prop_assert_eq!(held.get(&name), expected.get(&name));
                prop_assert_eq!(held.len(), expected.len());
                let behind = Bound::Excluded(&name);
                prop_assert!(held.from(behind).eq(expected.range((behind, Bound::Unbounded))));
            }
        }
    }
}
