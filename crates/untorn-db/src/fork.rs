//! The extents of a fork, read from the bytes of an inode and the blocks below it as far as they
//! can be read.
//!
//! Invariants: no block is read twice, no deeper than a tree can be: a fork that points at itself
//! ends the walk.

use crate::place::Volume;
use crate::{Result, refuse};
use std::collections::HashSet;
use std::mem::offset_of;
use untorn_format::btree::{BtreeKind, LongHeader, MAX_LEVELS, root};
use untorn_format::inode::{DinodeDisk, fork_range};
use untorn_format::wire::{be16, be64};
use untorn_format::{Fork, FsBlock};

/// A run of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First block of the file.
    pub offset: u64,
    /// First block of the volume.
    pub start: FsBlock,
    /// Blocks.
    pub count: u64,
    /// Whether it was never written: 1, or 0.
    pub flag: u64,
}

/// The runs of a fork of an inode, in the order in which they were found.
pub fn runs(volume: &Volume<'_>, inode: &[u8], fork: Fork) -> Result<Vec<Run>> {
    let Ok(core) = DinodeDisk::of(inode) else { return refuse("the inode is cut short") };
    if fork == Fork::Attr && core.forkoff == 0 {
        return Ok(Vec::new());
    }
    let range =
        fork_range(volume.shape.version.min(3).max(core.version), core.forkoff, inode.len(), fork);
    let bytes = inode.get(range).unwrap_or_default();
    let format = if fork == Fork::Data { core.format } else { core.aformat };
    match format {
        2 => Ok(records(bytes, extents(core, fork))),
        3 => tree(volume, bytes),
        _ => Ok(Vec::new()),
    }
}

/// Byte of the volume where a block of the file begins; `None` where it is not mapped inside.
pub fn byte_of(volume: &Volume<'_>, runs: &[Run], block: u64) -> Option<u64> {
    let geometry = &volume.shape.geometry;
    let holds = |run: &&Run| run.offset <= block && block - run.offset < run.count;
    let run = runs.iter().find(holds)?;
    let addr = geometry.addr_of(run.start.checked_add(block - run.offset)?)?;
    Some(geometry.byte_of(addr))
}

fn extents(core: &DinodeDisk, fork: Fork) -> usize {
    let is_large = core.flags2.get() >> 4 & 1 == 1;
    let count = match (fork, is_large) {
        (Fork::Data, true) => core.big_nextents.get(),
        (Fork::Data, false) | (Fork::Attr, true) => core.nextents.get().into(),
        (Fork::Attr, false) => core.anextents.get().into(),
    };
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn records(bytes: &[u8], count: usize) -> Vec<Run> {
    bytes.chunks_exact(16).take(count).filter_map(record).collect()
}

/// Flag, 54 bits of file block, 52 of block, 21 of length.
fn record(bytes: &[u8]) -> Option<Run> {
    let (high, low) = (be64(bytes, 0)?, be64(bytes, 8)?);
    Some(Run {
        offset: high << 1 >> 10,
        start: FsBlock((high & 0x1ff) << 43 | low >> 21),
        count: low & 0x1f_ffff,
        flag: high >> 63,
    })
}

fn tree(volume: &Volume<'_>, fork: &[u8]) -> Result<Vec<Run>> {
    let entries = usize::from(be16(fork, 2).unwrap_or(0)).min(root::max_records(fork.len()));
    let children = (0..entries).filter_map(|i| be64(fork, root::pointer_offset(fork.len(), i)));
    let mut walk = Walk { volume, seen: HashSet::new(), runs: Vec::new() };
    for child in children {
        walk.below(FsBlock(child), MAX_LEVELS.into())?;
    }
    Ok(walk.runs)
}

struct Walk<'a> {
    volume: &'a Volume<'a>,
    seen: HashSet<u64>,
    runs: Vec<Run>,
}

impl Walk<'_> {
    fn below(&mut self, block: FsBlock, depth: usize) -> Result<()> {
        let geometry = &self.volume.shape.geometry;
        let Some(addr) = geometry.addr_of(block) else { return Ok(()) };
        if depth == 0 || !self.seen.insert(block.0) {
            return Ok(());
        }
        let bytes = self.volume.read(geometry.byte_of(addr), geometry.block_size())?;
        let level = be16(&bytes, offset_of!(LongHeader, level)).unwrap_or(0);
        let count = usize::from(be16(&bytes, offset_of!(LongHeader, numrecs)).unwrap_or(0));
        let kind = BtreeKind::Bmbt;
        if level == 0 {
            let from = bytes.get(kind.record_offset(0)..).unwrap_or_default();
            self.runs.extend(records(from, count));
            return Ok(());
        }
        let pointer = |i| be64(&bytes, kind.pointer_offset(bytes.len(), i));
        let children: Vec<_> =
            (0..count.min(kind.max_records(bytes.len(), level))).filter_map(pointer).collect();
        children.into_iter().try_for_each(|child| self.below(FsBlock(child), depth - 1))
    }
}
