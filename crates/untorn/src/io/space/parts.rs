//! Plans: what becomes of ranges of blocks, and committing them.
//!
//! A plan is a list of parts in file order that do not overlap. It is committed whole where one
//! transaction can carry it, else in as few transactions as can. Claims belong to their parts:
//! what was not committed goes back to free space when the plan is dropped.

use super::super::blocks::byte_of;
use crate::ag::{Claim, Users, prepare_all, release};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map;
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{AlignedBuffer, WriteRequest};
use untorn_format::inode::{InodeCore, InodeFlags, InodeFlags2};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{AgExtent, FileBlock, FsBlock};

/// What becomes of a range of blocks.
#[derive(Debug)]
pub(super) struct Part {
    /// The blocks of the file.
    pub range: Range<FileBlock>,
    /// What becomes of them.
    pub to: To,
}

/// What blocks of a file become.
#[derive(Debug)]
pub(super) enum To {
    /// Nothing: what they have is let go.
    Hole,
    /// The blocks that are there, none of them shared, no longer count as written.
    Unwritten,
    /// These blocks, as long as the range; what was there is let go.
    Blocks {
        /// The blocks.
        claim: Claim,
        /// Whether they hold the file's bytes.
        state: ExtentState,
    },
}

impl Part {
    /// `range` loses its blocks.
    pub fn hole(range: Range<FileBlock>) -> Self {
        Self { range, to: To::Hole }
    }

    /// The blocks that it brings.
    pub fn claim(&self) -> Option<&Claim> {
        match &self.to {
            To::Blocks { claim, .. } => Some(claim),
            To::Hole | To::Unwritten => None,
        }
    }

    /// The blocks are the file's now.
    fn settle(self) {
        if let To::Blocks { claim, .. } = self.to {
            claim.settle();
        }
    }

    fn apply(&self, tx: &mut Tx<'_>, inode: &Inode, users: Users) -> Result<()> {
        match &self.to {
            To::Unwritten => {
                map::convert(tx, inode.ino, self.range.clone(), ExtentState::Unwritten)
            }
            To::Hole => let_go(tx, inode, &self.range, users),
            To::Blocks { claim, state } => {
                let_go(tx, inode, &self.range, users)?;
                tx.take_claimed(claim.extent())?;
                fill(tx, inode, self.range.start, claim, *state)
            }
        }
    }
}

/// Unmaps `range` and lets go of its blocks.
pub(super) fn let_go(
    tx: &mut Tx<'_>,
    inode: &Inode,
    range: &Range<FileBlock>,
    users: Users,
) -> Result<()> {
    for extent in map::unmap(tx, inode.ino, Fork::Data, range.clone())? {
        let run = tx.core.ag_extent(extent.start, extent.length)?;
        release(tx, run, users)?;
    }
    Ok(())
}

/// Maps claimed blocks from `first` on.
fn fill(
    tx: &mut Tx<'_>,
    inode: &Inode,
    first: FileBlock,
    claim: &Claim,
    state: ExtentState,
) -> Result<()> {
    let count = claim.extent().length;
    let mut done = 0;
    while done < count {
        let length = (count - done).min(Extent::MAX_LENGTH);
        let skip = u64::from(done);
        let (file, start) = (FileBlock(first.0 + skip), FsBlock(claim.block(0).0 + skip));
        map::map(tx, inode.ino, Fork::Data, Extent { file, start, length, state })?;
        done += length;
    }
    Ok(())
}

/// When a plan that takes several transactions changes the size of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Never.
    Keep,
    /// With its first transaction.
    First(u64),
    /// With its last transaction.
    Last(u64),
}

/// What a plan does to the inode besides its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing: nobody sees a difference.
    Nothing,
    /// Times.
    Times,
    /// Times; and blocks behind the end of the file are there because somebody asked for them.
    Preallocated,
}

/// Parts of a plan that are made in one look at the map.
pub(super) const MOST_PARTS: usize = 1 << 16;

/// Commits `parts`, in file order, and what goes with them; times change even without any part.
pub(super) fn commit(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    mut parts: Vec<Part>,
    size: Size,
    mark: Mark,
) -> Result<()> {
    let mut batch = parts.len().min(first_batch(core));
    let mut first = true;
    loop {
        let count = batch.min(parts.len());
        let last = count == parts.len();
        let new_size = match size {
            Size::First(size) if first => Some(size),
            Size::Last(size) if last => Some(size),
            _ => None,
        };
        match commit_some(core, inode, &parts[..count], new_size, mark) {
            Err(Error::TooLarge { .. }) if count > 1 => batch = count.div_ceil(4),
            Err(error) => return Err(error),
            Ok(()) => {
                parts.drain(..count).for_each(Part::settle);
                first = false;
                if last {
                    return Ok(());
                }
            }
        }
    }
}

/// Parts that a transaction is tried with: more than this cannot fit its journal, whatever they
/// are.
pub(in crate::io) fn first_batch(core: &Core) -> usize {
    const LEAST: u64 = 24;
    let most = core.store.largest_transaction() / LEAST;
    #[cfg(test)]
    let most = most.min(crate::tx::MOST_IN_TESTS.get());
    usize::try_from(most).unwrap_or(usize::MAX).max(1)
}

/// Journal bytes that a commit is expected to take: headers and leaves of a few AGs, and a share
/// for each part.
fn expected_journal(parts: usize) -> u64 {
    16 * 1024 + 256 * parts as u64
}

fn commit_some(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    parts: &[Part],
    size: Option<u64>,
    mark: Mark,
) -> Result<()> {
    core.transact(expected_journal(parts.len()), std::slice::from_ref(inode), |tx| {
        let before = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        let users = users(&before);
        prepare_for(tx, inode, parts)?;
        parts.iter().try_for_each(|part| part.apply(tx, inode, users))?;
        finish(tx, inode, size, mark)
    })?;
    Ok(())
}

/// Whether blocks of the inode may have users besides it.
pub(super) fn users(inode: &InodeCore) -> Users {
    if inode.is_reflink() { Users::Several } else { Users::One }
}

/// Locks the AGs that the parts touch, in order.
fn prepare_for(tx: &mut Tx<'_>, inode: &Inode, parts: &[Part]) -> Result<()> {
    let mut runs: Vec<AgExtent> =
        parts.iter().filter_map(|p| p.claim()).map(Claim::extent).collect();
    for part in parts {
        let mut at = part.range.start;
        while let Some(extent) = map::next_extent(tx, inode.ino, Fork::Data, at)?
            .filter(|extent| extent.file < part.range.end)
        {
            at = extent.file_end();
            let extent = map::trim(extent, &part.range);
            runs.push(tx.core.ag_extent(extent.start, extent.length)?);
        }
    }
    prepare_all(tx, runs.into_iter())
}

/// Size, marks and times of a file whose map has changed.
pub(super) fn finish(tx: &mut Tx<'_>, inode: &Inode, size: Option<u64>, mark: Mark) -> Result<()> {
    let mut after = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
    after.size = size.unwrap_or(after.size);
    if mark == Mark::Preallocated {
        after.flags = after.flags.with(InodeFlags::PREALLOC);
    }
    if after.extents == 0 {
        // A file without blocks shares none.
        after.flags2 = after.flags2.without(InodeFlags2::REFLINK);
    }
    if mark != Mark::Nothing {
        after.mtime = tx.core.clock.now();
        after.ctime = after.mtime;
        after.count_change();
    }
    after.encode(tx.inode_mut(inode.ino));
    Ok(())
}

/// Claimed blocks to be dealt out to parts.
pub(super) struct Pool {
    /// In the order of dealing, the next last.
    claims: Vec<Claim>,
}

impl Pool {
    /// `count` blocks, best at `goal`.
    pub fn new(core: &Arc<Core>, goal: Option<FsBlock>, count: u64) -> Result<Self> {
        let claims = match count {
            0 => Vec::new(),
            _ => core.claim(goal, count)?,
        };
        Ok(Self { claims: claims.into_iter().rev().collect() })
    }

    /// A run of up to `most` blocks.
    fn deal(&mut self, most: u64) -> Claim {
        let Some(mut claim) = self.claims.pop() else {
            unreachable!("a pool has the blocks that were counted");
        };
        if u64::from(claim.extent().length) > most {
            let rest = claim.split(most);
            self.claims.push(rest);
        }
        claim
    }

    /// Parts that give `range` blocks of the pool.
    pub fn fill(&mut self, range: Range<FileBlock>, state: ExtentState, parts: &mut Vec<Part>) {
        let mut at = range.start;
        while at < range.end {
            let claim = self.deal(range.end.0 - at.0);
            let end = FileBlock(at.0 + u64::from(claim.extent().length));
            parts.push(Part { range: at..end, to: To::Blocks { claim, state } });
            at = end;
        }
    }
}

/// Writes new contents of blocks of the file to blocks of their own; the parts that put them in
/// the place of what is there.
pub(super) fn rewrite(
    core: &Arc<Core>,
    inode: &Inode,
    blocks: &[(FileBlock, AlignedBuffer)],
) -> Result<Vec<Part>> {
    let Some((first, _)) = blocks.first() else { return Ok(Vec::new()) };
    let goal = super::super::begin::goal_for(core, inode, first.0)?;
    let mut pool = Pool::new(core, goal, blocks.len() as u64)?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (block, _) in blocks {
        pool.fill(*block..FileBlock(block.0 + 1), ExtentState::Written, &mut parts);
    }
    let mut requests = Vec::with_capacity(blocks.len());
    for (part, (_, bytes)) in parts.iter().zip(blocks) {
        if let Some(claim) = part.claim() {
            requests.push(WriteRequest { offset: byte_of(core, claim.block(0))?, bytes });
        }
    }
    core.store.device().write_batch(&requests)?;
    core.store.note_data_write();
    Ok(parts)
}
