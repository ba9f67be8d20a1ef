//! Sizes that follow from the superblock: heights and worst sizes of btrees, lengths of free lists,
//! blocks kept in reserve, how inode chunks lie, where the root directory must be. Facts of what
//! Linux 6.18 does (xfs_btree.c, xfs_alloc.c, xfs_ag_resv.c, xfs_ialloc.c), in own code.

mod log;
#[cfg(test)]
mod tests;

pub use log::LARGEST_RECORD;

use crate::btree::{BtreeKind, root};
use crate::features::Features;
use crate::geometry::Geometry;
use crate::inode::{InodeFlags2, max_extents};
use crate::records::{Fork, INODES_PER_CHUNK};
use crate::superblock::Superblock;
use crate::units::*;

/// Blocks of each AG that are withheld from users so that an empty free list can be filled.
const FREE_LIST_RESERVE: u64 = 4;
/// Blocks of each AG that are withheld from users so that a bmbt can split.
const BMBT_SPLIT_RESERVE: u64 = 4;
/// Most blocks of the pool that serves requests after free space has run out.
const LARGEST_POOL: u64 = 8192;

/// Sizes that follow from a superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    geometry: Geometry,
    features: Features,
    /// Alignment of inode chunks in blocks; 0 for none.
    inode_align: u32,
    /// Alignment of sparse chunks in blocks; 0 without them.
    sparse_align: u32,
    /// Stripe unit in blocks.
    stripe_unit: u32,
    inode_percent: u8,
}

/// How inodes lie on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InodeLayout {
    /// Blocks of one inode cluster, the unit in which inodes are read and written.
    pub cluster_blocks: u32,
    /// Inodes of one cluster.
    pub cluster_inodes: u32,
    /// Alignment of clusters in blocks; 1 for none.
    pub cluster_align: u32,
    /// Blocks that one allocation of inodes takes.
    pub chunk_blocks: u32,
    /// Inodes that one allocation makes: 64, or a block's worth where that is more.
    pub chunk_inodes: u32,
    /// Fewest blocks that one allocation may take: fewer than `chunk_blocks` with sparse inodes.
    pub smallest_chunk_blocks: u32,
    /// Alignment in blocks that new chunks get: that of clusters, or the stripe unit where it is a
    /// multiple.
    pub chunk_align: u32,
    /// Most inodes of the volume; `None` without limit.
    pub most_inodes: Option<u64>,
}

/// Levels of the trees that draw on a free list, as its AGF says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeListLevels {
    /// Levels of the bnobt.
    pub bnobt: u16,
    /// Levels of the cntbt.
    pub cntbt: u16,
    /// Levels of the rmapbt; 0 without one.
    pub rmapbt: u16,
}

/// What the free lists of a volume need: enough for each tree to split at every level and grow one,
/// twice over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeListNeed {
    /// Most levels that the trees can have.
    most: FreeListLevels,
}

impl FreeListNeed {
    /// Fewest blocks that a free list must hold where the trees have `levels`.
    pub fn needed(&self, levels: FreeListLevels) -> u32 {
        let need = |levels: u16, most: u16| u32::from((levels + 1).min(most)) * 2 - 2;
        let rmap = match self.most.rmapbt {
            0 => 0,
            most => need(levels.rmapbt.max(1), most),
        };
        need(levels.bnobt, self.most.bnobt) + need(levels.cntbt, self.most.cntbt) + rmap
    }
}

/// Blocks of an AG that are kept for the growth of one btree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserve {
    /// Most blocks that the tree can grow to; at least what it has.
    pub wanted: u32,
    /// Blocks that it has.
    pub used: u32,
}

impl Reserve {
    fn new(wanted: u64, used: u32) -> Self {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        Self { wanted: wanted.max(used), used }
    }
    /// Blocks that must stay free for the tree to grow.
    pub fn unused(self) -> u32 {
        self.wanted - self.used
    }
}

impl Superblock {
    /// Sizes that follow from this superblock.
    pub fn limits(&self) -> Limits {
        Limits {
            geometry: self.geometry.clone(),
            features: self.features,
            inode_align: self.inode_align,
            sparse_align: self.sparse_align,
            stripe_unit: self.stripe_unit,
            inode_percent: self.inode_percent,
        }
    }
}

impl Limits {
    /// Fewest records of a leaf and entries of a node, roots aside.
    fn fewest(&self, kind: BtreeKind) -> (u64, u64) {
        let size = self.geometry.block_size();
        (kind.min_records(size, 0) as u64, kind.min_records(size, 1) as u64)
    }
    /// Levels of a tree of `kind` with `records` records, as sparsely filled as may be.
    pub fn levels_for(&self, kind: BtreeKind, records: u64) -> u16 {
        let (leaf, node) = self.fewest(kind);
        let (mut blocks, mut levels) = (records.div_ceil(leaf), 1);
        while blocks > 1 {
            blocks = blocks.div_ceil(node);
            levels += 1;
        }
        levels
    }
    /// Blocks of a tree of `kind` with `records` records, as sparsely filled as may be.
    pub fn blocks_for(&self, kind: BtreeKind, records: u64) -> u64 {
        let (leaf, node) = self.fewest(kind);
        let mut level = records.div_ceil(leaf);
        let mut total = level;
        while level > 1 {
            level = level.div_ceil(node);
            total += level;
        }
        total
    }
    /// Most levels that a tree of `kind` can have on this volume. For the bmbt that of a data fork
    /// (see [`Limits::bmbt_levels`]).
    pub fn max_levels(&self, kind: BtreeKind) -> u16 {
        let ag_blocks = u64::from(self.geometry.ag_blocks);
        match kind {
            BtreeKind::Bnobt | BtreeKind::Cntbt => self.levels_for(kind, ag_blocks.div_ceil(2)),
            BtreeKind::Inobt | BtreeKind::Finobt => {
                let bits = self.geometry.ag_block_log + self.geometry.inodes_per_block_log;
                self.levels_for(kind, (1u64 << bits) / u64::from(INODES_PER_CHUNK))
            }
            // With reflink a block may have any number of owners: the space is the limit.
            BtreeKind::Rmapbt if self.features.has_reflink() => self.levels_in(kind, ag_blocks),
            BtreeKind::Rmapbt | BtreeKind::Refcountbt => self.levels_for(kind, ag_blocks),
            BtreeKind::Bmbt => self.bmbt_levels(Fork::Data),
        }
    }
    /// Most levels of a tree whose leaves fill `blocks` blocks, the root with two entries alone.
    fn levels_in(&self, kind: BtreeKind, blocks: u64) -> u16 {
        let (_, node) = self.fewest(kind);
        let (mut level, mut left, mut levels) = (2u64, blocks.saturating_sub(1), 1);
        while level < left {
            left -= level;
            level = level.saturating_mul(node);
            levels += 1;
        }
        levels
    }
    /// Most levels of the bmbt of a fork, the root in the inode counted.
    pub fn bmbt_levels(&self, fork: Fork) -> u16 {
        let flags2 = match self.features.has_nrext64() {
            true => InodeFlags2::NREXT64,
            false => InodeFlags2::default(),
        };
        // The smallest roots that Linux keeps room for: three entries, two of attributes.
        let in_root = match fork {
            Fork::Data => root::max_records(root::size_for(3)),
            Fork::Attr => root::max_records(root::size_for(2)),
        } as u64;
        let (leaf, node) = self.fewest(BtreeKind::Bmbt);
        let (mut blocks, mut levels) = (max_extents(fork, flags2).div_ceil(leaf), 1);
        while blocks > 1 {
            blocks = if blocks <= in_root { 1 } else { blocks.div_ceil(node) };
            levels += 1;
        }
        levels
    }
    /// Fewest blocks that a free list must hold before blocks of its AG are taken or freed.
    pub fn free_list_needed(&self, levels: FreeListLevels) -> u32 {
        self.free_list().needed(levels)
    }
    /// What a free list needs, for who asks often.
    pub fn free_list(&self) -> FreeListNeed {
        let rmapbt = match self.features.has_rmapbt() {
            true => self.max_levels(BtreeKind::Rmapbt),
            false => 0,
        };
        let (bnobt, cntbt) = (self.max_levels(BtreeKind::Bnobt), self.max_levels(BtreeKind::Cntbt));
        FreeListNeed { most: FreeListLevels { bnobt, cntbt, rmapbt } }
    }
    /// Blocks of the volume that free-space counts do not offer to users: for filling free lists
    /// and splitting bmbts.
    pub fn set_aside(&self) -> u64 {
        u64::from(self.geometry.ag_count) * (FREE_LIST_RESERVE + BMBT_SPLIT_RESERVE)
    }
    /// Blocks of the pool that serves what must not fail when free space has run out.
    pub fn reserve_pool(&self) -> u64 {
        (self.geometry.data_blocks / 20).min(LARGEST_POOL)
    }
    /// Longest extent that can be taken from an empty AG, its reserves not counted.
    pub fn most_usable(&self) -> u32 {
        let headers = (4 * self.geometry.sector_size()).div_ceil(self.geometry.block_size()) as u32;
        let optional = u32::from(self.features.has_finobt())
            + u32::from(self.features.has_rmapbt())
            + u32::from(self.features.has_reflink());
        self.geometry.ag_blocks - headers - FREE_LIST_RESERVE as u32 - 3 - optional
    }
    /// Blocks of `ag` that can hold anything but the log.
    fn blocks_beside_log(&self, ag: AgNumber) -> u64 {
        let blocks = u64::from(self.geometry.blocks_of(ag));
        let internal = self.geometry.log_start != FsBlock(0);
        let log_ag = self.geometry.split(self.geometry.log_start).map(|(ag, _)| ag);
        match internal && log_ag == Some(ag) {
            true => blocks.saturating_sub(self.geometry.log_blocks.into()),
            false => blocks,
        }
    }
    /// Reserve for the refcountbt of `ag`, which has `used` blocks.
    pub fn refcount_reserve(&self, ag: AgNumber, used: u32) -> Reserve {
        if !self.features.has_reflink() {
            return Reserve::default();
        }
        let records = self.blocks_beside_log(ag);
        Reserve::new(self.blocks_for(BtreeKind::Refcountbt, records), used)
    }
    /// Reserve for the rmapbt of `ag`, which has `used` blocks: a hundredth of the AG or a record
    /// a block, whichever is more. Its blocks come from the free list and count as free.
    pub fn rmap_reserve(&self, ag: AgNumber, used: u32) -> Reserve {
        if !self.features.has_rmapbt() {
            return Reserve::default();
        }
        let blocks = self.blocks_beside_log(ag);
        let by_records = self.blocks_for(BtreeKind::Rmapbt, blocks);
        Reserve::new(by_records.max(blocks / 100), used)
    }
    /// Reserve for the finobt of `ag`, which has `used` blocks.
    pub fn finobt_reserve(&self, ag: AgNumber, used: u32) -> Reserve {
        if !self.features.has_finobt() {
            return Reserve::default();
        }
        let inodes = self.blocks_beside_log(ag) << self.geometry.inodes_per_block_log;
        let records = inodes / u64::from(INODES_PER_CHUNK);
        Reserve::new(self.blocks_for(BtreeKind::Finobt, records), used)
    }
    /// How inodes lie.
    pub fn inode_layout(&self) -> InodeLayout {
        let per_block = self.geometry.inodes_per_block();
        let cluster_blocks = self.cluster_blocks();
        let align = self.inode_align;
        let cluster_align = if align >= cluster_blocks { align } else { 1 }.max(1);
        let chunk_inodes = INODES_PER_CHUNK.max(per_block);
        let chunk_blocks = chunk_inodes / per_block;
        let striped = cluster_align > 1
            && self.stripe_unit != 0
            && self.stripe_unit.is_multiple_of(cluster_align);
        InodeLayout {
            cluster_blocks,
            cluster_inodes: cluster_blocks * per_block,
            cluster_align,
            chunk_blocks,
            chunk_inodes,
            smallest_chunk_blocks: if self.sparse_align == 0 {
                chunk_blocks
            } else {
                self.sparse_align
            },
            chunk_align: if striped { self.stripe_unit } else { cluster_align },
            most_inodes: self.most_inodes(chunk_blocks),
        }
    }
    /// Clusters hold 8 KiB of 256-byte inodes, and as many inodes where inodes are larger, if
    /// chunks are aligned for it.
    fn cluster_blocks(&self) -> u32 {
        let (small, block_log) = (8192u32, self.geometry.block_log);
        let scaled = small << (self.geometry.inode_log - 8);
        let size = if self.inode_align >= scaled >> block_log { scaled } else { small };
        (size >> block_log).max(1)
    }
    fn most_inodes(&self, chunk_blocks: u32) -> Option<u64> {
        let percent = u128::from(self.inode_percent);
        if percent == 0 {
            return None;
        }
        let blocks = (u128::from(self.geometry.data_blocks) * percent / 100) as u64;
        let whole = blocks / u64::from(chunk_blocks) * u64::from(chunk_blocks);
        Some(whole << self.geometry.inodes_per_block_log)
    }
    /// Where mkfs puts the root directory and xfs_repair looks for it: the first inode of the first
    /// chunk after the headers, roots and first free list of AG 0 (and the log, if it is there).
    pub fn root_ino(&self) -> Ino {
        let headers = (4 * self.geometry.sector_size()).div_ceil(self.geometry.block_size()) as u32;
        let optional = u32::from(self.features.has_finobt())
            + u32::from(self.features.has_rmapbt())
            + u32::from(self.features.has_reflink());
        let log_ag = self.geometry.split(self.geometry.log_start).map(|(ag, _)| ag);
        let internal = self.geometry.log_start != FsBlock(0);
        let log = match internal && log_ag == Some(AgNumber(0)) {
            true => self.geometry.log_blocks,
            false => 0,
        };
        let first = headers + 3 + self.first_free_list() + optional + log;
        let layout = self.inode_layout();
        let first = match layout.chunk_align == self.stripe_unit && self.stripe_unit != 0 {
            true => first.next_multiple_of(self.stripe_unit),
            false => first.next_multiple_of(self.inode_align.max(1)),
        };
        self.geometry.ino(AgNumber(0), self.geometry.first_ino(AgBlock(first)))
    }
    /// Blocks that mkfs puts on the free list of an empty AG: two for each tree that can have a
    /// second level, one for each that cannot.
    pub fn first_free_list(&self) -> u32 {
        let blocks = |kind| u32::from(self.max_levels(kind).min(2));
        let rmap = if self.features.has_rmapbt() { blocks(BtreeKind::Rmapbt) } else { 0 };
        blocks(BtreeKind::Bnobt) + blocks(BtreeKind::Cntbt) + rmap
    }
}
