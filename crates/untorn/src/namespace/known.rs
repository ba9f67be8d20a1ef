//! Names that were found or made: what they name, without a way down an index.
//!
//! ```text
//! a lookup found it (owner shared) --\                    /-- a transaction turns or takes it away
//!                                     >-- known, and so --<      (owner exclusive, at once)
//! a commit made it (owner exclusive)-/                    \-- older than `limit` others
//! ```
//! A known name is what is published: who has locked its directory exclusively forgets it before
//! anything else, so a transaction that is dropped costs a miss. `.` and `..` are never known, so
//! what is known of a directory goes with its entries, and none is left when it is removed.
//!
//! Locks: one a shard, for map operations only; whoever holds an owner may take it. Never here:
//! names that are known not to be there.

#[cfg(test)]
mod tests;

use crate::dir::Found;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use untorn_format::Ino;
use untorn_store::NumberHash;

/// How many names are known for each idle inode that may be kept.
const EACH: usize = 2;

const SHARDS: usize = 16;

/// A name and what it names.
struct Known {
    dir: Ino,
    name: Box<[u8]>,
    found: Found,
}

impl Known {
    fn is(&self, dir: Ino, name: &[u8]) -> bool {
        self.dir == dir && *self.name == *name
    }
}

/// By hash of directory and name: where two meet, the later one is known.
type Map = HashMap<u64, Known, NumberHash>;

/// Two ages: when the young fill their half, the old are forgotten.
#[derive(Default)]
struct Shard {
    young: Map,
    old: Map,
}

impl Shard {
    fn find(&self, hash: u64, dir: Ino, name: &[u8]) -> Option<Found> {
        let mut ages = [&self.young, &self.old].into_iter();
        let known = ages.find_map(|map| map.get(&hash).filter(|known| known.is(dir, name)))?;
        Some(known.found)
    }
}

/// The names that one volume knows.
pub(crate) struct KnownNames {
    key: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// Names of one age in one shard.
    limit: usize,
}

impl KnownNames {
    /// Knows nothing yet, and at most about two names for each of `idle` inodes.
    pub fn new(idle: usize) -> Self {
        let shards = std::array::from_fn(|_| RwLock::default());
        let limit = (idle.saturating_mul(EACH) / SHARDS / 2).max(1);
        Self { key: RandomState::new(), shards, limit }
    }

    fn place(&self, dir: Ino, name: &[u8]) -> (u64, &RwLock<Shard>) {
        let mut hasher = self.key.build_hasher();
        hasher.write_u64(dir.0);
        hasher.write(name);
        let hash = hasher.finish();
        (hash, &self.shards[(hash % SHARDS as u64) as usize])
    }

    /// What `name` names in `dir`, as far as that is known. The caller holds the owner lock of
    /// `dir`, so that it stays so.
    pub fn find(&self, dir: Ino, name: &[u8]) -> Option<Found> {
        let (hash, shard) = self.place(dir, name);
        shard.read().find(hash, dir, name)
    }

    /// Gives what `name` names in `dir` to `take`, which must not wait: until it ends nobody
    /// removes the name. No owner lock is needed.
    pub fn with<R>(&self, dir: Ino, name: &[u8], take: impl FnOnce(Found) -> R) -> Option<R> {
        let (hash, shard) = self.place(dir, name);
        let shard = shard.read();
        shard.find(hash, dir, name).map(take)
    }

    /// Remembers what `name` names in `dir`. The caller holds the owner lock of `dir` and has found
    /// it published.
    pub fn learn(&self, dir: Ino, name: &[u8], found: Found) {
        if name == b"." || name == b".." {
            return;
        }
        let (hash, shard) = self.place(dir, name);
        let known = Known { dir, name: name.into(), found };
        let mut shard = shard.write();
        if shard.young.len() >= self.limit {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(hash, known);
    }

    /// Forgets what `name` names in `dir`: the caller holds its owner lock exclusively and is about
    /// to change that.
    pub fn forget(&self, dir: Ino, name: &[u8]) {
        let (hash, shard) = self.place(dir, name);
        let mut shard = shard.write();
        shard.young.remove(&hash);
        shard.old.remove(&hash);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.shards.iter().for_each(|shard| *shard.write() = Shard::default());
    }

    /// How many names are known.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        let of = |shard: &RwLock<Shard>| {
            let shard = shard.read();
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(of).sum()
    }
}
