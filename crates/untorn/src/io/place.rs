//! Where a write goes: its place is found and checked under the lock of its range.
//!
//! Whatever a call has to know about the file (that it is a regular one, that its flags allow the
//! change, where it ends) may change while the call waits for its range. It is asked for once the
//! range is held.

use super::atomic::clear_cache;
use super::{Position, Request, Wait, demand_change};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, RangeGuard, Sharing};
use std::ops::Range;
use std::sync::Arc;

/// A write that holds its range. The file's end does not move while this is held and the write
/// reaches behind it.
pub(super) struct Placed<'i> {
    pub request: Request,
    /// The bytes that are held: the write's blocks, and where it makes the file longer all from the
    /// block with the old end on.
    range: Range<u64>,
    _guard: RangeGuard<'i>,
}

impl<'i> Placed<'i> {
    /// Locks the range of a write of `length` bytes to `at`; no other write gets the same bytes
    /// behind the end of the file.
    pub fn take(
        core: &Core,
        inode: &'i Inode,
        at: Position,
        length: usize,
        wait: Wait,
    ) -> Result<Self> {
        let change = match at {
            Position::At(_) => Change::Rewrite,
            Position::Append => Change::Append,
        };
        // Before it waits, too: what is refused anyway waits for nobody.
        demand_change(inode, change)?;
        loop {
            let seen = Extent::of(core, inode, at, length)?;
            let guard = lock(inode, seen.range.clone(), Sharing::Exclusive, wait)?;
            // The file may have become another, shorter or longer while this waited.
            demand_change(inode, change)?;
            let now = Extent::of(core, inode, at, length)?;
            if seen.range.start <= now.range.start && now.range.end <= seen.range.end {
                return Ok(Self { request: now.request, range: seen.range, _guard: guard });
            }
        }
    }

    /// What is cached of the bytes that are held is on the device and forgotten.
    pub fn clear_cache(&self, core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
        clear_cache(core, inode, self.range.clone())
    }

    /// As [`Placed::clear_cache`], where nothing has to be written back for it.
    pub fn clear_clean_cache(&self, core: &Core, inode: &Inode) -> Result<()> {
        let blocks =
            self.range.start >> core.geometry.block_log..core.geometry.blocks_for(self.range.end);
        if inode.pages.lock().any_dirty(blocks) {
            return Err(Error::WouldWait("cached bytes have to be written back first"));
        }
        super::pages::forget(core, inode, self.range.clone());
        Ok(())
    }
}

/// A write as the file's size makes it, and the bytes to hold for it.
struct Extent {
    request: Request,
    range: Range<u64>,
}

impl Extent {
    fn of(core: &Core, inode: &Inode, at: Position, length: usize) -> Result<Self> {
        let log = core.geometry.block_log;
        let size = inode.size()?;
        let offset = match at {
            Position::At(offset) => offset,
            Position::Append => size,
        };
        let request = Request::new(core, offset, length)?;
        let blocks = request.blocks(core);
        let first = match request.end() > size {
            true => blocks.start.min(size >> log),
            false => blocks.start,
        };
        Ok(Self { request, range: first << log..blocks.end.saturating_mul(1 << log) })
    }
}

/// Takes `range` of a file as `wait` allows.
pub(super) fn lock(
    inode: &Inode,
    range: Range<u64>,
    sharing: Sharing,
    wait: Wait,
) -> Result<RangeGuard<'_>> {
    match wait {
        Wait::Allowed => Ok(inode.ranges.lock(range, sharing)),
        Wait::Refused => {
            let free = inode.ranges.try_lock(range, sharing);
            free.ok_or(Error::WouldWait("others use the same bytes"))
        }
    }
}
