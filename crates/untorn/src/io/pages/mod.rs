//! Cached reads and writes: a page cache with a limit, delayed allocation, writeback.
//!
//! ```text
//!  write: range exclusive -> reserve space (CoW fork: Delalloc, Waiting) -> pages, dirty -> size
//!  writeback: range exclusive -> begin (claims) -> device -> one transaction -> pages, clean
//!  read:  range shared -> pages, or the data fork into new pages (readahead)
//! ```
//! Everything that goes around the cache (direct and atomic I/O, changes of the map) takes its
//! range exclusively, writes back what is dirty in it and forgets it; direct reads write back.
//!
//! Never here: what a change of the map means.

mod ahead;
mod memory;
mod read;
mod write;
mod writeback;

pub(crate) use ahead::Readers;
pub(crate) use memory::PageCache;
pub(crate) use read::read_cached;
pub(crate) use write::write_cached;
pub(super) use writeback::write_back;
pub(crate) use writeback::{flush_all, flush_range};

use crate::core::Core;
use crate::inode::Inode;
use std::ops::Range;
use std::sync::Arc;

/// Forgets all cached blocks that the bytes of `range` touch, written back or not. The caller
/// holds the range exclusively.
pub(super) fn forget(core: &Core, inode: &Inode, range: Range<u64>) {
    inode.pages.lock().forget(blocks_of(core, &range));
}

/// Gives up everything cached of a file that nobody can reach any more, the space under it too.
pub(crate) fn give_up(core: &Core, inode: &Inode) {
    inode.pages.lock().forget(0..u64::MAX);
    inode.cow.lock().give_up();
    inode.forget_unsaved();
    core.pages.forget(inode.ino);
    core.lazy.forget(inode.ino);
}

/// Gives up everything cached of every file: the volume takes no more writes.
pub(crate) fn give_up_all(core: &Arc<Core>) {
    core.inodes.all().iter().for_each(|inode| give_up(core, inode));
}

/// The blocks that a range of bytes touches.
fn blocks_of(core: &Core, range: &Range<u64>) -> Range<u64> {
    core.geometry.file_block(range.start).0.0..core.geometry.blocks_for(range.end)
}
