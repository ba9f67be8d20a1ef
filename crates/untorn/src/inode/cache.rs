//! Inodes in use, by number: one handle an inode.
//!
//! A handle stays while somebody holds it: an open file, a transaction, or a snapshot that is not
//! written home. Beyond those the cache keeps up to a limit of idle ones.
//!
//! Locks: one a shard, for map operations only; loading happens outside it.

use super::{Inode, InodeHome};
use crate::ag::is_allocated;
use crate::core::Core;
use crate::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use untorn_format::inode::{InodeCore, InodeIdentity};
use untorn_format::{AgBlock, BlockKind, Fault, Ino, Place};
use untorn_store::{BlockRef, NumberHash};

/// How many idle handles are kept where nobody says otherwise.
pub(crate) const IDLE: usize = 128 * 1024;

const SHARDS: usize = 16;

/// The inode cache of one volume.
pub(crate) struct InodeCache {
    shards: [RwLock<Shard>; SHARDS],
    /// Idle handles that one shard keeps.
    limit: usize,
}

#[derive(Default)]
struct Shard {
    map: HashMap<Ino, Arc<Inode>, NumberHash>,
    /// Handles that were in use when the others were last dropped.
    used: usize,
    /// Sweeps so far: what was read from a cluster before one may be older than what is home now.
    sweeps: u64,
}

impl Shard {
    /// Drops the handles that nobody holds, where there may be more than `limit` of them.
    fn sweep(&mut self, limit: usize) {
        if self.map.len() >= self.used + limit {
            self.map.retain(|_, inode| Arc::strong_count(inode) > 1);
            self.used = self.map.len();
            self.sweeps += 1;
        }
    }
}

impl InodeCache {
    /// An empty cache that keeps about `idle` handles that nobody holds.
    pub fn new(idle: usize) -> Self {
        let shards = std::array::from_fn(|_| RwLock::default());
        Self { shards, limit: (idle / SHARDS).max(1) }
    }

    fn shard(&self, ino: Ino) -> &RwLock<Shard> {
        &self.shards[(ino.0 % SHARDS as u64) as usize]
    }

    /// The handle of an allocated inode, read and verified if it is not in memory.
    pub fn load(&self, core: &Core, ino: Ino) -> Result<Arc<Inode>> {
        loop {
            let shard = self.shard(ino).read();
            if let Some(inode) = shard.map.get(&ino) {
                return Ok(Arc::clone(inode));
            }
            let sweeps = shard.sweeps;
            drop(shard);
            let inode = Arc::new(read(core, ino)?);
            let mut shard = self.shard(ino).write();
            if shard.sweeps != sweeps {
                continue;
            }
            shard.sweep(self.limit);
            return Ok(Arc::clone(shard.map.entry(ino).or_insert(inode)));
        }
    }

    /// The handle of inode `ino` if it is in memory.
    pub fn known(&self, ino: Ino) -> Option<Arc<Inode>> {
        self.shard(ino).read().map.get(&ino).cloned()
    }

    /// Adds the handle of an inode that was just allocated.
    pub fn insert(&self, inode: &Arc<Inode>) {
        let mut shard = self.shard(inode.ino).write();
        shard.sweep(self.limit);
        shard.map.insert(inode.ino, Arc::clone(inode));
    }

    /// How many handles are in memory.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().map.len()).sum()
    }

    /// Every handle in memory.
    pub fn all(&self) -> Vec<Arc<Inode>> {
        let of = |shard: &RwLock<Shard>| shard.read().map.values().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(of).collect()
    }
}

impl Core {
    /// Where inode `ino` lives; an error where the number lies outside the volume.
    pub fn inode_home(&self, ino: Ino) -> Result<InodeHome> {
        let outside = || {
            let fault = Fault::Field { what: "inode number", field: "ino", value: ino.0 };
            Error::from(fault.at(Place::inode(ino)))
        };
        let (ag, in_ag) = self.geometry.split_ino(ino).ok_or_else(outside)?;
        let (block, index) = self.geometry.inode_block(in_ag);
        let cluster = self.cluster_of(block);
        let per_block = self.geometry.inodes_per_block();
        let skip = (block.0 - cluster.0) * per_block + index;
        let home = BlockRef {
            addr: self.geometry.addr(ag, cluster),
            length: self.layout.cluster_blocks << self.geometry.block_log,
            kind: BlockKind::Inodes,
            owner: None,
        };
        Ok(InodeHome { cluster: home, offset: (skip as usize) << self.geometry.inode_log })
    }

    /// The inode of a number that somebody gave: it may never have been one, or be one no more. The
    /// caller holds no owner.
    pub fn inode_by_number(&self, ino: Ino) -> Result<Arc<Inode>> {
        let gone = || Error::NotFound(format!("inode {ino}"));
        if let Some(inode) = self.inodes.known(ino) {
            return Ok(inode);
        }
        let (ag, in_ag) = self.geometry.split_ino(ino).ok_or_else(gone)?;
        match is_allocated(self, ag, in_ag) {
            Ok(false) => Err(gone()),
            // Who reads a damaged volume gets what can be read.
            Ok(true) | Err(Error::Corrupt(_)) => self.inodes.load(self, ino),
            Err(error) => Err(error),
        }
    }

    /// First block of the cluster that holds inode block `block`.
    pub fn cluster_of(&self, block: AgBlock) -> AgBlock {
        let into_chunk = block.0 % self.layout.cluster_align;
        AgBlock(block.0 - into_chunk % self.layout.cluster_blocks)
    }

    /// What an inode must agree with when it is read.
    pub fn inode_identity(&self, ino: Ino) -> InodeIdentity<'_> {
        InodeIdentity {
            geometry: &self.geometry,
            features: self.features,
            uuid: self.meta_uuid(),
            ino,
            newest: self.store.cache().newest(),
        }
    }
}

fn read(core: &Core, ino: Ino) -> Result<Inode> {
    let home = core.inode_home(ino)?;
    let cluster = core.store.cache().read(&home.cluster)?;
    let bytes = cluster.get(home.offset..home.offset + core.geometry.inode_size());
    let bytes = bytes.unwrap_or_default();
    InodeCore::decode(bytes, &core.inode_identity(ino))
        .map_err(|fault| fault.at(Place::inode(ino)))?;
    Ok(Inode::new(ino, home, bytes.into()))
}
