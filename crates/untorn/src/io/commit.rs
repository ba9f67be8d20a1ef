//! The one transaction that publishes what a call did to files.
//!
//! For each file: blocks that were written out of place take the place of what is mapped there,
//! blocks that were unwritten count as written, ranges lose their blocks, size and times change.
//! Whatever was mapped before is let go of in the same transaction.
//!
//! Never here: data, claims, range locks.

use super::begin::Piece;
use crate::ag::{Contents, FewRuns, Users, prepare_all, prepare_or_put_off, release};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map;
use crate::tx::Tx;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::inode::{InodeCore, Timestamp};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{FileBlock, FsBlock};
use untorn_store::Sequence;

/// What a file may hide behind its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Written blocks behind the old end that this change does not replace go: a longer file must
    /// not show them.
    Cleared,
    /// Nothing: the caller has seen to it.
    Gone,
}

/// What a transaction does to one file.
pub(super) struct FileChange<'a> {
    pub inode: &'a Arc<Inode>,
    /// Blocks written out of place, in file order.
    pub pieces: &'a [Piece],
    /// Unwritten blocks that were written where they lie.
    pub converted: &'a [Range<u64>],
    /// Blocks that the file loses.
    pub cleared: &'a [Range<u64>],
    /// Bytes that the file has afterwards at least.
    pub size: u64,
    /// Bytes that it keeps of those it had at most.
    pub cut: u64,
    pub hidden: Hidden,
    /// When its bytes changed.
    pub time: Timestamp,
}

impl<'a> FileChange<'a> {
    /// `pieces` take their places; the file reaches at least to byte `end`.
    pub fn write(core: &Core, inode: &'a Arc<Inode>, pieces: &'a [Piece], end: u64) -> Self {
        Self {
            inode,
            pieces,
            converted: &[],
            cleared: &[],
            size: end,
            cut: u64::MAX,
            hidden: Hidden::Cleared,
            time: core.clock.now(),
        }
    }

    fn end(&self, before: u64) -> u64 {
        self.size.max(before.min(self.cut))
    }
}

/// Ranges of blocks that changes are about.
fn runs(changes: &[FileChange<'_>]) -> u64 {
    let runs = |c: &FileChange<'_>| c.pieces.len() + c.converted.len() + c.cleared.len();
    changes.iter().map(runs).sum::<usize>() as u64
}

/// Journal bytes that a commit is expected to take: headers and leaves of a few AGs, and a share
/// for each run.
fn expected_journal(changes: &[FileChange<'_>]) -> u64 {
    16 * 1024 * changes.len() as u64 + 512 * runs(changes)
}

/// Journal bytes that one block takes when it lies alone, as its old block does: a chunk or two in
/// leaves of both free-space btrees, reverse mappings, counts and the file's map, twice. Blocks of
/// trees that are split are in [`JOURNAL_PER_FILE`], and in what others leave.
pub(super) const JOURNAL_PER_BLOCK: u64 = 2 * 7 * 2 * 160;
/// Journal bytes that a change of a file takes at most besides: headers of its AGs, its inode.
const JOURNAL_PER_FILE: u64 = 16 * 1024;
/// Journal bytes that an inode takes at least; a run takes a record.
const LEAST_PER_FILE: u64 = 232;

/// Refuses what one transaction cannot carry, before a byte of it is written. Where it is neither
/// so little that it fits nor so much that it cannot, the transaction is made and dropped.
pub(super) fn demand_fits(
    core: &Arc<Core>,
    changes: &[FileChange<'_>],
    beside: &Beside<'_>,
) -> Result<()> {
    let (limit, files) = (core.largest_transaction, changes.len() as u64);
    let need = LEAST_PER_FILE * files + Extent::SIZE as u64 * runs(changes);
    if need > limit {
        return Err(Error::TooLarge { need, limit });
    }
    let mut blocks: u64 = 0;
    for change in changes {
        let ranges = change.converted.iter().chain(change.cleared);
        let ranges = ranges.map(|range| range.end - range.start).fold(0, u64::saturating_add);
        // What was hidden behind the old end may have to go.
        let ends = [change.size, change.inode.size()?].map(|end| core.geometry.blocks_for(end));
        let others = ranges.saturating_add(ends[0].saturating_sub(ends[1]));
        // Both may go far behind what the file has.
        let others = if others > 0 { others.min(change.inode.core()?.blocks) } else { 0 };
        let come = change.pieces.iter().map(|piece| piece.length).sum::<u64>();
        blocks = blocks.saturating_add(come).saturating_add(others);
    }
    let most = JOURNAL_PER_FILE * files + beside.bytes;
    if blocks.saturating_mul(JOURNAL_PER_BLOCK).saturating_add(most) <= limit {
        return Ok(());
    }
    let inodes: Vec<_> = changes.iter().map(|change| Arc::clone(change.inode)).collect();
    let need = expected_journal(changes) + beside.bytes;
    core.rehearse(need, &inodes, |tx| publish(tx, changes, beside))
}

/// What else the transaction does to the inodes, of which this module knows nothing.
pub(crate) struct Beside<'a> {
    /// Journal bytes that it is expected to take.
    pub bytes: u64,
    /// Does it; may run several times.
    pub run: &'a dyn Fn(&mut Tx<'_>) -> Result<()>,
}

impl Beside<'_> {
    /// Nothing.
    pub const NOTHING: Beside<'static> = Beside { bytes: 0, run: &|_| Ok(()) };
}

/// Publishes `changes`, each of another file, in one transaction.
pub(super) fn commit(core: &Arc<Core>, changes: &[FileChange<'_>]) -> Result<Sequence> {
    commit_beside(core, changes, &Beside::NOTHING)
}

/// The same with what else happens to the inodes.
pub(super) fn commit_beside(
    core: &Arc<Core>,
    changes: &[FileChange<'_>],
    beside: &Beside<'_>,
) -> Result<Sequence> {
    let inodes: SmallVec<[_; 2]> = changes.iter().map(|change| Arc::clone(change.inode)).collect();
    let need = expected_journal(changes) + beside.bytes;
    let body = |tx: &mut Tx<'_>| publish(tx, changes, beside);
    let ((), sequence) = core.transact(need, &inodes, body)?;
    Ok(sequence)
}

fn publish(tx: &mut Tx<'_>, changes: &[FileChange<'_>], beside: &Beside<'_>) -> Result<()> {
    let mut plans: SmallVec<[_; 1]> = SmallVec::with_capacity(changes.len());
    for change in changes {
        plans.push(Plan::new(tx, change)?);
    }
    prepare(tx, &plans)?;
    plans.iter().try_for_each(|plan| plan.run(tx))?;
    (beside.run)(tx)
}

/// One file's part of the transaction, looked up before anything changes.
struct Plan<'c> {
    change: &'c FileChange<'c>,
    before: InodeCore,
    /// Blocks that come.
    claimed: FewRuns,
    /// Ranges of the file whose blocks go and nothing comes.
    emptied: Vec<Range<FileBlock>>,
    /// All blocks that go.
    old: FewRuns,
}

impl<'c> Plan<'c> {
    fn new(tx: &mut Tx<'_>, change: &'c FileChange<'c>) -> Result<Self> {
        let inode = change.inode;
        let before = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        let blocks = |range: &Range<u64>| FileBlock(range.start)..FileBlock(range.end);
        let mut emptied = exposed(tx, change, &before)?;
        emptied.extend(change.cleared.iter().map(blocks));
        let mut old = mapped(tx, inode, emptied.iter().cloned())?;
        let replaced = change.pieces.iter().map(|piece| blocks(&piece.range()));
        old.extend(mapped(tx, inode, replaced)?);
        let run = |e: &Extent| tx.core.ag_extent(e.start, e.length);
        let old = old.iter().map(run).collect::<Result<_>>()?;
        let claimed = change.pieces.iter().map(|p| p.extent(tx.core)).collect::<Result<_>>()?;
        Ok(Self { change, before, claimed, emptied, old })
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let FileChange { inode, pieces, converted, .. } = self.change;
        for range in &self.emptied {
            map::unmap(tx, inode.ino, Fork::Data, range.clone())?;
        }
        for (piece, extent) in pieces.iter().zip(&self.claimed) {
            tx.take_claimed(*extent)?;
            map_piece(tx, inode, piece)?;
        }
        for range in *converted {
            let range = FileBlock(range.start)..FileBlock(range.end);
            map::convert(tx, inode.ino, range, ExtentState::Written)?;
        }
        let users = if self.before.is_reflink() { Users::Several } else { Users::One };
        self.old.iter().try_for_each(|run| release(tx, *run, users))?;
        self.touch(tx)
    }

    /// Size and times.
    fn touch(&self, tx: &mut Tx<'_>) -> Result<()> {
        let ino = self.change.inode.ino;
        let mut after = core_of(ino, tx.inode_bytes(ino))?;
        after.size = self.change.end(self.before.size);
        (after.mtime, after.ctime) = (self.change.time, self.change.time);
        after.count_change();
        after.encode(tx.inode_mut(ino));
        Ok(())
    }
}

/// Locks the AGs that the plans touch, in order.
fn prepare(tx: &mut Tx<'_>, plans: &[Plan<'_>]) -> Result<()> {
    let old = |sharing: bool| {
        let plans = plans.iter().filter(move |plan| plan.before.is_reflink() == sharing);
        plans.flat_map(|plan| plan.old.iter().copied())
    };
    let come = plans.iter().flat_map(|plan| plan.claimed.iter().copied());
    match plans.iter().all(|plan| plan.change.converted.is_empty()) {
        true => {
            let (come, go, part) = (come.collect(), old(false).collect(), old(true).collect());
            prepare_or_put_off(tx, Contents { come, go, part })
        }
        false => prepare_all(tx, come.chain(old(false)).chain(old(true))),
    }
}

/// Blocks behind the old end of the file that were written though nobody could see them, and that
/// the change would show.
fn exposed(
    tx: &mut Tx<'_>,
    change: &FileChange<'_>,
    before: &InodeCore,
) -> Result<Vec<Range<FileBlock>>> {
    let geometry = &tx.core.geometry;
    // What lies before the end that users see was hidden when cached writes moved it there.
    let from = geometry.blocks_for(before.size.max(change.inode.size()?));
    let to = geometry.blocks_for(change.end(before.size));
    let mut exposed = Vec::new();
    if change.hidden == Hidden::Gone {
        return Ok(exposed);
    }
    let mut at = from;
    for kept in change.pieces.iter().map(Piece::range).chain(std::iter::once(to..to)) {
        if at < kept.start.min(to) {
            let gap = FileBlock(at)..FileBlock(kept.start.min(to));
            let found = mapped(tx, change.inode, std::iter::once(gap))?;
            let written = found.into_iter().filter(|extent| extent.state == ExtentState::Written);
            exposed.extend(written.map(|extent| extent.file..extent.file_end()));
        }
        at = at.max(kept.end);
    }
    Ok(exposed)
}

/// What is mapped in `ranges`, trimmed to them.
fn mapped(
    tx: &mut Tx<'_>,
    inode: &Inode,
    ranges: impl Iterator<Item = Range<FileBlock>>,
) -> Result<SmallVec<[Extent; 2]>> {
    let mut found = SmallVec::new();
    for range in ranges {
        let mut at = range.start;
        while at < range.end
            && let Some(extent) = map::next_extent(tx, inode.ino, Fork::Data, at)?
                .filter(|extent| extent.file < range.end)
        {
            found.push(map::trim(extent, &range));
            at = extent.file_end();
        }
    }
    Ok(found)
}

fn map_piece(tx: &mut Tx<'_>, inode: &Inode, piece: &Piece) -> Result<()> {
    let mut done = 0;
    while done < piece.length {
        let length = (piece.length - done).min(u64::from(Extent::MAX_LENGTH));
        let extent = Extent {
            file: FileBlock(piece.first.0 + done),
            start: FsBlock(piece.start.0 + done),
            length: length as u32,
            state: ExtentState::Written,
        };
        map::replace(tx, inode.ino, Fork::Data, extent)?;
        done += length;
    }
    Ok(())
}
