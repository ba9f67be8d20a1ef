//! The seven trees: their records, what orders them, and their bytes.

use untorn_format::btree::BtreeKind;
use untorn_format::records::{
    AllocRec, ChunkForm, Extent, InobtRec, RefcountDomain, RefcountRec, RmapKey, RmapRec, rank,
};
use untorn_format::{AgBlock, AgIno, Fault, FileBlock};

/// What bytes of a node are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A record of a leaf.
    Record,
    /// A key of another node.
    Key,
}

/// Which tree it is, with what a volume's features say about its records.
pub trait TreeKind: Copy {
    /// The tree's name on disk.
    const KIND: BtreeKind;
    /// What a leaf holds.
    type Record: Copy + PartialEq + std::fmt::Debug;
    /// What orders records. No two records of a tree have the same.
    type Rank: Copy + Ord + std::fmt::Debug;

    /// The rank of a record.
    fn rank(record: &Self::Record) -> Self::Rank;
    /// The rank of a record from its bytes.
    fn rank_of_record(bytes: &[u8]) -> Self::Rank;
    /// The rank of a key from its bytes.
    fn rank_of_key(bytes: &[u8]) -> Self::Rank;
    /// Where a rank lies among others, as a number that rises with it; 0 where ranks are spread too
    /// unevenly to guess.
    fn number(_rank: Self::Rank) -> u64 {
        0
    }
    /// Whether the record, or the highest key, in `bytes` surely ends before `low`: a quick look,
    /// for the many that a search passes. Only in trees with highest keys.
    fn ends_before(_bytes: &[u8], _of: Part, _low: &Self::Rank) -> bool {
        false
    }
    /// The record in `bytes`.
    fn decode(self, bytes: &[u8]) -> Result<Self::Record, Fault>;
    /// Writes `record` to `bytes`, which have the size of a record.
    fn encode(self, record: &Self::Record, bytes: &mut [u8]);
}

/// Free space by block (bnobt).
#[derive(Clone, Copy, Debug)]
pub struct ByBlock;

impl TreeKind for ByBlock {
    const KIND: BtreeKind = BtreeKind::Bnobt;
    type Record = AllocRec;
    type Rank = AgBlock;

    fn rank(record: &AllocRec) -> AgBlock {
        record.start
    }
    fn rank_of_record(bytes: &[u8]) -> AgBlock {
        rank::block(bytes)
    }
    fn rank_of_key(bytes: &[u8]) -> AgBlock {
        rank::block(bytes)
    }
    fn number(rank: AgBlock) -> u64 {
        rank.0.into()
    }
    fn decode(self, bytes: &[u8]) -> Result<AllocRec, Fault> {
        AllocRec::decode(bytes)
    }
    fn encode(self, record: &AllocRec, bytes: &mut [u8]) {
        bytes.copy_from_slice(&record.encode());
    }
}

/// Free space by length, then block (cntbt).
#[derive(Clone, Copy, Debug)]
pub struct ByLength;

impl TreeKind for ByLength {
    const KIND: BtreeKind = BtreeKind::Cntbt;
    type Record = AllocRec;
    type Rank = (u32, AgBlock);

    fn rank(record: &AllocRec) -> Self::Rank {
        (record.length, record.start)
    }
    fn rank_of_record(bytes: &[u8]) -> Self::Rank {
        rank::length_and_block(bytes)
    }
    fn rank_of_key(bytes: &[u8]) -> Self::Rank {
        rank::length_and_block(bytes)
    }
    fn decode(self, bytes: &[u8]) -> Result<AllocRec, Fault> {
        AllocRec::decode(bytes)
    }
    fn encode(self, record: &AllocRec, bytes: &mut [u8]) {
        bytes.copy_from_slice(&record.encode());
    }
}

/// Inode chunks (inobt).
#[derive(Clone, Copy, Debug)]
pub struct Chunks(pub ChunkForm);

/// Inode chunks that have free inodes (finobt).
#[derive(Clone, Copy, Debug)]
pub struct FreeChunks(pub ChunkForm);

macro_rules! chunk_tree {
    ($name:ident, $kind:expr) => {
        impl TreeKind for $name {
            const KIND: BtreeKind = $kind;
            type Record = InobtRec;
            type Rank = AgIno;

            fn rank(record: &InobtRec) -> AgIno {
                record.start
            }
            fn rank_of_record(bytes: &[u8]) -> AgIno {
                rank::inode(bytes)
            }
            fn rank_of_key(bytes: &[u8]) -> AgIno {
                rank::inode(bytes)
            }
            fn decode(self, bytes: &[u8]) -> Result<InobtRec, Fault> {
                InobtRec::decode(bytes, self.0)
            }
            fn encode(self, record: &InobtRec, bytes: &mut [u8]) {
                bytes.copy_from_slice(&record.encode(self.0));
            }
        }
    };
}
chunk_tree!(Chunks, BtreeKind::Inobt);
chunk_tree!(FreeChunks, BtreeKind::Finobt);

/// Reverse mappings (rmapbt). Records may overlap; nodes carry highest keys.
#[derive(Clone, Copy, Debug)]
pub struct Rmaps;

impl TreeKind for Rmaps {
    const KIND: BtreeKind = BtreeKind::Rmapbt;
    type Record = RmapRec;
    type Rank = RmapKey;

    fn rank(record: &RmapRec) -> RmapKey {
        record.low_key()
    }
    fn rank_of_record(bytes: &[u8]) -> RmapKey {
        rank::rmap_record(bytes)
    }
    fn rank_of_key(bytes: &[u8]) -> RmapKey {
        rank::rmap_key(bytes)
    }
    fn ends_before(bytes: &[u8], of: Part, low: &RmapKey) -> bool {
        let first = rank::block(bytes).0;
        let blocks = match of {
            Part::Record => rank::block(&bytes[4..]).0.max(1),
            Part::Key => 1,
        };
        u64::from(first) + u64::from(blocks) <= u64::from(low.start.0)
    }
    fn number(rank: RmapKey) -> u64 {
        rank.start.0.into()
    }
    fn decode(self, bytes: &[u8]) -> Result<RmapRec, Fault> {
        RmapRec::decode(bytes)
    }
    fn encode(self, record: &RmapRec, bytes: &mut [u8]) {
        bytes.copy_from_slice(&record.encode());
    }
}

/// Reference counts (refcountbt): shared blocks by block, then those staged for copy-on-write.
#[derive(Clone, Copy, Debug)]
pub struct Refcounts;

impl TreeKind for Refcounts {
    const KIND: BtreeKind = BtreeKind::Refcountbt;
    type Record = RefcountRec;
    type Rank = (RefcountDomain, AgBlock);

    fn rank(record: &RefcountRec) -> Self::Rank {
        (record.domain, record.start)
    }
    fn rank_of_record(bytes: &[u8]) -> Self::Rank {
        rank::domain_and_block(bytes)
    }
    fn rank_of_key(bytes: &[u8]) -> Self::Rank {
        rank::domain_and_block(bytes)
    }
    fn decode(self, bytes: &[u8]) -> Result<RefcountRec, Fault> {
        RefcountRec::decode(bytes)
    }
    fn encode(self, record: &RefcountRec, bytes: &mut [u8]) {
        bytes.copy_from_slice(&record.encode());
    }
}

/// Extents of one fork of a file (bmbt).
#[derive(Clone, Copy, Debug)]
pub struct Extents;

impl TreeKind for Extents {
    const KIND: BtreeKind = BtreeKind::Bmbt;
    type Record = Extent;
    type Rank = FileBlock;

    fn rank(record: &Extent) -> FileBlock {
        record.file
    }
    fn rank_of_record(bytes: &[u8]) -> FileBlock {
        rank::extent(bytes)
    }
    fn rank_of_key(bytes: &[u8]) -> FileBlock {
        rank::file_block(bytes)
    }
    fn number(rank: FileBlock) -> u64 {
        rank.0
    }
    fn decode(self, bytes: &[u8]) -> Result<Extent, Fault> {
        Extent::decode(bytes)
    }
    fn encode(self, record: &Extent, bytes: &mut [u8]) {
        bytes.copy_from_slice(&record.encode());
    }
}
