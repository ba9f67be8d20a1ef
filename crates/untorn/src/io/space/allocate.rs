//! Setting blocks aside for a file.

use super::super::{Change, SizeRule, begin::goal_for, demand_change};
use super::ends::zero_ends;
use super::look::{around, mappings};
use super::parts::{Mark, Part, Pool, Size, commit};
use super::truncate::clear_past_end;
use super::{demand_range, own_with_hint, touched};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::map::MappingState;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::FileBlock;
use untorn_format::records::ExtentState;

/// Gives every block that `range` touches blocks of the volume; those that are new read as zeroes.
/// All of them are found before anything changes. The size changes with the last transaction; a
/// crash before it leaves blocks that read as zeroes or lie behind the end.
pub(crate) fn allocate(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    range: Range<u64>,
    rule: SizeRule,
) -> Result<()> {
    demand_range(core, &range)?;
    let _range = own_with_hint(core, inode, &range)?;
    demand_change(inode, Change::Allocate)?;
    let size = inode.size()?;
    let grows = rule == SizeRule::Grow && range.end > size;
    let mut parts = Vec::new();
    if grows {
        clear_past_end(core, inode, size, core.geometry.blocks_for(range.end))?;
        parts = zero_ends(core, inode, &(size..range.end), size)?;
    }
    fill_holes(core, inode, touched(core, &range), &mut parts)?;
    parts.sort_by_key(|part| part.range.start);
    let size = if grows { Size::Last(range.end) } else { Size::Keep };
    commit(core, inode, parts, size, Mark::Preallocated)
}

/// Parts that give every hole in `range` blocks; as the file's extent size hint says, where there
/// is room for that.
pub(super) fn fill_holes(
    core: &Arc<Core>,
    inode: &Inode,
    range: Range<FileBlock>,
    parts: &mut Vec<Part>,
) -> Result<()> {
    let hinted = around_holes(core, inode, &range)?;
    let (holes, mut pool) = match find_blocks(core, inode, &hinted) {
        Err(Error::NoSpace { .. }) if hinted != range => find_blocks(core, inode, &range)?,
        found => found?,
    };
    for hole in holes {
        pool.fill(hole, ExtentState::Unwritten, parts);
    }
    Ok(())
}

/// The holes in `range` and blocks for all of them.
fn find_blocks(
    core: &Arc<Core>,
    inode: &Inode,
    range: &Range<FileBlock>,
) -> Result<(Vec<Range<FileBlock>>, Pool)> {
    let mut holes = Vec::new();
    let mut rest = range.clone();
    while rest.start < rest.end {
        for mapping in mappings(core, inode, &rest)? {
            rest.start = mapping.end();
            if mapping.state == MappingState::Hole {
                holes.push(mapping.first..mapping.end());
            }
        }
    }
    let count = holes.iter().map(|hole| hole.end.0 - hole.start.0).sum();
    let goal = match holes.first() {
        Some(hole) => goal_for(core, inode, hole.start.0)?,
        None => None,
    };
    Ok((holes, Pool::new(core, goal, count)?))
}

/// `range` grown to the borders of the file's extent size hint where it begins and ends in holes,
/// but not over blocks that are there.
pub(super) fn around_holes(
    core: &Core,
    inode: &Inode,
    range: &Range<FileBlock>,
) -> Result<Range<FileBlock>> {
    let hint = u64::from(inode.core()?.extent_size);
    if hint <= 1 {
        return Ok(range.clone());
    }
    let mut grown = range.clone();
    let first = around(core, inode, range.start)?;
    if first.from.is_none_or(|extent| extent.file > range.start) {
        let free = first.before.map_or(FileBlock(0), |extent| extent.file_end());
        grown.start = FileBlock(range.start.0 / hint * hint).max(free);
    }
    let last = around(core, inode, range.end)?;
    if last.before.is_none_or(|extent| extent.file_end() < range.end) {
        let free = last.from.map_or(u64::MAX, |extent| extent.file.0);
        let limit = core.geometry.blocks_for(super::largest_file(core));
        grown.end = FileBlock(range.end.0.next_multiple_of(hint).min(free).min(limit));
    }
    Ok(grown)
}
