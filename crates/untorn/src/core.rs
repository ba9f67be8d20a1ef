//! What every room of an open volume shares: store, geometry, features, allocation groups, inode
//! cache, counters.
//!
//! Never here: operations. This is the struct that they pass around.

use crate::ag::{Ag, EmptyChunks, Promised};
use crate::background::Worker;
use crate::clock::Clock;
use crate::error::Result;
use crate::inode::{Inode, InodeCache};
use crate::io::{LazyTimes, PageCache};
use crate::namespace::KnownNames;
use crate::volume::FreedBlocks;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use untorn_format::features::Features;
use untorn_format::limits::{InodeLayout, Limits};
use untorn_format::superblock::Superblock;
use untorn_format::{AgBlock, AgNumber, BlockKind, DiskAddr, FsBlock, Geometry};
use untorn_store::{BlockRef, Sequence, Store};

/// Free blocks and inodes of the volume, as `statfs` would tell them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Free blocks, free-list blocks included, reserved blocks not subtracted.
    pub free_blocks: AtomicI64,
    /// Allocated inodes, free ones included.
    pub inodes: AtomicI64,
    /// Free inodes.
    pub free_inodes: AtomicI64,
}

impl Counters {
    /// Begins at nothing again.
    pub fn clear(&self) {
        let Self { free_blocks, inodes, free_inodes } = self;
        for count in [free_blocks, inodes, free_inodes] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Adds what a committed transaction changed.
    pub fn add(&self, change: &CounterChange) {
        self.free_blocks.fetch_add(change.free_blocks, Ordering::Relaxed);
        self.inodes.fetch_add(change.inodes, Ordering::Relaxed);
        self.free_inodes.fetch_add(change.free_inodes, Ordering::Relaxed);
    }
}

/// What one transaction changes in the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CounterChange {
    pub free_blocks: i64,
    pub inodes: i64,
    pub free_inodes: i64,
}

/// An open volume below its public face.
pub(crate) struct Core {
    pub store: Store,
    pub geometry: Geometry,
    pub features: Features,
    pub limits: Limits,
    pub layout: InodeLayout,
    pub superblock: Superblock,
    pub ags: Vec<Ag>,
    pub inodes: InodeCache,
    pub names: KnownNames,
    pub pages: PageCache,
    pub counters: Counters,
    /// Checkpoint of the last transaction after which shared blocks have a user fewer.
    pub unshared: AtomicU64,
    /// Free blocks that are promised and not chosen.
    pub promised: Arc<Promised>,
    /// AGs some of whose changes wait.
    pub later: Mutex<BTreeSet<AgNumber>>,
    /// How many want nothing to wait.
    pub hurry: AtomicU32,
    /// What is done while nobody asks.
    pub worker: Worker,
    /// Files whose times no transaction carries yet.
    pub lazy: LazyTimes,
    /// Where times come from.
    pub clock: Clock,
    /// Whether the device hears of freed blocks.
    pub freed: FreedBlocks,
    /// Whether the device was found unable to hear of them.
    pub deaf: AtomicBool,
    /// Numbers writes in progress.
    pub writes: AtomicU64,
    /// Held while a directory moves to another one: what lies above which does not change.
    pub moves: Mutex<()>,
    /// AG from which the next allocation without a preference starts.
    pub next_ag: AtomicU64,
    /// Whether the marks that quota was counted are gone.
    pub quota_uncounted: Mutex<bool>,
    /// What becomes of chunks of inodes that nobody uses.
    pub empty_chunks: EmptyChunks,
    /// Journal bytes that a transaction may take at most.
    pub largest_transaction: u64,
}

impl Core {
    /// The AG `number`; numbers come from checked conversions.
    pub fn ag(&self, number: AgNumber) -> &Ag {
        &self.ags[number.0 as usize]
    }

    /// UUID that metadata blocks carry.
    pub fn meta_uuid(&self) -> [u8; 16] {
        self.superblock.meta_uuid
    }

    /// A metadata block of AG `ag`, owned by the AG.
    pub fn ag_block(&self, ag: AgNumber, block: AgBlock, kind: BlockKind) -> BlockRef {
        let length = self.geometry.block_size() as u32;
        let addr = self.geometry.addr(ag, block);
        BlockRef { addr, length, kind, owner: Some(u64::from(ag.0)) }
    }

    /// Header sector of AG `ag`: superblock, AGF, AGI or AGFL by `kind`.
    pub fn header(&self, ag: AgNumber, kind: BlockKind) -> BlockRef {
        let index = match kind {
            BlockKind::Superblock => 0,
            BlockKind::Agf => 1,
            BlockKind::Agi => 2,
            BlockKind::Agfl => 3,
            other => panic!("{other:?} is not an AG header"),
        };
        let length = self.geometry.sector_size() as u32;
        let addr = self.geometry.header_addr(ag, index);
        BlockRef { addr, length, kind, owner: Some(u64::from(ag.0)) }
    }

    /// A metadata block of an inode's fork; `None` outside the volume.
    pub fn file_block(&self, block: FsBlock, kind: BlockKind, owner: u64) -> Option<BlockRef> {
        let addr: DiskAddr = self.geometry.addr_of(block)?;
        let length = self.geometry.block_size() as u32;
        Some(BlockRef { addr, length, kind, owner: Some(owner) })
    }

    /// Makes all freed blocks available: those of transactions that are not durable yet are not.
    pub fn settle_busy(&self) -> Result<()> {
        Ok(self.store.force_all()?)
    }

    /// Waits until no crash can give blocks that `inode` writes in place back to a sharer or to
    /// another place of a file.
    pub fn settle_moved(&self, inode: &Inode) -> Result<()> {
        Ok(self.store.force(self.moved(inode)?)?)
    }

    /// Whether [`Core::settle_moved`] would wait for nothing.
    pub fn is_moved_settled(&self, inode: &Inode) -> Result<bool> {
        Ok(self.store.is_durable(self.moved(inode)?))
    }

    /// The last checkpoint that a crash must not undo once `inode` is written in place.
    fn moved(&self, inode: &Inode) -> Result<Sequence> {
        let unshared = match inode.core()?.is_reflink() {
            true => self.unshared.load(Ordering::Acquire),
            false => 0,
        };
        Ok(Sequence(unshared).max(inode.moved()))
    }

    /// Blocks that come free when all that is committed is durable, over all AGs.
    pub fn busy_blocks(&self) -> u64 {
        let busy = |ag: &Ag| {
            let busy = u64::from(ag.held.lock().busy());
            busy + ag.later.lock().blocks_given() + u64::from(ag.growth.load(Ordering::Relaxed))
        };
        self.ags.iter().map(busy).sum()
    }
}
