//! Data of regular files: reads, direct writes in place, atomic writes out of place.
//!
//! Every path locks its byte range (whole blocks) first, then asks the map, then moves data, then
//! commits. Data is on the device before the transaction that maps it commits.
//!
//! Never here: directories, names, the shape of metadata.

mod atomic;
mod batch;
mod begin;
mod blocks;
mod cancel;
mod claimed;
mod commit;
mod compose;
mod direct;
mod lazy;
mod linux;
mod options;
mod own;
mod pages;
mod place;
mod read;
pub(crate) mod share;
mod space;
#[cfg(test)]
mod tests;
mod truncate;

pub(crate) use atomic::{append_atomic, write_atomic};
pub(crate) use batch::{Step, commit_batch};
pub(crate) use claimed::write_claimed;
pub(crate) use commit::Beside;
pub(crate) use direct::write_plain;
pub use lazy::Times;
pub(crate) use lazy::{LazyTimes, save_all_times, save_times};
pub(crate) use linux::write_linux;
pub use linux::{AtomicRefusal, AtomicWriteLimits, Caching, LinuxWrite, Position, Wait};
pub(crate) use options::write;
pub use options::{How, ReadOptions, WriteOptions};
pub(crate) use own::own_range;
pub(crate) use pages::{
    PageCache, Readers, flush_all, flush_range, give_up, give_up_all, read_cached, write_cached,
};
pub(crate) use read::read_at;
pub(crate) use space::{
    Seek, allocate, collapse_range, insert_range, punch_hole, seek, trim_past_end, truncate,
    unshare_range, zero_range,
};
pub(crate) use truncate::discard_contents;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, demand_open};
use std::ops::Range;
use std::sync::Arc;
use untorn_format::inode::FileKind;
use untorn_store::Sequence;

/// When a write returns.
///
/// Linux tells `DSYNC` from `SYNC`: the first may leave times behind that the data does not need.
/// Here a file's times are in the transaction that makes its bytes visible, so what is durable is
/// so in both senses, but for writes in place with [`Times::Lazy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Once every reader of the volume sees it. It survives an orderly end of the process; a power
    /// cut or a killed process may undo it, whole, until something makes it durable.
    #[default]
    Visible,
    /// Once it, and all that it depends on, is on stable storage: `DSYNC`.
    Durable,
    /// Once that is so of the file's times as well: `SYNC`.
    Complete,
}

/// Whether a call that gives a file space may make it longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SizeRule {
    /// The size becomes at least the end of the range.
    #[default]
    Grow,
    /// The size stays; blocks behind the end of the file are the file's but nobody sees them.
    Keep,
}

/// What a write needs to know: checked, never changed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// First byte.
    pub offset: u64,
    /// Bytes; never zero.
    pub length: u64,
}

impl Request {
    /// Checks a write against what a file can be.
    pub fn new(core: &Core, offset: u64, length: usize) -> Result<Self> {
        let limit = largest_file(core);
        let end = offset.checked_add(length as u64).filter(|&end| end <= limit);
        match end {
            Some(_) => Ok(Self { offset, length: length as u64 }),
            None => Err(Error::Invalid(format!(
                "a write of {length} bytes at byte {offset} reaches past the largest file size, \
                 {limit} bytes; nothing was written"
            ))),
        }
    }

    /// The byte after the last.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// The blocks that it touches.
    pub fn blocks(&self, core: &Core) -> Range<u64> {
        let (first, _) = core.geometry.file_block(self.offset);
        first.0..core.geometry.blocks_for(self.end())
    }
}

/// Largest size of a file in bytes: what 54 bits of blocks and a signed 64-bit size can say.
pub(crate) fn largest_file(core: &Core) -> u64 {
    let blocks = 1u128 << 54;
    u64::try_from(blocks << core.geometry.block_log).unwrap_or(u64::MAX).min(i64::MAX as u64)
}

/// Refuses a size that no file can have.
pub(crate) fn demand_size(core: &Core, size: u64) -> Result<()> {
    let limit = largest_file(core);
    match size <= limit {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "a size of {size} bytes is past the largest file size, {limit} bytes; nothing was \
             changed"
        ))),
    }
}

/// Refuses all but regular files.
pub(crate) fn demand_regular(inode: &Inode) -> Result<()> {
    match inode.kind()? {
        Some(FileKind::Regular) => Ok(()),
        _ => Err(Error::NotRegular(format!("inode {}", inode.ino))),
    }
}

/// Refuses all but regular files, and changes that a file is protected from.
pub(crate) fn demand_change(inode: &Inode, change: Change) -> Result<()> {
    demand_regular(inode)?;
    demand_open(inode.ino, inode.flags()?, change)
}

/// Makes everything done to `inode` so far durable: data, size, mappings.
pub(crate) fn fsync(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    flush_range(core, inode, 0..u64::MAX)?;
    save_times(core, inode)?;
    make_durable(core, inode)
}

/// Makes everything durable that was committed to `inode` or written around the cache.
pub(crate) fn make_durable(core: &Core, inode: &Inode) -> Result<()> {
    core.store.force(inode.sequence())?;
    Ok(core.store.flush_data()?)
}

/// Waits for durability where it was asked for.
pub(crate) fn settle(core: &Core, sequence: Sequence, sync: Sync) -> Result<()> {
    match sync {
        Sync::Visible => Ok(()),
        Sync::Durable | Sync::Complete => Ok(core.store.force(sequence)?),
    }
}
