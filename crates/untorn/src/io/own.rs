//! Taking a file over before its map changes.
//!
//! Every call that changes which blocks stand where (truncate, punch, clone, exchange, ...) begins
//! here: the range is locked, what is cached there is on the device and forgotten, idle blocks of
//! the CoW fork are given up. From then on the inode's image is the truth about the range, its size
//! included where the range reaches to the end of the file.
//!
//! Locks: one range of each file, files by number.

use super::{demand_regular, pages};
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Inode, RangeGuard, Sharing};
use std::ops::Range;
use std::sync::Arc;

/// Takes over the bytes of `range`, grown to whole blocks, for a change of the map; `0..u64::MAX`
/// is the whole file.
pub(crate) fn own_range<'i>(
    core: &Arc<Core>,
    inode: &'i Arc<Inode>,
    range: Range<u64>,
) -> Result<RangeGuard<'i>> {
    demand_regular(inode)?;
    let range = whole_blocks(core, range);
    let guard = inode.ranges.lock(range.clone(), Sharing::Exclusive);
    settle(core, inode, range)?;
    Ok(guard)
}

/// Takes over all of two files, which must not be one.
pub(crate) fn own_two<'i>(
    core: &Arc<Core>,
    one: &'i Arc<Inode>,
    other: &'i Arc<Inode>,
) -> Result<[RangeGuard<'i>; 2]> {
    let (first, second) = if one.ino < other.ino { (one, other) } else { (other, one) };
    assert_ne!(first.ino, second.ino, "two files are two inodes");
    let whole = 0..u64::MAX;
    Ok([own_range(core, first, whole.clone())?, own_range(core, second, whole)?])
}

fn settle(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) -> Result<()> {
    // It may have been removed while this waited.
    demand_regular(inode)?;
    pages::write_back(core, inode, range.clone())?;
    pages::forget(core, inode, range.clone());
    if range == (0..u64::MAX) {
        // Committed, all of it: a size that goes down from here stays down.
        inode.forget_unsaved();
    }
    inode.cow.lock().drop_idle();
    Ok(())
}

fn whole_blocks(core: &Core, range: Range<u64>) -> Range<u64> {
    let block = core.geometry.block_size() as u64;
    range.start / block * block..range.end.checked_next_multiple_of(block).unwrap_or(u64::MAX)
}
