//! Taking blocks out of the middle of a file and putting holes into it.
//!
//! Extents keep their blocks and move to other places of the file. In one transaction where the
//! journal can carry it; else extent by extent in batches, from the end that the file moves
//! towards, so that nothing ever overlaps: a crash between them leaves every byte in the file, a
//! hole of the range's length somewhere behind what has moved.

use super::super::{Change, demand_change, largest_file};
use super::look::{around, mappings};
use super::parts::{Mark, Size, commit, finish, first_batch, let_go, users};
use super::truncate::{free_past_end, holes};
use super::{WHOLE, covered, demand_range, own_range};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map;
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::records::{Extent, Fork};
use untorn_format::{FileBlock, Ino};

/// Takes the bytes of `range` out of the file: what is behind them moves down to its start. Blocks
/// behind the end of the file are freed first, as a truncation does.
pub(crate) fn collapse_range(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    range: Range<u64>,
) -> Result<()> {
    demand_range(core, &range)?;
    demand_whole_blocks(core, &range)?;
    let _range = own_range(core, inode, WHOLE)?;
    demand_change(inode, Change::Rewrite)?;
    let size = inode.core()?.size;
    if range.end >= size {
        return Err(Error::Invalid(format!(
            "bytes {} to {} cannot be taken out of a file of {size} bytes: the range must end \
             before the file does; truncate it instead",
            range.start, range.end
        )));
    }
    inode.forget_unsaved();
    free_past_end(core, inode)?;
    let moves = Moves { gap: covered(core, &range), size: size - (range.end - range.start) };
    match moves.down_at_once(core, inode) {
        Err(Error::TooLarge { .. }) => moves.down_in_steps(core, inode),
        done => done,
    }
}

/// Puts a hole as long as `range` before the byte that stands at its start: that byte and all
/// behind it move up.
pub(crate) fn insert_range(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) -> Result<()> {
    demand_range(core, &range)?;
    demand_whole_blocks(core, &range)?;
    let _range = own_range(core, inode, WHOLE)?;
    demand_change(inode, Change::Rewrite)?;
    let size = inode.core()?.size;
    if range.start >= size {
        return Err(Error::Invalid(format!(
            "a hole cannot be put in at byte {} of a file of {size} bytes: the range must begin \
             before the file ends; truncate it instead",
            range.start
        )));
    }
    let moves = Moves { gap: covered(core, &range), size: size + (range.end - range.start) };
    moves.demand_room(core, inode)?;
    match moves.up_at_once(core, inode) {
        Err(Error::TooLarge { .. }) => moves.up_in_steps(core, inode),
        done => done,
    }
}

fn demand_whole_blocks(core: &Core, range: &Range<u64>) -> Result<()> {
    let block = core.geometry.block_size() as u64;
    match range.start.is_multiple_of(block) && range.end.is_multiple_of(block) {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "bytes {} to {} are not whole blocks of {block} bytes; nothing was changed",
            range.start, range.end
        ))),
    }
}

/// What moves.
struct Moves {
    /// The blocks that go away or that a hole comes to stand at.
    gap: Range<FileBlock>,
    /// Size of the file in bytes afterwards.
    size: u64,
}

/// Where a move goes on, when it does.
type More = Option<FileBlock>;

impl Moves {
    fn by(&self) -> u64 {
        self.gap.end.0 - self.gap.start.0
    }

    /// Refuses to move anything past the largest file.
    fn demand_room(&self, core: &Core, inode: &Inode) -> Result<()> {
        let limit = largest_file(core);
        let last = around(core, inode, FileBlock(u64::MAX))?.before;
        let end = last.map_or(0, |extent| extent.file_end().0) + self.by();
        match self.size <= limit && end <= core.geometry.blocks_for(limit) {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "the file would reach past the largest file size, {limit} bytes; nothing was \
                 changed"
            ))),
        }
    }

    /// Refuses what no single transaction can carry without trying.
    fn demand_few(core: &Core, inode: &Inode) -> Result<()> {
        let (need, limit) = (inode.core()?.extents, first_batch(core) as u64);
        match need <= limit {
            true => Ok(()),
            false => Err(Error::TooLarge { need, limit }),
        }
    }

    fn down_at_once(&self, core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
        Self::demand_few(core, inode)?;
        core.transact(expected(inode)?, std::slice::from_ref(inode), |tx| {
            let users = users(&core_of(inode.ino, tx.inode_bytes(inode.ino))?);
            let_go(tx, inode, &self.gap, users)?;
            self.down(tx, inode.ino, self.gap.end, usize::MAX)?;
            finish(tx, inode, Some(self.size), Mark::Times)
        })?;
        Ok(())
    }

    /// The size changes last: until then all bytes lie before the end of the file.
    fn down_in_steps(&self, core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
        let mut rest = self.gap.clone();
        while rest.start < rest.end {
            let found = mappings(core, inode, &rest)?;
            rest.start = found.last().map_or(rest.end, |mapping| mapping.end());
            commit(core, inode, holes(&found), Size::Keep, Mark::Times)?;
        }
        in_steps(core, self.gap.end, |at, most| {
            core.transact(64 * 1024, std::slice::from_ref(inode), |tx| {
                let more = self.down(tx, inode.ino, at, most)?;
                let size = if more.is_none() { Some(self.size) } else { None };
                finish(tx, inode, size, Mark::Times)?;
                Ok(more)
            })
        })
    }

    /// Moves up to `most` extents from `at` on down; where to go on.
    fn down(&self, tx: &mut Tx<'_>, ino: Ino, mut at: FileBlock, most: usize) -> Result<More> {
        tx.note_moved(ino);
        for _ in 0..most {
            let Some(extent) = map::next_extent(tx, ino, Fork::Data, at)? else { return Ok(None) };
            relocate(tx, ino, extent, FileBlock(extent.file.0 - self.by()))?;
            at = extent.file_end();
        }
        Ok(map::next_extent(tx, ino, Fork::Data, at)?.map(|_| at))
    }

    fn up_at_once(&self, core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
        Self::demand_few(core, inode)?;
        core.transact(expected(inode)?, std::slice::from_ref(inode), |tx| {
            self.up(tx, inode.ino, FileBlock(u64::MAX), usize::MAX)?;
            finish(tx, inode, Some(self.size), Mark::Times)
        })?;
        Ok(())
    }

    /// The size changes first: all bytes lie before the end of the file at any time.
    fn up_in_steps(&self, core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
        in_steps(core, FileBlock(u64::MAX), |at, most| {
            core.transact(64 * 1024, std::slice::from_ref(inode), |tx| {
                let more = self.up(tx, inode.ino, at, most)?;
                finish(tx, inode, Some(self.size), Mark::Times)?;
                Ok(more)
            })
        })
    }

    /// Moves up to `most` extents that begin before `at`, from the last on, up; where to go on.
    fn up(&self, tx: &mut Tx<'_>, ino: Ino, mut at: FileBlock, most: usize) -> Result<More> {
        tx.note_moved(ino);
        for _ in 0..most {
            let last = map::extent_before(tx, ino, Fork::Data, at)?;
            let Some(extent) = last.filter(|extent| extent.file_end() > self.gap.start) else {
                return Ok(None);
            };
            let extent = map::trim(extent, &(self.gap.start..extent.file_end()));
            relocate(tx, ino, extent, FileBlock(extent.file.0 + self.by()))?;
            at = extent.file;
        }
        Ok(Some(at))
    }
}

/// Journal bytes that moving all extents of a file is expected to take.
fn expected(inode: &Inode) -> Result<u64> {
    Ok(16 * 1024 + 64 * inode.core()?.extents)
}

/// Runs `step`, which moves some extents and says where to go on, until there is no more; each
/// time with as many as a transaction was found to carry.
fn in_steps(
    core: &Core,
    from: FileBlock,
    mut step: impl FnMut(FileBlock, usize) -> Result<(More, untorn_store::Sequence)>,
) -> Result<()> {
    let mut most = first_batch(core).div_ceil(16);
    let mut at = from;
    loop {
        match step(at, most) {
            Err(Error::TooLarge { .. }) if most > 1 => most = most.div_ceil(4),
            Err(error) => return Err(error),
            Ok((Some(next), _)) => at = next,
            Ok((None, _)) => return Ok(()),
        }
    }
}

/// Moves an extent, or a part of one, to a place of the file where nothing is.
fn relocate(tx: &mut Tx<'_>, ino: Ino, extent: Extent, to: FileBlock) -> Result<()> {
    map::unmap(tx, ino, Fork::Data, extent.file..extent.file_end())?;
    map::map(tx, ino, Fork::Data, Extent { file: to, ..extent })
}
