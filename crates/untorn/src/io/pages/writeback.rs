//! Writing dirty pages to the device: a batch of runs, one transaction.
//!
//! Pages over holes and shared blocks go to blocks of their own, exactly as an atomic write does;
//! pages over blocks that are the file's alone go where they lie. Either way the bytes are on the
//! device before the transaction that maps them, counts them as written and sets the size.

use super::super::begin::{Begun, Piece};
use super::super::blocks::byte_of;
use super::super::commit::{FileChange, Hidden, commit};
use super::super::{Request, demand_regular};
use super::blocks_of;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{CowSpan, Inode, PageRun, Sharing};
use crate::map::{MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::WriteRequest;
use untorn_format::records::Fork;
use untorn_format::{FileBlock, FsBlock};

/// Bytes written back in one batch.
const BATCH: usize = 8 << 20;

/// Writes to the device what is cached and newer than it in the bytes of `range`. The caller holds
/// the range exclusively.
pub(crate) fn write_back(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) -> Result<()> {
    let blocks = blocks_of(core, &range);
    let mut most = (BATCH >> core.geometry.block_log).max(1);
    loop {
        let runs = inode.pages.lock().dirty_runs(blocks.clone(), most);
        if runs.is_empty() {
            return Ok(());
        }
        match write_runs(core, inode, &runs) {
            // So shattered that one transaction cannot map it all.
            Err(Error::TooLarge { .. }) if most > 1 => most /= 2,
            Err(error) => return Err(error),
            Ok(()) => {
                let mut pages = inode.pages.lock();
                runs.iter().for_each(|run| pages.clean(run.blocks()));
                if pages.all_clean() {
                    inode.forget_unsaved();
                }
                drop(pages);
                core.pages.note_clean(inode);
            }
        }
    }
}

/// Takes the range, part by part, and writes back what is dirty in it.
pub(crate) fn flush_range(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) -> Result<()> {
    let log = core.geometry.block_log;
    let blocks = blocks_of(core, &range);
    let mut from = blocks.start;
    while from < blocks.end {
        let most = (BATCH >> log).max(1);
        let runs = inode.pages.lock().dirty_runs(from..blocks.end, most);
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(()) };
        let (start, end) = (first.first, last.blocks().end);
        drop(runs);
        let bytes = start << log..end << log;
        let _range = inode.ranges.lock(bytes.clone(), Sharing::Exclusive);
        match demand_regular(inode) {
            // It was removed while this waited, and its pages with it.
            Err(Error::NotRegular(_)) => return Ok(()),
            regular => regular?,
        }
        write_back(core, inode, bytes)?;
        from = end;
    }
    Ok(())
}

/// Writes back everything that is dirty on the volume; a file that cannot be written back holds up
/// no other, the first error is told in the end.
pub(crate) fn flush_all(core: &Arc<Core>) -> Result<()> {
    let files = core.pages.dirty_files();
    let ends: Vec<_> = files.iter().map(|inode| flush_range(core, inode, 0..u64::MAX)).collect();
    ends.into_iter().collect()
}

/// Where the pages of a run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// To the blocks they lie over, which hold the file's bytes.
    InPlace(FsBlock),
    /// To the blocks they lie over, which count as written from then on.
    Unwritten(FsBlock),
    /// To blocks of their own.
    OutOfPlace,
}

/// A part of a run that goes one way.
struct Part<'r> {
    run: &'r PageRun,
    blocks: Range<u64>,
    target: Target,
}

impl Part<'_> {
    fn pages(&self, blocks: Range<u64>) -> impl Iterator<Item = &[u8]> {
        let skip = (blocks.start - self.run.first) as usize;
        let count = (blocks.end - blocks.start) as usize;
        self.run.pages.iter().skip(skip).take(count).map(|page| &***page)
    }

    /// The requests that put the pages of `blocks` at block `at` of the volume and behind.
    fn requests<'s>(
        &'s self,
        core: &Core,
        blocks: Range<u64>,
        at: FsBlock,
        out: &mut Vec<WriteRequest<'s>>,
    ) -> Result<()> {
        let mut offset = byte_of(core, at)?;
        for bytes in self.pages(blocks) {
            out.push(WriteRequest { offset, bytes });
            offset += bytes.len() as u64;
        }
        Ok(())
    }
}

fn write_runs(core: &Arc<Core>, inode: &Arc<Inode>, runs: &[PageRun]) -> Result<()> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(()) };
    let log = core.geometry.block_log;
    let offset = first.first << log;
    let end = inode.size()?.min(last.blocks().end << log);
    let request = Request { offset, length: end.saturating_sub(offset) };
    let mut parts = Vec::new();
    for run in runs {
        split(core, inode, run, &mut parts)?;
    }
    let ranges = |target: fn(Target) -> bool| -> Vec<Range<u64>> {
        parts.iter().filter(|p| target(p.target)).map(|p| p.blocks.clone()).collect()
    };
    let begun = Begun::new(core, inode, request, ranges(|target| target == Target::OutOfPlace))?;
    if parts.iter().any(|part| part.target != Target::OutOfPlace) {
        core.settle_moved(inode)?;
    }
    let mut requests = Vec::new();
    for part in &parts {
        part_requests(core, part, &begun.pieces, &mut requests)?;
    }
    core.store.device().write_batch(&requests)?;
    core.store.note_data_write();
    let converted = ranges(|target| matches!(target, Target::Unwritten(_)));
    let change = FileChange {
        inode,
        pieces: &begun.pieces,
        converted: &converted,
        cleared: &[],
        size: end,
        cut: u64::MAX,
        hidden: Hidden::Gone,
        time: inode.unsaved_time().unwrap_or_else(|| core.clock.now()),
    };
    commit(core, &[change])?;
    begun.finish();
    Ok(())
}

fn part_requests<'s>(
    core: &Core,
    part: &'s Part<'_>,
    pieces: &[Piece],
    out: &mut Vec<WriteRequest<'s>>,
) -> Result<()> {
    match part.target {
        Target::InPlace(start) | Target::Unwritten(start) => {
            part.requests(core, part.blocks.clone(), start, out)
        }
        Target::OutOfPlace => {
            let from = pieces.partition_point(|piece| piece.range().end <= part.blocks.start);
            let inside = |piece: &&Piece| piece.first.0 < part.blocks.end;
            for piece in pieces.iter().skip(from).take_while(inside) {
                part.requests(core, piece.range(), piece.start, out)?;
            }
            Ok(())
        }
    }
}

/// Cuts a run where its pages begin to go another way.
fn split<'r>(
    core: &Core,
    inode: &Inode,
    run: &'r PageRun,
    parts: &mut Vec<Part<'r>>,
) -> Result<()> {
    let blocks = run.blocks();
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let mut at = blocks.start;
    while at < blocks.end {
        let (end, reserved) = reserved(inode, at, blocks.end);
        let mapping = find(&mut extents, FileBlock(at), FileBlock(end))?;
        let (end, target) = match mapping.state {
            _ if reserved => (end, Target::OutOfPlace),
            MappingState::Hole => (mapping.end().0, Target::OutOfPlace),
            MappingState::Written(start) => (mapping.end().0, Target::InPlace(start)),
            MappingState::Unwritten(start) => (mapping.end().0, Target::Unwritten(start)),
        };
        parts.push(Part { run, blocks: at..end, target });
        at = end;
    }
    Ok(())
}

/// How far the CoW fork has the same to say about pages: whether space is reserved for them.
fn reserved(inode: &Inode, at: u64, limit: u64) -> (u64, bool) {
    match inode.cow.lock().at(FileBlock(at), limit) {
        CowSpan::Delalloc { end } | CowSpan::Waiting { end, .. } => (end.min(limit), true),
        CowSpan::Hole { end } | CowSpan::Idle { end, .. } | CowSpan::InFlight { end, .. } => {
            (end.min(limit), false)
        }
    }
}
