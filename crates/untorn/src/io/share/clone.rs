//! Cloning: blocks of one file become those of another as well.

use super::remap::{After, EXPECTED, Job, room_for_maps, share_all, share_whole};
use super::rules::{self, Blocks, Files, Request, Same, Use};
use super::{own, own_range};
use crate::ag::{Users, release};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::io::atomic::write_locked;
use crate::io::blocks::{read_block, read_raw_block};
use crate::io::{self, Sync};
use crate::map;
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::FileBlock;
use untorn_format::inode::InodeFlags2;
use untorn_format::records::{ExtentState, Fork};

/// What is cloned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Clone {
    /// All bytes, to the start of the other file.
    Whole,
    /// The bytes of `range`, to byte `at`.
    Range { at: u64, range: Range<u64> },
}

impl Clone {
    fn request(&self, files: Files) -> Request {
        match self {
            Self::Whole => Request { from: 0, to: 0, length: files.source },
            Self::Range { at, range } => rules::request(*at, range),
        }
    }
}

/// Makes `dest` share blocks of `source`.
pub(crate) fn clone_range(
    core: &Arc<Core>,
    dest: &Arc<Inode>,
    source: &Arc<Inode>,
    what: &Clone,
) -> Result<()> {
    rules::demand_shareable(core, source, (dest, Use::Changed))?;
    let _owned = own(core, source, dest)?;
    rules::demand_shareable(core, source, (dest, Use::Changed))?;
    let files = Files::of(source, dest)?;
    let request = what.request(files);
    let blocks = rules::to_clone(core, &request, files)?;
    if request.length == 0 {
        return Ok(());
    }
    prepare_end(core, dest, request.to)?;
    let hint = handed_down(source, dest, &request, files)?;
    let after = After::Contents { end: request.to + request.length, hint };
    share_all(core, &Job { source, dest, blocks, after })
}

/// The hint for copy-on-write that goes with a clone of the whole file, as on Linux.
fn handed_down(
    source: &Inode,
    dest: &Inode,
    request: &Request,
    files: Files,
) -> Result<Option<u32>> {
    let (source, dest) = (source.core()?, dest.core()?);
    let whole = (request.from, request.to) == (0, 0)
        && request.length == files.source
        && request.length >= files.dest;
    let hint = source.flags2.has(InodeFlags2::COWEXTSIZE);
    let free = !dest.flags2.has(InodeFlags2::COWEXTSIZE);
    Ok((whole && hint && free).then_some(source.cow_extent_size))
}

/// Makes sure that what a file has behind its end does not appear when it grows past byte `to`.
pub(super) fn prepare_end(core: &Arc<Core>, inode: &Arc<Inode>, to: u64) -> Result<()> {
    let size = inode.size()?;
    if to <= size {
        return Ok(());
    }
    zero_tail(core, inode, size)?;
    let range = FileBlock(core.geometry.blocks_for(size))..core.geometry.file_block(to).0;
    while discard_written(core, inode, range.clone())? {}
    Ok(())
}

/// Where the last block holds other than zeroes behind the end of the file, its bytes go to a block
/// of their own, with zeroes behind them.
fn zero_tail(core: &Arc<Core>, inode: &Arc<Inode>, size: u64) -> Result<()> {
    let (block, used) = core.geometry.file_block(size);
    if used == 0 {
        return Ok(());
    }
    let raw = read_raw_block(core, inode, block.0)?;
    if raw.is_none_or(|bytes| bytes[used..].iter().all(|&byte| byte == 0)) {
        return Ok(());
    }
    let bytes = read_block(core, inode, block.0)?;
    let request = io::Request { offset: size - used as u64, length: used as u64 };
    write_locked(core, inode, request, &bytes[..used], Sync::Visible)
}

/// Extents that one transaction lets go of.
const BATCH: usize = 16;

/// Lets go of written blocks of `range`, which nobody can see; whether there may be more.
fn discard_written(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<FileBlock>) -> Result<bool> {
    let (more, _) = core.transact(16 * 1024, std::slice::from_ref(inode), |tx| {
        let users = match core_of(inode.ino, tx.inode_bytes(inode.ino))?.is_reflink() {
            true => Users::Several,
            false => Users::One,
        };
        let mut at = range.start;
        for _ in 0..BATCH {
            let next = next_written(tx, inode, at..range.end)?;
            let Some(found) = next else { return Ok(false) };
            at = found.end;
            for extent in map::unmap(tx, inode.ino, Fork::Data, found)? {
                let run = tx.core.ag_extent(extent.start, extent.length)?;
                release(tx, run, users)?;
            }
        }
        Ok(true)
    })?;
    Ok(more)
}

fn next_written(
    tx: &mut Tx<'_>,
    inode: &Inode,
    range: Range<FileBlock>,
) -> Result<Option<Range<FileBlock>>> {
    let mut at = range.start;
    while let Some(extent) =
        map::next_extent(tx, inode.ino, Fork::Data, at)?.filter(|e| e.file < range.end)
    {
        if extent.state == ExtentState::Written {
            let extent = map::trim(extent, &range);
            return Ok(Some(extent.file..extent.file_end()));
        }
        at = extent.file_end();
    }
    Ok(None)
}

/// Makes a file that shares all blocks of `source`, by one transaction: `make` makes the file
/// inside it, with `also` locked. Refused as too large where the journal cannot carry it.
pub(crate) fn clone_new(
    core: &Arc<Core>,
    source: &Arc<Inode>,
    also: &Arc<Inode>,
    mut make: impl FnMut(&mut Tx<'_>) -> Result<Arc<Inode>>,
) -> Result<Arc<Inode>> {
    rules::demand_shareable(core, source, (source, Use::Read))?;
    let _owned = own_range(core, source, 0..u64::MAX)?;
    let size = source.size()?;
    let from = source.core()?;
    let blocks =
        Blocks { from: FileBlock(0), to: FileBlock(0), blocks: core.geometry.blocks_for(size) };
    let hint = from.flags2.has(InodeFlags2::COWEXTSIZE).then_some(from.cow_extent_size);
    let after = After::Contents { end: size, hint };
    let files = Files { source: size, dest: 0, same: Same::Two };
    rules::to_clone(core, &Request { from: 0, to: 0, length: size }, files)?;
    let first = [Arc::clone(source), Arc::clone(also)];
    let _room = room_for_maps(core, std::slice::from_ref(source))?;
    let (inode, _) = core.transact(EXPECTED, &first, |tx| {
        let dest = make(tx)?;
        if size > 0 {
            share_whole(tx, &Job { source, dest: &dest, blocks, after })?;
        }
        Ok(dest)
    })?;
    Ok(inode)
}

/// Whether an error says that one transaction cannot carry it all.
pub(crate) fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::TooLarge { .. })
}
