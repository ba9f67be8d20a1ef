//! The length of a file, and what lies behind its end.

use super::super::{Change, demand_change, demand_size};
use super::ends::zero_ends;
use super::look::{around, is_written, mappings};
use super::parts::{Mark, Part, Size, commit};
use super::{WHOLE, own_range};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use std::sync::Arc;
use untorn_format::FileBlock;
use untorn_format::inode::InodeFlags;

/// Gives the file `size` bytes: what is behind is gone, what is new reads as zeroes.
///
/// The size changes in one transaction, and with it the bytes that are seen: old or new after a
/// crash. Blocks behind the new end are freed in as many transactions as it takes; a crash between
/// them leaves some behind the end, where nobody sees them.
pub(crate) fn truncate(core: &Arc<Core>, inode: &Arc<Inode>, size: u64) -> Result<()> {
    demand_size(core, size)?;
    let _range = own_range(core, inode, WHOLE)?;
    demand_change(inode, Change::Rewrite)?;
    let old = inode.core()?.size;
    match size > old {
        true => lengthen(core, inode, old, size),
        false => shorten(core, inode, old, size),
    }
}

fn lengthen(core: &Arc<Core>, inode: &Arc<Inode>, old: u64, size: u64) -> Result<()> {
    clear_past_end(core, inode, old, core.geometry.blocks_for(size))?;
    let parts = zero_ends(core, inode, &(old..size), old)?;
    commit(core, inode, parts, Size::Last(size), Mark::Times)
}

fn shorten(core: &Arc<Core>, inode: &Arc<Inode>, old: u64, size: u64) -> Result<()> {
    // Bytes behind the end are nobody's: every way to lengthen a file clears them. On a full
    // volume they stay.
    let behind = FileBlock(core.geometry.blocks_for(size));
    let tail = size..behind.0 << core.geometry.block_log;
    let mut parts = match zero_ends(core, inode, &tail, old) {
        Err(Error::NoSpace { .. }) => Vec::new(),
        parts => parts?,
    };
    inode.forget_unsaved();
    let mut step = Size::First(size);
    loop {
        let (holes, more) = holes_from(core, inode, behind)?;
        parts.extend(holes);
        commit(core, inode, std::mem::take(&mut parts), step, Mark::Times)?;
        if more.is_none() {
            return Ok(());
        }
        step = Size::Keep;
    }
}

/// Parts that free the blocks from `from` on, and where there are more of them.
fn holes_from(
    core: &Core,
    inode: &Inode,
    from: FileBlock,
) -> Result<(Vec<Part>, Option<FileBlock>)> {
    let Some(last) = around(core, inode, FileBlock(u64::MAX))?.before else {
        return Ok((Vec::new(), None));
    };
    let range = from..last.file_end().max(from);
    let found = mappings(core, inode, &range)?;
    let next = found.last().map(|mapping| mapping.end()).filter(|&end| end < range.end);
    Ok((holes(&found), next))
}

/// Parts that make holes of all that is mapped.
pub(super) fn holes(found: &[crate::map::Mapping]) -> Vec<Part> {
    let mapped = found.iter().filter(|m| m.state != crate::map::MappingState::Hole);
    mapped.map(|m| Part::hole(m.first..m.end())).collect()
}

/// Frees blocks behind the end of a file of `size` bytes, up to block `end`, that count as written
/// though nobody could see them: they must not appear when the file grows over them.
pub(super) fn clear_past_end(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    size: u64,
    end: u64,
) -> Result<()> {
    let mut range = FileBlock(core.geometry.blocks_for(size))..FileBlock(end);
    while range.start < range.end {
        let found = mappings(core, inode, &range)?;
        let next = found.last().map_or(range.end, |mapping| mapping.end());
        let written = found.iter().filter(|mapping| is_written(mapping));
        let parts: Vec<_> = written.map(|m| Part::hole(m.first..m.end())).collect();
        if !parts.is_empty() {
            commit(core, inode, parts, Size::Keep, Mark::Nothing)?;
        }
        range.start = next;
    }
    Ok(())
}

/// Frees what lies behind the end of the file unless somebody asked for it: blocks of a file that
/// was preallocated, that may only grow, or that has an extent size hint stay.
pub(crate) fn trim_past_end(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    if !has_idle_end(core, inode)? {
        inode.cow.lock().drop_idle();
        return Ok(());
    }
    let _range = own_range(core, inode, WHOLE)?;
    if !has_idle_end(core, inode)? {
        return Ok(());
    }
    free_past_end(core, inode)
}

/// Frees all blocks behind the end of the file, which is owned whole.
pub(super) fn free_past_end(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    let behind = FileBlock(core.geometry.blocks_for(inode.core()?.size));
    loop {
        let (parts, more) = holes_from(core, inode, behind)?;
        if !parts.is_empty() {
            commit(core, inode, parts, Size::Keep, Mark::Nothing)?;
        }
        if more.is_none() {
            return Ok(());
        }
    }
}

/// Whether the file has blocks behind its end that nobody asked for.
fn has_idle_end(core: &Core, inode: &Inode) -> Result<bool> {
    let asked_for = InodeFlags::PREALLOC.with(InodeFlags::APPEND).with(InodeFlags::EXTSIZE);
    let dinode = inode.core()?;
    if dinode.flags.has(asked_for) || dinode.flags.has(InodeFlags::IMMUTABLE) {
        return Ok(false);
    }
    let behind = FileBlock(core.geometry.blocks_for(inode.size()?));
    Ok(around(core, inode, behind)?.from.is_some())
}
