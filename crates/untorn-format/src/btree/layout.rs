//! Sizes and offsets inside btree blocks, as pure functions of kind and block size.

use crate::kind::BlockKind;
use crate::records::*;
use crate::wire::{be32, be64};
use std::cmp::Ordering;

/// More levels than any btree of any volume has.
pub const MAX_LEVELS: u16 = 16;

/// One of the seven btrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BtreeKind {
    /// Free space by block.
    Bnobt,
    /// Free space by length.
    Cntbt,
    /// Inode chunks.
    Inobt,
    /// Inode chunks with free inodes.
    Finobt,
    /// Reverse mappings.
    Rmapbt,
    /// Reference counts.
    Refcountbt,
    /// File extents.
    Bmbt,
}

impl BtreeKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Bnobt,
        Self::Cntbt,
        Self::Inobt,
        Self::Finobt,
        Self::Rmapbt,
        Self::Refcountbt,
        Self::Bmbt,
    ];

    /// The name of the tree as the field says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bnobt => "bnobt",
            Self::Cntbt => "cntbt",
            Self::Inobt => "inobt",
            Self::Finobt => "finobt",
            Self::Rmapbt => "rmapbt",
            Self::Refcountbt => "refcountbt",
            Self::Bmbt => "bmbt",
        }
    }
    /// Magic number of its blocks on v5 volumes.
    pub fn magic(self) -> u32 {
        u32::from_be_bytes(*match self {
            Self::Bnobt => b"AB3B",
            Self::Cntbt => b"AB3C",
            Self::Inobt => b"IAB3",
            Self::Finobt => b"FIB3",
            Self::Rmapbt => b"RMB3",
            Self::Refcountbt => b"R3FC",
            Self::Bmbt => b"BMA3",
        })
    }
    /// The kind whose blocks carry `magic`.
    pub fn from_magic(magic: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.magic() == magic)
    }
    /// The kind of buffer that its blocks are.
    pub fn block_kind(self) -> BlockKind {
        match self {
            Self::Bnobt => BlockKind::Bnobt,
            Self::Cntbt => BlockKind::Cntbt,
            Self::Inobt => BlockKind::Inobt,
            Self::Finobt => BlockKind::Finobt,
            Self::Rmapbt => BlockKind::Rmapbt,
            Self::Refcountbt => BlockKind::Refcountbt,
            Self::Bmbt => BlockKind::Bmbt,
        }
    }
    /// The btree of a kind of buffer; `None` for buffers that are not btree blocks.
    pub fn of_block(kind: BlockKind) -> Option<Self> {
        Self::ALL.into_iter().find(|btree| btree.block_kind() == kind)
    }
    /// Whether blocks point with 64 bits across the volume (the bmbt alone) instead of 32 within
    /// the AG.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Bmbt)
    }
    /// Bytes of the header of a block.
    pub const fn header_size(self) -> usize {
        if self.is_long() { 72 } else { 56 }
    }
    /// Bytes of a record.
    pub const fn record_size(self) -> usize {
        match self {
            Self::Bnobt | Self::Cntbt => AllocRec::SIZE,
            Self::Inobt | Self::Finobt => InobtRec::SIZE,
            Self::Rmapbt => RmapRec::SIZE,
            Self::Refcountbt => RefcountRec::SIZE,
            Self::Bmbt => Extent::SIZE,
        }
    }
    /// Bytes of one key.
    pub const fn key_size(self) -> usize {
        match self {
            Self::Bnobt | Self::Cntbt | Self::Bmbt => 8,
            Self::Inobt | Self::Finobt | Self::Refcountbt => 4,
            Self::Rmapbt => RmapKey::SIZE,
        }
    }
    /// Keys that stand in a node for each pointer: two (lowest, highest) where records may overlap.
    pub const fn keys_per_pointer(self) -> usize {
        if self.has_high_keys() { 2 } else { 1 }
    }
    /// Whether nodes hold a highest key beside each lowest key.
    pub const fn has_high_keys(self) -> bool {
        matches!(self, Self::Rmapbt)
    }
    /// Bytes that a node spends on keys for each pointer.
    pub const fn key_stride(self) -> usize {
        self.key_size() * self.keys_per_pointer()
    }
    /// Bytes of a pointer.
    pub const fn pointer_size(self) -> usize {
        if self.is_long() { 8 } else { 4 }
    }
    /// Most entries of a block of `block_size` bytes at `level` (0 is a leaf).
    pub fn max_records(self, block_size: usize, level: u16) -> usize {
        let room = block_size.saturating_sub(self.header_size());
        match level {
            0 => room / self.record_size(),
            _ => room / (self.key_stride() + self.pointer_size()),
        }
    }
    /// Fewest entries of a block that is not a root.
    pub fn min_records(self, block_size: usize, level: u16) -> usize {
        self.max_records(block_size, level) / 2
    }
    /// Offset in a leaf of record `index`.
    pub fn record_offset(self, index: usize) -> usize {
        self.header_size() + index * self.record_size()
    }
    /// Offset in a node of (lowest) key `index`.
    pub fn key_offset(self, index: usize) -> usize {
        self.header_size() + index * self.key_stride()
    }
    /// Offset in a node of highest key `index`; only where [`BtreeKind::has_high_keys`].
    pub fn high_key_offset(self, index: usize) -> usize {
        assert!(self.has_high_keys());
        self.key_offset(index) + self.key_size()
    }
    /// Offset in a node of `block_size` bytes of pointer `index`.
    pub fn pointer_offset(self, block_size: usize, index: usize) -> usize {
        self.key_offset(self.max_records(block_size, 1)) + index * self.pointer_size()
    }
    /// The lowest key of the record in `record`, written to the start of `key`. Both must have
    /// their full size.
    pub fn key_of(self, record: &[u8], key: &mut [u8]) {
        let size = self.key_size();
        match self {
            Self::Rmapbt => {
                key[..4].copy_from_slice(&record[..4]);
                key[4..20].copy_from_slice(&record[8..24]);
                key[12] &= !(1 << 5); // the unwritten flag is no part of a key
            }
            Self::Bmbt => key[..8].copy_from_slice(&bmbt_key(record).to_be_bytes()),
            _ => key[..size].copy_from_slice(&record[..size]),
        }
    }
    /// The highest key of the record in `record`, written to the start of `key`; only where
    /// [`BtreeKind::has_high_keys`]. Saturates where a hostile record runs past the end.
    pub fn high_key_of(self, record: &[u8], key: &mut [u8]) {
        assert!(self.has_high_keys());
        self.key_of(record, key);
        let last = be32(record, 4).unwrap_or(0).saturating_sub(1);
        let start = be32(key, 0).unwrap_or(0).saturating_add(last);
        key[..4].copy_from_slice(&start.to_be_bytes());
        let (owner, offset) = (be64(key, 4).unwrap_or(0), be64(key, 12).unwrap_or(0));
        let is_bmbt_block = offset >> 62 & 1 == 1;
        if owner >> 63 == 0 && !is_bmbt_block {
            let offset = offset.saturating_add(u64::from(last));
            key[12..20].copy_from_slice(&offset.to_be_bytes());
        }
    }
    /// The order of two keys of full size. Bytes past the key are not looked at.
    pub fn compare_keys(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            // Ordered by block alone.
            Self::Bnobt => a[..4].cmp(&b[..4]),
            // Length first, then block.
            Self::Cntbt => (&a[4..8], &a[..4]).cmp(&(&b[4..8], &b[..4])),
            Self::Rmapbt => rmap_order(a).cmp(&rmap_order(b)),
            _ => a[..self.key_size()].cmp(&b[..self.key_size()]),
        }
    }
}

/// The file block of a packed extent record.
fn bmbt_key(record: &[u8]) -> u64 {
    be64(record, 0).unwrap_or(0) >> 9 & Extent::MAX_FILE_BLOCK.0
}

fn rmap_order(key: &[u8]) -> (u32, u64, u64) {
    let offset = be64(key, 12).unwrap_or(0) & !(1 << 61);
    (be32(key, 0).unwrap_or(0), be64(key, 4).unwrap_or(0), offset)
}
