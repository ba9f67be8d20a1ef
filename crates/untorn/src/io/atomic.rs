//! Atomic writes: out of place, published by one transaction.
//!
//! Lock the range. Begin: find blocks for all of it. Write the data to those blocks; ends that are
//! not whole blocks are merged with what the file has. Then one transaction takes the blocks from
//! free space, maps them, lets go of what they replace, sets size and times. Anything that fails
//! before the commit leaves the file as it was.

use super::begin::{Begun, Piece};
use super::blocks::{byte_of, read_block, read_raw_block};
use super::{Request, Sync, demand_regular, settle};
use crate::ag::{Users, prepare_all, release};
use crate::clock::now;
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Inode, RangeGuard, Sharing, core_of};
use crate::map;
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{AlignedBuffer, WriteRequest};
use untorn_format::inode::InodeCore;
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{AgExtent, FileBlock};

/// Writes `bytes` at byte `offset` of a regular file, whole or not at all.
pub(crate) fn write_atomic(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    offset: u64,
    bytes: &[u8],
    sync: Sync,
) -> Result<()> {
    demand_regular(inode)?;
    let request = Request::new(core, offset, bytes.len())?;
    if bytes.is_empty() {
        return Ok(());
    }
    let _range = lock_for_write(core, inode, &request)?;
    write_locked(core, inode, request, bytes, sync)
}

/// Writes `bytes` behind the end of the file, whole or not at all; where that was.
pub(crate) fn append_atomic(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    bytes: &[u8],
    sync: Sync,
) -> Result<u64> {
    demand_regular(inode)?;
    let _range = inode.ranges.lock(0..u64::MAX, Sharing::Exclusive);
    demand_regular(inode)?;
    let offset = inode.size()?;
    let request = Request::new(core, offset, bytes.len())?;
    if !bytes.is_empty() {
        write_locked(core, inode, request, bytes, sync)?;
    }
    Ok(offset)
}

/// Locks the blocks of a write; one that extends the file also minds everything from the old end
/// on.
pub(super) fn lock_for_write<'i>(
    core: &Core,
    inode: &'i Inode,
    request: &Request,
) -> Result<RangeGuard<'i>> {
    let log = core.geometry.block_log;
    let blocks = request.blocks(core);
    let first = |size: u64| match request.end() > size {
        true => blocks.start.min(size >> log),
        false => blocks.start,
    };
    loop {
        let seen = first(inode.size()?);
        let range = seen << log..blocks.end.saturating_mul(1 << log);
        let guard = inode.ranges.lock(range, Sharing::Exclusive);
        // The file may have become shorter while this waited.
        if first(inode.size()?) >= seen {
            // It may have been removed while this waited.
            demand_regular(inode)?;
            return Ok(guard);
        }
    }
}

/// The write itself, its range locked.
pub(super) fn write_locked(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    request: Request,
    bytes: &[u8],
    sync: Sync,
) -> Result<()> {
    let blocks = request.blocks(core);
    let tail = dirty_tail(core, inode, &request)?;
    let mut ranges: Vec<_> = tail.iter().map(|tail| tail.block..tail.block + 1).collect();
    ranges.push(blocks);
    let begun = Begun::new(core, inode, request, ranges)?;
    write_pieces(core, inode, &request, bytes, tail.as_ref(), &begun.pieces)?;
    core.store.note_data_write();
    let ((), sequence) = commit(core, inode, &request, &begun.pieces)?;
    begun.finish();
    settle(core, sequence, sync)
}

/// The last block of a file, when what lies behind the end of the file in it is not zero and a
/// write beyond would expose it.
struct Tail {
    block: u64,
    bytes: AlignedBuffer,
}

fn dirty_tail(core: &Core, inode: &Inode, request: &Request) -> Result<Option<Tail>> {
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

/// Writes the data to the blocks that the write was given.
fn write_pieces(
    core: &Core,
    inode: &Inode,
    request: &Request,
    bytes: &[u8],
    tail: Option<&Tail>,
    pieces: &[Piece],
) -> Result<()> {
    let ends = Ends::read(core, inode, request, bytes)?;
    let mut requests = Vec::with_capacity(pieces.len() + 2);
    for piece in pieces {
        let offset = byte_of(core, piece.start)?;
        match tail.filter(|tail| tail.block == piece.first.0) {
            Some(tail) => requests.push(WriteRequest { offset, bytes: &tail.bytes }),
            None => ends.requests(core, piece, offset, &mut requests),
        }
    }
    Ok(core.store.device().write_batch(&requests)?)
}

/// The first and last block of a write where they are not written whole, merged with the file.
struct Ends<'b> {
    request: &'b Request,
    bytes: &'b [u8],
    head: Option<(u64, AlignedBuffer)>,
    tail: Option<(u64, AlignedBuffer)>,
}

impl<'b> Ends<'b> {
    fn read(core: &Core, inode: &Inode, request: &'b Request, bytes: &'b [u8]) -> Result<Self> {
        let size = core.geometry.block_size();
        let (first, skip) = core.geometry.file_block(request.offset);
        let (last, used) = core.geometry.file_block(request.end());
        let mut ends = Self { request, bytes, head: None, tail: None };
        if skip != 0 {
            let mut block = read_block(core, inode, first.0)?;
            let count = bytes.len().min(size - skip);
            block[skip..skip + count].copy_from_slice(&bytes[..count]);
            ends.head = Some((first.0, block));
        }
        if used != 0 && !(skip != 0 && last == first) {
            let mut block = read_block(core, inode, last.0)?;
            block[..used].copy_from_slice(&bytes[bytes.len() - used..]);
            ends.tail = Some((last.0, block));
        }
        Ok(ends)
    }

    /// The device writes of one piece, which begins at byte `at` of the device.
    fn requests<'s>(
        &'s self,
        core: &Core,
        piece: &Piece,
        at: u64,
        out: &mut Vec<WriteRequest<'s>>,
    ) {
        let log = core.geometry.block_log;
        let (mut first, mut end) = (piece.first.0, piece.first.0 + piece.length);
        let mut offset = at;
        if let Some((block, merged)) = &self.head
            && *block == first
        {
            out.push(WriteRequest { offset, bytes: merged });
            first += 1;
            offset += 1 << log;
        }
        let last = self.tail.as_ref().filter(|(block, _)| first < end && *block + 1 == end);
        if last.is_some() {
            end -= 1;
        }
        if first < end {
            let from = ((first << log) - self.request.offset) as usize;
            let length = ((end - first) << log) as usize;
            out.push(WriteRequest { offset, bytes: &self.bytes[from..from + length] });
            offset += length as u64;
        }
        if let Some((_, merged)) = last {
            out.push(WriteRequest { offset, bytes: merged });
        }
    }
}

/// Journal bytes that a commit is expected to take: headers and leaves of a few AGs, and a share
/// for each run.
fn expected_journal(pieces: usize) -> u64 {
    16 * 1024 + 512 * pieces as u64
}

/// One transaction for the whole write.
fn commit(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    request: &Request,
    pieces: &[Piece],
) -> Result<((), untorn_store::Sequence)> {
    let claimed: Vec<AgExtent> =
        pieces.iter().map(|piece| piece.extent(core)).collect::<Result<_>>()?;
    core.transact(expected_journal(pieces.len()), std::slice::from_ref(inode), |tx| {
        let before = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        let users = if before.is_reflink() { Users::Several } else { Users::One };
        let mut replaced = exposed(tx, inode, &before, request)?;
        for piece in pieces {
            let range = piece.first..FileBlock(piece.first.0 + piece.length);
            replaced.push(range);
        }
        let old = mapped(tx, inode, &replaced)?;
        let old_runs: Vec<AgExtent> =
            old.iter().map(|e| core.ag_extent(e.start, e.length)).collect::<Result<_>>()?;
        prepare_all(tx, claimed.iter().chain(&old_runs).copied())?;
        for range in &replaced {
            map::unmap(tx, inode.ino, Fork::Data, range.clone())?;
        }
        for (piece, extent) in pieces.iter().zip(&claimed) {
            tx.take_claimed(*extent)?;
            map_piece(tx, inode, piece)?;
        }
        old_runs.iter().try_for_each(|run| release(tx, *run, users))?;
        touch(tx, inode, request.end())
    })
}

/// Blocks behind the old end of the file, before this write, that were written though nobody could
/// see them: they must not appear now.
fn exposed(
    tx: &mut Tx<'_>,
    inode: &Inode,
    before: &InodeCore,
    request: &Request,
) -> Result<Vec<Range<FileBlock>>> {
    let from = FileBlock(tx.core.geometry.blocks_for(before.size));
    let to = FileBlock(request.blocks(tx.core).start);
    if request.end() <= before.size || from >= to {
        return Ok(Vec::new());
    }
    let found = mapped(tx, inode, &[from..to])?;
    let written = found.into_iter().filter(|extent| extent.state == ExtentState::Written);
    Ok(written.map(|extent| extent.file.max(from)..extent.file_end().min(to)).collect())
}

/// What is mapped in `ranges`, trimmed to them.
fn mapped(tx: &mut Tx<'_>, inode: &Inode, ranges: &[Range<FileBlock>]) -> Result<Vec<Extent>> {
    let mut found = Vec::new();
    for range in ranges {
        let mut at = range.start;
        while let Some(extent) = map::next_extent(tx, inode.ino, Fork::Data, at)?
            .filter(|extent| extent.file < range.end)
        {
            found.push(map::trim(extent, range));
            at = extent.file_end();
        }
    }
    Ok(found)
}

fn map_piece(tx: &mut Tx<'_>, inode: &Inode, piece: &Piece) -> Result<()> {
    let mut done = 0;
    while done < piece.length {
        let length = (piece.length - done).min(u64::from(Extent::MAX_LENGTH));
        let extent = Extent {
            file: FileBlock(piece.first.0 + done),
            start: untorn_format::FsBlock(piece.start.0 + done),
            length: length as u32,
            state: ExtentState::Written,
        };
        map::map(tx, inode.ino, Fork::Data, extent)?;
        done += length;
    }
    Ok(())
}

/// Size and times after a write that ends at byte `end`.
pub(super) fn touch(tx: &mut Tx<'_>, inode: &Inode, end: u64) -> Result<()> {
    let mut after = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
    after.size = after.size.max(end);
    (after.mtime, after.ctime) = (now(), now());
    after.change_count += 1;
    after.encode(tx.inode_mut(inode.ino));
    Ok(())
}
