//! Giving a file blocks of its own.

use super::super::begin::goal_for;
use super::super::blocks::byte_of;
use super::super::{Change, demand_change};
use super::allocate::fill_holes;
use super::look::{Use, by_use, mappings};
use super::parts::{Mark, Pool, Size, commit};
use super::{demand_range, own_with_hint, touched};
use crate::ag::shared_run;
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Inode, core_of};
use crate::map::{self, MappingState};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{AlignedBuffer, WriteRequest};
use untorn_format::inode::InodeFlags2;
use untorn_format::records::{ExtentState, Fork};
use untorn_format::{FileBlock, FsBlock};

/// Bytes that are copied at a time.
const COPY: u64 = 1 << 20;

/// Gives the file copies of all blocks in `range` that other files use too, and blocks in the
/// place of holes, so that writing there never runs out of space. Its bytes stay as they are,
/// whatever happens meanwhile. All blocks are found before anything changes.
pub(crate) fn unshare_range(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) -> Result<()> {
    demand_range(core, &range)?;
    let _range = own_with_hint(core, inode, &range)?;
    demand_change(inode, Change::Rewrite)?;
    let range = touched(core, &range);
    let shared = shared_in(core, inode, &range)?;
    let count = shared.iter().map(|(range, _)| range.end.0 - range.start.0).sum();
    let mut pool = Pool::new(core, goal_for(core, inode, range.start.0)?, count)?;
    let mut parts = Vec::new();
    fill_holes(core, inode, range.clone(), &mut parts)?;
    for (blocks, start) in shared {
        let first = parts.len();
        pool.fill(blocks.clone(), ExtentState::Written, &mut parts);
        for part in &parts[first..] {
            let from = FsBlock(start.0 + (part.range.start.0 - blocks.start.0));
            if let Some(claim) = part.claim() {
                copy(core, from, claim.block(0), part.range.end.0 - part.range.start.0)?;
            }
        }
    }
    core.store.note_data_write();
    parts.sort_by_key(|part| part.range.start);
    commit(core, inode, parts, Size::Keep, Mark::Preallocated)?;
    match inode.core()?.is_reflink() {
        true => stop_sharing(core, inode, &range),
        false => Ok(()),
    }
}

/// The shared blocks in `range`: where they are in the file and on the volume.
fn shared_in(
    core: &Arc<Core>,
    inode: &Inode,
    range: &Range<FileBlock>,
) -> Result<Vec<(Range<FileBlock>, FsBlock)>> {
    let mut shared = Vec::new();
    let mut rest = range.clone();
    if !inode.core()?.is_reflink() {
        return Ok(shared);
    }
    while rest.start < rest.end {
        for mapping in mappings(core, inode, &rest)? {
            rest.start = mapping.end();
            let MappingState::Written(start) = mapping.state else { continue };
            let pieces = by_use(core, inode, &mapping, start)?;
            shared.extend(pieces.into_iter().filter(|piece| piece.1 == Use::Shared).map(
                |(blocks, _)| {
                    let start = FsBlock(start.0 + (blocks.start.0 - mapping.first.0));
                    (blocks, start)
                },
            ));
        }
    }
    Ok(shared)
}

/// Copies `count` blocks of the volume.
fn copy(core: &Core, from: FsBlock, to: FsBlock, count: u64) -> Result<()> {
    let device = core.store.device();
    let alignment = device.geometry().memory_alignment.max(8) as usize;
    let (from, to) = (byte_of(core, from)?, byte_of(core, to)?);
    let length = count << core.geometry.block_log;
    let mut bytes = AlignedBuffer::zeroed(length.min(COPY) as usize, alignment);
    let mut done = 0;
    while done < length {
        let part = &mut bytes[..(length - done).min(COPY) as usize];
        device.read_at(from + done, part)?;
        device.write_batch(&[WriteRequest { offset: to + done, bytes: part }])?;
        done += part.len() as u64;
    }
    Ok(())
}

/// Takes the mark that it may share blocks from a file that shares none any more; looked at only
/// when `range` was all of the file.
fn stop_sharing(core: &Arc<Core>, inode: &Arc<Inode>, range: &Range<FileBlock>) -> Result<()> {
    core.transact(4096, std::slice::from_ref(inode), |tx| {
        let mut at = FileBlock(0);
        while let Some(extent) = map::next_extent(tx, inode.ino, Fork::Data, at)? {
            if extent.file < range.start || extent.file_end() > range.end {
                return Ok(());
            }
            let run = tx.core.ag_extent(extent.start, extent.length)?;
            tx.lock_ag(run.ag)?;
            if shared_run(tx, run)?.is_some() {
                return Ok(());
            }
            at = extent.file_end();
        }
        let mut after = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        after.flags2 = after.flags2.without(InodeFlags2::REFLINK);
        after.encode(tx.inode_mut(inode.ino));
        Ok(())
    })?;
    Ok(())
}
