//! Cached writes: space is reserved, bytes go to pages.
//!
//! Space that a page will need when it is written back is reserved before its first byte changes:
//! a volume that is full refuses here, and nowhere later.

use super::super::blocks::{fill_block, read_raw_block};
use super::super::commit::{FileChange, commit};
use super::super::place::Placed;
use super::super::{Position, Request, Sync, Wait, fsync};
use super::{flush_all, write_back};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::map::{MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::PooledBuffer;
use untorn_format::btree::BtreeKind;
use untorn_format::records::{ExtentState, Fork};
use untorn_format::{AgBlock, FileBlock};

/// Blocks that are cached at a time.
const STEP: u64 = 256;

/// Writes `bytes` to `at`, into the cache; where they begin.
pub(crate) fn write_cached(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    at: Position,
    bytes: &[u8],
    sync: Sync,
    wait: Wait,
) -> Result<u64> {
    if wait == Wait::Allowed && !bytes.is_empty() {
        core.pages.relieve(core)?;
    }
    core.pages.adopt(inode);
    let offset = match cache(core, inode, at, bytes, wait) {
        // Reservations for the growth of maps are generous: what is written back needs less.
        Err(Error::NoSpace { .. }) if wait == Wait::Allowed => {
            flush_all(core)?;
            cache(core, inode, at, bytes, wait)?
        }
        done => done?,
    };
    match sync {
        Sync::Durable | Sync::Complete if !bytes.is_empty() => fsync(core, inode)?,
        Sync::Visible | Sync::Durable | Sync::Complete => {}
    }
    Ok(offset)
}

fn cache(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    at: Position,
    bytes: &[u8],
    wait: Wait,
) -> Result<u64> {
    let placed = Placed::take(core, inode, at, bytes.len(), wait)?;
    let request = &placed.request;
    if bytes.is_empty() {
        return Ok(request.offset);
    }
    core.store.demand_open()?;
    match wait {
        Wait::Allowed => prepare_end(core, inode, request)?,
        Wait::Refused => demand_ready(core, inode, request)?,
    }
    let before = inode.size()?;
    cache_locked(core, inode, request, bytes, wait)
        .inspect_err(|_| unreserve(inode, request.blocks(core)))?;
    if request.end() > before {
        // Pages have zeroes behind the end, and nothing else goes to the device.
        inode.note_clean_tail(request.end());
    }
    Ok(request.offset)
}

/// Refuses a write for which anything has to be read, reserved or written back first.
fn demand_ready(core: &Arc<Core>, inode: &Inode, request: &Request) -> Result<()> {
    let size = inode.size()?;
    let blocks = request.blocks(core);
    if core.pages.is_pressed() {
        return Err(Error::WouldWait("cached bytes have to be written back first"));
    }
    let in_last_block = blocks.end <= core.geometry.blocks_for(size);
    if request.end() > size && !(in_last_block && inode.has_clean_tail(size)) {
        return Err(Error::WouldWait("the end of the file has to be looked at first"));
    }
    let whole = Whole { core, request };
    let missing = inode.pages.lock().missing(blocks.clone());
    if missing.into_iter().any(|block| whole.is_part(block)) {
        return Err(Error::WouldWait("bytes around it have to be read first"));
    }
    for run in clean_runs(inode, blocks) {
        for part in out_of_place(core, inode, run)? {
            let growth = growth_over_idle(core, inode, part.clone());
            if inode.cow.lock().has_hole(part) || core.try_reserve(growth)?.is_none() {
                return Err(Error::WouldWait("space has to be reserved first"));
            }
        }
    }
    Ok(())
}

fn cache_locked(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    request: &Request,
    bytes: &[u8],
    wait: Wait,
) -> Result<()> {
    let blocks = request.blocks(core);
    reserve(core, inode, blocks.clone())?;
    let mut at = blocks.start;
    while at < blocks.end {
        let step = at..blocks.end.min(at + STEP);
        at = step.end;
        cache_step(core, inode, request, bytes, step)?;
        if wait == Wait::Allowed && core.pages.is_pressed() {
            // The range is this write's: nobody else can write it back.
            write_back(core, inode, request.offset..byte(core, at))?;
            core.pages.shrink();
        }
    }
    // Still open: whoever closes the volume from now on finds these pages.
    Ok(core.store.demand_open()?)
}

fn byte(core: &Core, block: u64) -> u64 {
    block << core.geometry.block_log
}

/// Puts the bytes of the blocks `step` into pages.
fn cache_step(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    request: &Request,
    bytes: &[u8],
    step: Range<u64>,
) -> Result<()> {
    let whole = Whole { core, request };
    let mut ends = whole.read_ends(inode, &step)?;
    let mut pages = inode.pages.lock();
    let missing = pages.missing(step.clone()).len().saturating_sub(ends.len());
    let mut fresh = core.pages.memory.take_many(missing).into_iter();
    for block in step.clone() {
        let (within, from) = whole.part(block);
        let bytes = &bytes[from..from + within.len()];
        if let Some(page) = pages.change(block) {
            page[within].copy_from_slice(bytes);
            continue;
        }
        let mut page = match ends.iter().position(|(end, _)| *end == block) {
            Some(end) => ends.swap_remove(end).1,
            None => fresh.next().unwrap_or_else(|| core.pages.memory.take()),
        };
        page[within].copy_from_slice(bytes);
        pages.insert(block, Arc::new(page));
        let _ = pages.change(block);
    }
    // Before the pages are let go of: whoever finds them all clean forgets what was noted.
    inode.note_unsaved(request.end().min(byte(core, step.end)), core.clock.now());
    drop(pages);
    core.pages.note_dirty(inode);
    if core.pages.is_filling() {
        core.worker.hurry();
    }
    Ok(())
}

/// A write as its blocks see it.
struct Whole<'a> {
    core: &'a Core,
    request: &'a Request,
}

impl Whole<'_> {
    /// The bytes of `block` that are written, and where they begin in the write.
    fn part(&self, block: u64) -> (Range<usize>, usize) {
        let start = byte(self.core, block);
        let from = self.request.offset.max(start);
        let to = self.request.end().min(start + self.core.geometry.block_size() as u64);
        ((from - start) as usize..(to - start) as usize, (from - self.request.offset) as usize)
    }

    /// Whether the write leaves some of `block` alone: only its first and its last block can be so.
    fn is_part(&self, block: u64) -> bool {
        self.part(block).0.len() < self.core.geometry.block_size()
    }

    /// The blocks of `step` that are written in part, as they are. A clean page may be evicted
    /// before it is looked for again, so none is relied on.
    fn read_ends(&self, inode: &Inode, step: &Range<u64>) -> Result<Vec<(u64, PooledBuffer)>> {
        let mut ends = Vec::new();
        let last = (step.end - 1 > step.start).then_some(step.end - 1);
        for block in std::iter::once(step.start).chain(last) {
            // A dirty page stays: the range is the write's.
            if !self.is_part(block) || inode.pages.lock().is_dirty(block) {
                continue;
            }
            let mut bytes = self.core.pages.memory.take();
            match inode.pages.lock().get(block) {
                Some(page) => bytes.copy_from_slice(&page),
                None => fill_block(self.core, inode, block, &mut bytes)?,
            }
            ends.push((block, bytes));
        }
        Ok(ends)
    }
}

/// Reserves what writing back the blocks `step` will take: blocks that are dirty already have it.
fn reserve(core: &Arc<Core>, inode: &Arc<Inode>, step: Range<u64>) -> Result<()> {
    let growth = |blocks| growth(core, blocks);
    for run in clean_runs(inode, step) {
        for part in out_of_place(core, inode, run)? {
            let mut spare = core.reserve(growth_over_idle(core, inode, part.clone()))?;
            let bare = inode.cow.lock().wait_in(part, &mut spare, growth);
            for hole in bare {
                reserve_hole(core, inode, hole)?;
            }
        }
    }
    Ok(())
}

/// Gives back what was reserved for blocks that did not become dirty.
fn unreserve(inode: &Inode, blocks: Range<u64>) {
    for run in clean_runs(inode, blocks) {
        drop(inode.cow.lock().remove(run));
    }
}

/// Reserves the blocks of `hole`, and those by which the file's map may grow for it.
fn reserve_hole(core: &Arc<Core>, inode: &Arc<Inode>, hole: Range<u64>) -> Result<()> {
    let blocks = hole.end - hole.start;
    let growth = |blocks| growth(core, blocks);
    let mut reserve = core.reserve(blocks + growth(blocks))?;
    let mut cow = inode.cow.lock();
    // Another write's hint may have put idle blocks here meanwhile.
    let mut spare = reserve.split(blocks);
    let bare = cow.wait_in(hole.clone(), &mut spare, growth);
    reserve.join(spare);
    if bare == [hole.clone()] {
        cow.reserve(hole, reserve, growth);
        return Ok(());
    }
    for part in bare {
        let rest = reserve.split(part.end - part.start);
        cow.reserve(part, std::mem::replace(&mut reserve, rest), growth);
    }
    Ok(())
}

/// Blocks by which the map of a file may grow when `blocks` of it are mapped.
fn growth(core: &Core, blocks: u64) -> u64 {
    core.limits.blocks_for(BtreeKind::Bmbt, blocks) + u64::from(core.limits.bmbt_levels(Fork::Data))
}

/// Blocks by which the map of a file may grow when its idle blocks in `part` are mapped.
fn growth_over_idle(core: &Core, inode: &Inode, part: Range<u64>) -> u64 {
    let idle = inode.cow.lock().idle_in(part);
    idle.iter().map(|piece| growth(core, piece.end - piece.start)).sum()
}

/// The runs of blocks of `step` whose pages are not dirty.
fn clean_runs(inode: &Inode, step: Range<u64>) -> Vec<Range<u64>> {
    inode.pages.lock().clean_runs(step)
}

/// The parts of `run` that cannot be written where they lie: holes and shared blocks.
fn out_of_place(core: &Arc<Core>, inode: &Inode, run: Range<u64>) -> Result<Vec<Range<u64>>> {
    let mut parts = Vec::new();
    let mut written = Vec::new();
    {
        let _owner = inode.owner.read();
        let image = inode.image();
        let mut extents = published(core, inode.ino, &image, Fork::Data)?;
        let mut at = FileBlock(run.start);
        while at.0 < run.end {
            let mapping = find(&mut extents, at, FileBlock(run.end))?;
            at = mapping.end();
            match mapping.state {
                MappingState::Hole => parts.push(mapping.first.0..at.0),
                MappingState::Unwritten(_) => {}
                MappingState::Written(start) => written.push((mapping, start)),
            }
        }
    }
    if inode.core()?.is_reflink() {
        for (mapping, start) in written {
            let extent = core.ag_extent(start, mapping.length as u32)?;
            let into = |block: AgBlock| mapping.first.0 + u64::from(block.0 - extent.start.0);
            let shared = core.shared_parts(extent)?;
            parts.extend(shared.iter().map(|part| into(part.start)..into(part.end())));
        }
    }
    Ok(parts)
}

/// A write that makes the file longer must not show what lies behind its end, whatever part of it
/// is committed first: what is there is zeroes on the device before the first byte is cached.
fn prepare_end(core: &Arc<Core>, inode: &Arc<Inode>, request: &Request) -> Result<()> {
    let size = inode.size()?;
    if request.end() <= size {
        return Ok(());
    }
    hide_exposed(core, inode, request)?;
    let (block, used) = core.geometry.file_block(size);
    if used == 0 || inode.has_clean_tail(size) {
        return Ok(());
    }
    let stale = read_raw_block(core, inode, block.0)?
        .is_some_and(|bytes| bytes[used..].iter().any(|&byte| byte != 0));
    if stale {
        zero_tail(core, inode, block.0)?;
    }
    inode.note_clean_tail(size);
    Ok(())
}

/// Writes the last block of a file anew, with zeroes behind its end, as pages have it.
fn zero_tail(core: &Arc<Core>, inode: &Arc<Inode>, block: u64) -> Result<()> {
    let mut last = core.pages.memory.take();
    fill_block(core, inode, block, &mut last)?;
    reserve(core, inode, block..block + 1)?;
    let mut pages = inode.pages.lock();
    pages.insert(block, Arc::new(last));
    let _ = pages.change(block);
    drop(pages);
    core.pages.note_dirty(inode);
    write_back(core, inode, byte(core, block)..byte(core, block + 1))
}

/// Lets go of written blocks from the end of the file to that of a write: those that the write
/// covers too, lest a part of it that is committed first shows the others.
fn hide_exposed(core: &Arc<Core>, inode: &Arc<Inode>, request: &Request) -> Result<()> {
    let from = FileBlock(core.geometry.blocks_for(inode.size()?));
    let to = FileBlock(request.blocks(core).end);
    let mut hidden = Vec::new();
    if from < to {
        let _owner = inode.owner.read();
        let image = inode.image();
        let mut extents = published(core, inode.ino, &image, Fork::Data)?;
        let mut at = from;
        while let Some(extent) = extents.at_or_after(at)?.filter(|extent| extent.file < to) {
            if extent.state == ExtentState::Written {
                hidden.push(extent.file.max(at).0..extent.file_end().min(to).0);
            }
            at = extent.file_end();
        }
    }
    if hidden.is_empty() {
        return Ok(());
    }
    let change = FileChange { cleared: &hidden, ..FileChange::write(core, inode, &[], 0) };
    commit(core, &[change]).map(|_| ())
}
