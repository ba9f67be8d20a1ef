//! Records of every tree from small numbers, so that the same sequences run over all seven.

use crate::btree::*;
use untorn_format::records::*;
use untorn_format::{AgBlock, AgIno, FileBlock, FsBlock, Ino};

/// A tree whose records can be made from numbers.
pub(super) trait Sample: TreeKind {
    /// The tree.
    fn kind() -> Self;
    /// Record `at` (its rank rises with `at`, at most 2^20), with details by `variant`.
    fn record(at: u32, variant: u32) -> Self::Record;
    /// Bytes of fork for trees whose root lies in one.
    const FORK: Option<usize> = None;
}

impl Sample for ByBlock {
    fn kind() -> Self {
        Self
    }
    fn record(at: u32, variant: u32) -> AllocRec {
        AllocRec { start: AgBlock(at * 64), length: 1 + variant % 64 }
    }
}

impl Sample for ByLength {
    fn kind() -> Self {
        Self
    }
    fn record(at: u32, _variant: u32) -> AllocRec {
        AllocRec { start: AgBlock((at % 16) * 64), length: 1 + at / 16 }
    }
}

fn chunk(at: u32, variant: u32) -> InobtRec {
    let free = u64::from(variant).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let free_count = free.count_ones() as u8;
    InobtRec { start: AgIno(at * 64), holes: 0, count: 64, free_count, free }
}

impl Sample for Chunks {
    fn kind() -> Self {
        Self(ChunkForm::Full)
    }
    fn record(at: u32, variant: u32) -> InobtRec {
        chunk(at, variant)
    }
}

impl Sample for FreeChunks {
    fn kind() -> Self {
        Self(ChunkForm::Sparse)
    }
    fn record(at: u32, variant: u32) -> InobtRec {
        chunk(at, variant)
    }
}

impl Sample for Rmaps {
    fn kind() -> Self {
        Self
    }
    /// Records overlap: four owners for each start, lengths reach over the following ones.
    fn record(at: u32, variant: u32) -> RmapRec {
        let state = match variant % 3 {
            0 => ExtentState::Unwritten,
            _ => ExtentState::Written,
        };
        RmapRec {
            start: AgBlock(at / 4 * 8),
            length: 1 + variant.wrapping_mul(2_654_435_761)
                % if variant.is_multiple_of(7) { 900 } else { 16 },
            owner: RmapOwner::Inode(Ino(100 + u64::from(at % 4))),
            offset: FileBlock(u64::from(variant % 5)),
            fork: Fork::Data,
            role: RmapRole::Mapped,
            state,
        }
    }
}

impl Sample for Refcounts {
    fn kind() -> Self {
        Self
    }
    fn record(at: u32, variant: u32) -> RefcountRec {
        let (domain, refs) = match at >> 17 {
            0 => (RefcountDomain::Shared, variant.max(2)),
            _ => (RefcountDomain::Cow, 1),
        };
        RefcountRec { domain, start: AgBlock((at & 0x1ffff) * 16), length: 1 + variant % 16, refs }
    }
}

impl Sample for Extents {
    fn kind() -> Self {
        Self
    }
    fn record(at: u32, variant: u32) -> Extent {
        Extent {
            file: FileBlock(u64::from(at) * 8),
            start: FsBlock(u64::from(variant) * 8 + 1),
            length: 1 + variant % 8,
            state: if variant.is_multiple_of(2) {
                ExtentState::Written
            } else {
                ExtentState::Unwritten
            },
        }
    }
    const FORK: Option<usize> = Some(4 + 16 * 5);
}
