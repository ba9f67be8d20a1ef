//! Atomic writes: out of place, published by one transaction.
//!
//! Lock the ranges. Begin: find blocks for all of them. Write the data to those blocks; blocks that
//! are not written whole are merged with what the file has. Then one transaction takes the blocks
//! from free space, maps them, lets go of what they replace, sets size and times. Anything that
//! fails before the commit leaves the files as they were.

use super::begin::{Begun, Piece};
use super::blocks::{byte_of, read_raw_block};
use super::commit::{Beside, FileChange, commit, demand_fits};
use super::compose::{Composed, Requests, Span};
use super::place::Placed;
use super::{Position, Request, Sync, Wait, pages, settle};
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::sync::Arc;
use untorn_device::AlignedBuffer;

/// Writes `bytes` at byte `offset` of a regular file, whole or not at all.
pub(crate) fn write_atomic(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    offset: u64,
    bytes: &[u8],
    sync: Sync,
) -> Result<()> {
    let placed = Placed::take(core, inode, Position::At(offset), bytes.len(), Wait::Allowed)?;
    if bytes.is_empty() {
        return Ok(());
    }
    placed.clear_cache(core, inode)?;
    write_locked(core, inode, placed.request, bytes, sync)
}

/// Writes `bytes` behind the end of the file, whole or not at all; where that was.
pub(crate) fn append_atomic(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    bytes: &[u8],
    sync: Sync,
) -> Result<u64> {
    append_atomic_at(core, inode, bytes, sync, |_| Ok(()))
}

/// Appends where `demand` agrees to the place.
pub(super) fn append_atomic_at(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    bytes: &[u8],
    sync: Sync,
    demand: impl FnOnce(u64) -> Result<()>,
) -> Result<u64> {
    let placed = Placed::take(core, inode, Position::Append, bytes.len(), Wait::Allowed)?;
    let offset = placed.request.offset;
    demand(offset)?;
    if !bytes.is_empty() {
        placed.clear_cache(core, inode)?;
        write_locked(core, inode, placed.request, bytes, sync)?;
    }
    Ok(offset)
}

/// Writes back and forgets what is cached in a range that is held exclusively.
pub(super) fn clear_cache(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    range: std::ops::Range<u64>,
) -> Result<()> {
    pages::write_back(core, inode, range.clone())?;
    pages::forget(core, inode, range);
    Ok(())
}

/// The write itself, its range locked and nothing cached in it.
pub(super) fn write_locked(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    request: Request,
    bytes: &[u8],
    sync: Sync,
) -> Result<()> {
    let span = Span { offset: request.offset, bytes };
    let mut composed = Composed::new(core, inode, &[span])?;
    if let Some(tail) = dirty_tail(core, inode, &request)? {
        composed.keep(tail.block, tail.bytes);
    }
    let begun = Begun::new(core, inode, request, composed.blocks())?;
    let changes = [FileChange::write(core, inode, &begun.pieces, request.end())];
    demand_fits(core, &changes, &Beside::NOTHING)?;
    write_pieces(core, &composed, &begun.pieces)?;
    let sequence = commit(core, &changes)?;
    begun.finish();
    settle(core, sequence, sync)
}

/// Writes the data to the blocks that the write was given.
pub(super) fn write_pieces(core: &Core, composed: &Composed<'_>, pieces: &[Piece]) -> Result<()> {
    write_pieces_of(core, std::iter::once((composed, pieces)))
}

/// Writes the data of several files to the blocks that each was given.
pub(super) fn write_pieces_of<'a, 'b: 'a>(
    core: &Core,
    files: impl Iterator<Item = (&'a Composed<'b>, &'a [Piece])>,
) -> Result<()> {
    let mut requests = Requests::new();
    for (composed, pieces) in files {
        for piece in pieces {
            composed.requests(piece, byte_of(core, piece.start)?, &mut requests);
        }
    }
    core.store.device().write_batch(&requests)?;
    core.store.note_data_write();
    Ok(())
}

/// The last block of a file, when what lies behind the end of the file in it is not zero and a
/// write beyond would expose it.
pub(super) struct Tail {
    pub block: u64,
    pub bytes: AlignedBuffer,
}

pub(super) fn dirty_tail(core: &Core, inode: &Inode, request: &Request) -> Result<Option<Tail>> {
    let size = inode.size()?;
    let (block, used) = core.geometry.file_block(size);
    if used == 0 || block.0 >= request.blocks(core).start || request.end() <= size {
        return Ok(None);
    }
    let raw = read_raw_block(core, inode, block.0)?;
    match raw {
        Some(mut bytes) if bytes[used..].iter().any(|&b| b != 0) => {
            bytes[used..].fill(0);
            Ok(Some(Tail { block: block.0, bytes }))
        }
        _ => Ok(None),
    }
}
