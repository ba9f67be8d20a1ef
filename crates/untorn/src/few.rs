//! An ordered map that is made for a few entries: what one operation locks, stages and puts off.
//!
//! Entries lie in order in one piece of memory, the first of them in the map itself. Putting one in
//! behind all others is cheap however many there are; in between it moves those behind it.

use smallvec::SmallVec;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Few<K, V>(SmallVec<[(K, V); 2]>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<K: Copy + Ord, V> Few<K, V> {
    /// Where `key` is, or where it would have to be.
    fn find(&self, key: K) -> Result<usize, usize> {
        match self.0.last() {
            None => Err(0),
            Some((last, _)) if *last < key => Err(self.0.len()),
            Some(_) => self.0.binary_search_by_key(&key, |&(key, _)| key),
        }
    }

    /// The value of `key`.
    pub fn at(&self, key: K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// The value of `key`, to change.
    pub fn at_mut(&mut self, key: K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    pub fn contains(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    /// Puts `value` in; whether there was none of that key, which it takes the place of.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        let found = self.find(key);
        match found {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
        found.is_err()
    }

    /// The value of `key`, the default one from now on where there was none.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.find(key).unwrap_or_else(|at| {
            self.0.insert(at, (key, V::default()));
            at
        });
        &mut self.0[at].1
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The highest key.
    pub fn last_key(&self) -> Option<K> {
        self.0.last().map(|&(key, _)| key)
    }

    pub fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.0.iter().map(|&(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u8, u32),
        Add(u8, u32),
        Remove(u8),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let key = || 0..12_u8;
        let op = prop_oneof![
            (key(), any::<u32>()).prop_map(|(key, value)| Op::Insert(key, value)),
            (key(), 0..9_u32).prop_map(|(key, more)| Op::Add(key, more)),
            key().prop_map(Op::Remove),
        ];
        prop::collection::vec(op, 0..40)
    }

    proptest! {
        #[test]
        fn few_entries_are_kept_as_an_ordered_map_keeps_them_model(ops in ops()) {
            let (mut few, mut twin) = (Few::default(), BTreeMap::new());
            for op in ops {
                match op {
                    Op::Insert(key, value) => {
                        prop_assert_eq!(few.insert(key, value), twin.insert(key, value).is_none());
                    }
                    Op::Add(key, more) => {
                        let sums = [few.or_default(key), twin.entry(key).or_default()];
                        sums.into_iter().for_each(|sum| *sum = sum.wrapping_add(more));
                    }
                    Op::Remove(key) => prop_assert_eq!(few.remove(key), twin.remove(&key)),
                }
                prop_assert!(few.keys().eq(twin.keys().copied()));
                prop_assert!(few.values().eq(twin.values()));
                prop_assert_eq!(few.last_key(), twin.keys().last().copied());
            }
            for key in 0..12 {
                prop_assert_eq!(few.at(key), twin.get(&key));
                prop_assert_eq!(few.at_mut(key), twin.get_mut(&key));
                prop_assert_eq!(few.contains(key), twin.contains_key(&key));
            }
        }
    }
}
