//! The space calls of a file: its length, its holes, blocks set aside, blocks moved.
//!
//! Every call owns its range of the file first: what is cached there is on the device and
//! forgotten, nothing is in flight. Then it makes a plan of [`Part`]s, claims the blocks that the
//! plan needs, writes what must be written to them, and commits the plan: in one transaction where
//! the journal can carry it, else in several, each of which leaves a valid file.
//!
//! A block of which only a part becomes zeroes is rewritten out of place, so the call that does it
//! in one transaction is old or new after a crash, never half.
//!
//! Never here: sharing between files, reads and writes of data.

mod allocate;
mod ends;
mod look;
mod parts;
mod punch;
mod seek;
mod shift;
#[cfg(test)]
mod tests;
mod truncate;
mod unshare;
mod zero;

pub(crate) use allocate::allocate;
pub(super) use parts::first_batch;
pub(crate) use punch::punch_hole;
pub(crate) use seek::{Seek, seek};
pub(crate) use shift::{collapse_range, insert_range};
pub(crate) use truncate::{trim_past_end, truncate};
pub(crate) use unshare::unshare_range;
pub(crate) use zero::zero_range;

use super::largest_file;
use super::own::own_range;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, RangeGuard};
use std::ops::Range;
use std::sync::Arc;
use untorn_format::FileBlock;

/// All bytes of a file.
const WHOLE: Range<u64> = 0..u64::MAX;

/// Refuses a range that is empty or that no file can have.
fn demand_range(core: &Core, range: &Range<u64>) -> Result<()> {
    let limit = largest_file(core);
    match range.start < range.end && range.end <= limit {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "bytes {} to {} are no range of a file: it must not be empty nor reach past the \
             largest file size, {limit} bytes; nothing was changed",
            range.start, range.end
        ))),
    }
}

/// Takes over `range`, and all of the file where the range reaches behind its end: from then on
/// the size is nobody else's to change.
fn own_with_end<'i>(
    core: &Arc<Core>,
    inode: &'i Arc<Inode>,
    range: &Range<u64>,
) -> Result<RangeGuard<'i>> {
    let whole = |size: u64| range.end > size;
    if !whole(inode.size()?) {
        let guard = own_range(core, inode, range.clone())?;
        // The file may have become shorter while this waited.
        if !whole(inode.size()?) {
            return Ok(guard);
        }
    }
    own_range(core, inode, WHOLE)
}

/// Takes over `range` as [`own_with_end`] does; all of the file where its extent size hint may make
/// the call give blocks to what lies around the range.
fn own_with_hint<'i>(
    core: &Arc<Core>,
    inode: &'i Arc<Inode>,
    range: &Range<u64>,
) -> Result<RangeGuard<'i>> {
    let hinted = || Ok::<_, Error>(inode.core()?.extent_size > 1);
    if !hinted()? {
        let guard = own_with_end(core, inode, range)?;
        // Whoever sets a hint owns all of the file: it stays as it is from here on.
        if !hinted()? {
            return Ok(guard);
        }
    }
    own_range(core, inode, WHOLE)
}

/// The blocks that `range` touches.
fn touched(core: &Core, range: &Range<u64>) -> Range<FileBlock> {
    core.geometry.file_block(range.start).0..FileBlock(core.geometry.blocks_for(range.end))
}

/// The blocks that lie in `range` whole; empty where there are none.
fn covered(core: &Core, range: &Range<u64>) -> Range<FileBlock> {
    let start = FileBlock(core.geometry.blocks_for(range.start));
    start..core.geometry.file_block(range.end).0.max(start)
}
