//! What orders the records of each btree, read from the bytes of a record or a key without
//! decoding the rest: searches look at nothing else. Bytes that end too early read as zero.

use super::{RefcountDomain, RmapKey, RmapRec};
use crate::units::{AgBlock, AgIno, FileBlock};
use crate::wire::{be32, be64};

/// First block of a free extent: order of records and keys of the bnobt.
#[inline]
pub fn block(bytes: &[u8]) -> AgBlock {
    AgBlock(word32(bytes, 0))
}

/// Length and first block of a free extent: order of records and keys of the cntbt.
#[inline]
pub fn length_and_block(bytes: &[u8]) -> (u32, AgBlock) {
    (word32(bytes, 4), AgBlock(word32(bytes, 0)))
}

/// First inode of a chunk: order of records and keys of inobt and finobt.
#[inline]
pub fn inode(bytes: &[u8]) -> AgIno {
    AgIno(word32(bytes, 0))
}

/// Domain and first block: order of records and keys of the refcountbt.
#[inline]
pub fn domain_and_block(bytes: &[u8]) -> (RefcountDomain, AgBlock) {
    let word = word32(bytes, 0);
    let domain = if word >> 31 == 0 { RefcountDomain::Shared } else { RefcountDomain::Cow };
    (domain, AgBlock(word & u32::MAX >> 1))
}

/// Block, owner and flagged offset of a reverse mapping: order of records of the rmapbt.
#[inline]
pub fn rmap_record(bytes: &[u8]) -> RmapKey {
    rmap(word32(bytes, 0), word64(bytes, 8), word64(bytes, 16))
}

/// Order of keys of the rmapbt.
#[inline]
pub fn rmap_key(bytes: &[u8]) -> RmapKey {
    rmap(word32(bytes, 0), word64(bytes, 4), word64(bytes, 12))
}

#[inline]
fn rmap(start: u32, owner: u64, offset: u64) -> RmapKey {
    RmapKey { start: AgBlock(start), owner, offset: offset & !RmapRec::UNWRITTEN }
}

/// First file block of a packed extent: order of records of the bmbt.
#[inline]
pub fn extent(bytes: &[u8]) -> FileBlock {
    FileBlock(word64(bytes, 0) << 1 >> 10)
}

/// First file block of a key of the bmbt.
#[inline]
pub fn file_block(bytes: &[u8]) -> FileBlock {
    FileBlock(word64(bytes, 0))
}

#[inline]
fn word32(bytes: &[u8], offset: usize) -> u32 {
    be32(bytes, offset).unwrap_or(0)
}

#[inline]
fn word64(bytes: &[u8], offset: usize) -> u64 {
    be64(bytes, offset).unwrap_or(0)
}
