//! Plain writes: in place where blocks are written and the file's alone; out of place elsewhere.
//!
//! A plain write may be torn by a power cut. What goes out of place (holes, unwritten and shared
//! blocks, past the end of the file) takes the path of atomic writes, run by run.

use super::atomic::write_locked;
use super::blocks::{byte_of, read_block};
use super::commit::{FileChange, commit};
use super::lazy::{save_times, stamp};
use super::place::Placed;
use super::{Position, Request, Sync, Wait, make_durable};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::map::{Mapping, MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::WriteRequest;
use untorn_format::records::Fork;
use untorn_format::{AgBlock, FileBlock, FsBlock};

/// Journal bytes of a transaction that sets times.
const STAMP: u64 = 16 * 1024;

/// Writes `bytes` to `at`; where they begin. Not atomic: a power cut may leave a part of it.
pub(crate) fn write_plain(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    at: Position,
    bytes: &[u8],
    sync: Sync,
    wait: Wait,
) -> Result<u64> {
    let placed = Placed::take(core, inode, at, bytes.len(), wait)?;
    let request = placed.request;
    if bytes.is_empty() {
        return Ok(request.offset);
    }
    match wait {
        Wait::Allowed => placed.clear_cache(core, inode)?,
        Wait::Refused => {
            demand_in_place(core, inode, &request)?;
            placed.clear_clean_cache(core, inode)?;
        }
    }
    write_runs(core, inode, &request, bytes)?;
    let offset = request.offset;
    match sync {
        Sync::Visible => {}
        Sync::Durable => make_durable(core, inode)?,
        Sync::Complete => {
            drop(placed);
            save_times(core, inode)?;
            make_durable(core, inode)?;
        }
    }
    Ok(offset)
}

/// Refuses a write that needs more than its bytes put over the file's own, and new times.
fn demand_in_place(core: &Arc<Core>, inode: &Inode, request: &Request) -> Result<()> {
    let mut at = request.offset;
    while at < request.end() {
        let run = next_run(core, inode, at, request)?;
        match run.target {
            Target::InPlace(_) => at = run.end << core.geometry.block_log,
            Target::Unwritten(_) | Target::OutOfPlace => {
                return Err(Error::WouldWait("blocks of the file have to be mapped"));
            }
        }
    }
    if !core.is_moved_settled(inode)? {
        return Err(Error::WouldWait("a commit has to be durable first"));
    }
    match core.store.has_room(STAMP) {
        true => Ok(()),
        false => Err(Error::WouldWait("the journal has to be written first")),
    }
}

/// Writes the bytes of a request, its range locked and nothing cached in it.
fn write_runs(core: &Arc<Core>, inode: &Arc<Inode>, request: &Request, bytes: &[u8]) -> Result<()> {
    let offset = request.offset;
    let mut at = offset;
    let mut in_place = false;
    while at < request.end() {
        let run = next_run(core, inode, at, request)?;
        let to = (run.end << core.geometry.block_log).min(request.end());
        let part = &bytes[(at - offset) as usize..(to - offset) as usize];
        match run.target {
            Target::InPlace(start) => {
                core.settle_moved(inode)?;
                overwrite(core, inode, at, part, start)?;
                in_place = true;
            }
            Target::Unwritten(start) => {
                core.settle_moved(inode)?;
                overwrite(core, inode, at, part, start)?;
                core.store.note_data_write();
                convert(core, inode, at, to)?;
            }
            Target::OutOfPlace => {
                let part_request = Request { offset: at, length: to - at };
                write_locked(core, inode, part_request, part, Sync::Visible)?;
            }
        }
        at = to;
    }
    if in_place {
        core.store.note_data_write();
        stamp(core, inode, request.end())?;
    }
    Ok(())
}

/// How a run of blocks is written.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Over the file's bytes, from this block of the volume on.
    InPlace(FsBlock),
    /// Into blocks that were set aside for the file, from this one on; then they count as written.
    Unwritten(FsBlock),
    /// To blocks of its own.
    OutOfPlace,
}

/// A run of blocks that is written in one way.
struct Run {
    /// File block after the last.
    end: u64,
    /// How.
    target: Target,
}

/// The unwritten blocks that hold the bytes from `at` to `to` were written; the file reaches at
/// least to there, whatever cached writes may have made of its size.
fn convert(core: &Arc<Core>, inode: &Arc<Inode>, at: u64, to: u64) -> Result<()> {
    let written = core.geometry.file_block(at).0.0..core.geometry.blocks_for(to);
    let converted = std::slice::from_ref(&written);
    let change = FileChange { converted, ..FileChange::write(core, inode, &[], to) };
    commit(core, &[change]).map(|_| ())
}

/// How to write from byte `at` on.
fn next_run(core: &Arc<Core>, inode: &Inode, at: u64, request: &Request) -> Result<Run> {
    let (first, _) = core.geometry.file_block(at);
    let limit = FileBlock(request.blocks(core).end);
    let inside = FileBlock(core.geometry.blocks_for(inode.size()?)).min(limit);
    if first >= inside || request.end() > inode.size()? {
        return out_of_place(core, inode, first, limit, inside);
    }
    let mapping = look(core, inode, first, inside)?;
    in_place_or_not(core, inode, &mapping)
}

fn in_place_or_not(core: &Arc<Core>, inode: &Inode, mapping: &Mapping) -> Result<Run> {
    let end = mapping.end().0;
    match mapping.state {
        MappingState::Written(start) => unshared_run(core, inode, mapping, start),
        MappingState::Unwritten(start) => Ok(Run { end, target: Target::Unwritten(start) }),
        MappingState::Hole => Ok(Run { end, target: Target::OutOfPlace }),
    }
}

/// Everything that extends the file goes out of place with the last blocks before it.
fn out_of_place(
    core: &Arc<Core>,
    inode: &Inode,
    first: FileBlock,
    limit: FileBlock,
    inside: FileBlock,
) -> Result<Run> {
    // Whole blocks inside the file may still be overwritten where they lie.
    let whole = FileBlock(core.geometry.file_block(inode.size()?).0.0).min(inside);
    if first >= whole {
        return Ok(Run { end: limit.0, target: Target::OutOfPlace });
    }
    let mapping = look(core, inode, first, whole)?;
    in_place_or_not(core, inode, &mapping)
}

fn look(core: &Core, inode: &Inode, first: FileBlock, limit: FileBlock) -> Result<Mapping> {
    let _owner = inode.owner.read();
    let image = inode.image();
    find(&mut published(core, inode.ino, &image, Fork::Data)?, first, limit)
}

/// The first part of a written mapping that is shared all through or not at all.
fn unshared_run(core: &Arc<Core>, inode: &Inode, mapping: &Mapping, start: FsBlock) -> Result<Run> {
    if !inode.core()?.is_reflink() {
        return Ok(Run { end: mapping.end().0, target: Target::InPlace(start) });
    }
    let extent = core.ag_extent(start, mapping.length as u32)?;
    let shared = core.shared_parts(extent)?;
    let into = |block: AgBlock| mapping.first.0 + u64::from(block.0 - extent.start.0);
    Ok(match shared.first() {
        None => Run { end: mapping.end().0, target: Target::InPlace(start) },
        Some(part) if part.start > extent.start => {
            Run { end: into(part.start), target: Target::InPlace(start) }
        }
        Some(part) => Run { end: into(part.end()), target: Target::OutOfPlace },
    })
}

/// Writes `bytes` over the blocks from `start` on, which hold the file's bytes around `at`.
fn overwrite(core: &Core, inode: &Inode, at: u64, bytes: &[u8], start: FsBlock) -> Result<()> {
    let size = core.geometry.block_size();
    let (block, skip) = core.geometry.file_block(at);
    let device = byte_of(core, start)?;
    let head = if skip == 0 { 0..0 } else { 0..bytes.len().min(size - skip) };
    let tail = head.end + (bytes.len() - head.end) / size * size..bytes.len();
    let mut merged = Vec::with_capacity(2);
    let mut merge = |part: &Range<usize>, skip: usize| -> Result<()> {
        if !part.is_empty() {
            let into = (at + part.start as u64) >> core.geometry.block_log;
            let mut whole = read_block(core, inode, into)?;
            whole[skip..skip + part.len()].copy_from_slice(&bytes[part.clone()]);
            merged.push((device + ((into - block.0) << core.geometry.block_log), whole));
        }
        Ok(())
    };
    merge(&head, skip)?;
    merge(&tail, 0)?;
    let middle = &bytes[head.end..tail.start];
    let middle_at = device + (skip + head.end) as u64;
    let mut requests: Vec<_> =
        merged.iter().map(|(offset, bytes)| WriteRequest { offset: *offset, bytes }).collect();
    if !middle.is_empty() {
        requests.push(WriteRequest { offset: middle_at, bytes: middle });
    }
    Ok(core.store.device().write_batch(&requests)?)
}
