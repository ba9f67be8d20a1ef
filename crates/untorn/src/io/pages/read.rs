//! Cached reads, with readahead.

use super::super::blocks::byte_of;
use super::super::place::lock;
use super::super::{Wait, demand_regular};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, PageBytes, Sharing};
use crate::map::{Mapping, MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{PooledBuffer, ReadRequest};
use untorn_format::FileBlock;
use untorn_format::records::Fork;

/// Bytes that a reader fetches beyond what it was asked for, at most.
const EXTRA: u64 = 2 << 20;
/// Bytes that are asked for ahead of a reader, at most.
const WINDOW: u64 = 8 << 20;
/// Bytes of one request ahead of a reader.
const CHUNK: u64 = 1 << 20;
/// Blocks that are looked up in the cache at a time.
const STEP: u64 = 256;

/// Fills `bytes` from byte `offset` of the file through the cache; how many there were before its
/// end.
pub(crate) fn read_cached(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    offset: u64,
    bytes: &mut [u8],
    wait: Wait,
) -> Result<usize> {
    demand_regular(inode)?;
    core.pages.adopt(inode);
    let log = core.geometry.block_log;
    let end = offset.saturating_add(bytes.len() as u64);
    let wanted = core.geometry.file_block(offset).0.0..core.geometry.blocks_for(end);
    let ahead = match wait {
        Wait::Allowed => window(core, inode, &wanted)?,
        Wait::Refused => wanted.end,
    };
    let range = wanted.start << log..ahead.checked_shl(log.into()).unwrap_or(u64::MAX);
    let _range = lock(inode, range, Sharing::Shared, wait)?;
    demand_regular(inode)?;
    let length = inode.size()?.saturating_sub(offset).min(bytes.len() as u64) as usize;
    if length == 0 {
        return Ok(0);
    }
    let end = offset + length as u64;
    let blocks = wanted.start..core.geometry.blocks_for(end);
    let ahead = ahead.min(core.geometry.blocks_for(inode.size()?)).max(blocks.end);
    let mut at = blocks.start;
    while at < blocks.end {
        let step = at..blocks.end.min(at + STEP);
        let last = if step.end == blocks.end { ahead } else { step.end };
        let pages = fetch(core, inode, step.clone(), last, wait)?;
        for (block, page) in step.clone().zip(pages) {
            copy_out(core, block, page.as_ref().map(|page| &***page), offset, &mut bytes[..length]);
        }
        at = step.end;
    }
    if core.pages.memory.used() > core.pages.memory.limit {
        core.pages.shrink();
    }
    Ok(length)
}

/// Copies the part of a block that was asked for; a block without a page is zeroes.
fn copy_out(core: &Core, block: u64, page: Option<&[u8]>, offset: u64, bytes: &mut [u8]) {
    let size = core.geometry.block_size() as u64;
    let start = block << core.geometry.block_log;
    let from = offset.max(start);
    let to = (offset + bytes.len() as u64).min(start + size);
    let out = &mut bytes[(from - offset) as usize..(to - offset) as usize];
    match page {
        Some(page) => out.copy_from_slice(&page[(from - start) as usize..(to - start) as usize]),
        None => out.fill(0),
    }
}

/// Where a read of `wanted` should fetch up to itself. As long as reads follow each other, more
/// and more is read ahead: by the threads for that, or by the reader where there are none.
fn window(core: &Arc<Core>, inode: &Arc<Inode>, wanted: &Range<u64>) -> Result<u64> {
    let end = core.geometry.blocks_for(inode.size()?);
    let ahead = &core.pages.ahead;
    let by_threads = ahead.is_there();
    let most = if by_threads { WINDOW.min(core.pages.memory.limit as u64 / 8) } else { EXTRA };
    let mut pages = inode.pages.lock();
    let course = &mut pages.course;
    course.advance(wanted, (most >> core.geometry.block_log).max(1));
    let upto = wanted.end.saturating_add(course.window).min(end).max(wanted.end);
    if !by_threads {
        return Ok(if pages.has(wanted.end) { wanted.end } else { upto });
    }
    let from = course.asked.max(wanted.end);
    let enough = upto.saturating_sub(from) >= course.window / 2 || upto == end;
    if from >= upto || !enough {
        return Ok(wanted.end);
    }
    course.asked = upto;
    let missing = pages.missing(from..upto);
    drop(pages);
    if let (Some(&first), Some(&last)) = (missing.first(), missing.last()) {
        let chunk = (CHUNK >> core.geometry.block_log).max(1);
        for start in (first..last + 1).step_by(chunk as usize) {
            ahead.ask(core, inode, start..(start + chunk).min(last + 1));
        }
    }
    Ok(wanted.end)
}

/// The pages of `step`, read where they are missing, and with the last of them those up to `last`.
/// Holes have none.
fn fetch(
    core: &Arc<Core>,
    inode: &Inode,
    step: Range<u64>,
    last: u64,
    wait: Wait,
) -> Result<Vec<Option<PageBytes>>> {
    let found = inode.pages.lock().find_all(step.clone());
    let missing = |found: &[Option<PageBytes>]| {
        let first = found.iter().position(Option::is_none);
        first.map(|index| step.start + index as u64)
    };
    let Some(first) = missing(&found) else { return Ok(found) };
    if wait == Wait::Refused {
        return match written(core, inode, first..step.end)?.is_empty() {
            true => Ok(found),
            false => Err(Error::WouldWait("the bytes are not in memory")),
        };
    }
    core.pages.ahead.settle(inode.ino, first..step.end);
    let mut found = inode.pages.lock().find_all(step.clone());
    let Some(first) = missing(&found) else { return Ok(found) };
    for (block, bytes) in read_missing(core, inode, first..last)? {
        let index = block.checked_sub(step.start).map(|index| index as usize);
        if let Some(slot) = index.and_then(|index| found.get_mut(index))
            && slot.is_none()
        {
            *slot = Some(bytes);
        }
    }
    Ok(found)
}

/// The pages of those of `blocks` that were written, read where there is none yet. The caller holds
/// the range: others may read it too, and fetch the same pages meanwhile.
pub(super) fn read_missing(
    core: &Core,
    inode: &Inode,
    blocks: Range<u64>,
) -> Result<Vec<(u64, PageBytes)>> {
    let (mut found, mut read) = (Vec::new(), Vec::new());
    for mapping in written(core, inode, blocks)? {
        load(core, inode, &mapping, &mut found, &mut read)?;
    }
    fill(core, &mut read)?;
    let valid = inode.size()?;
    let clipped = read.into_iter().map(|(block, _, mut bytes)| {
        clip(core, block, valid, &mut bytes);
        (block, Arc::new(bytes))
    });
    let read: Vec<(u64, PageBytes)> = clipped.collect();
    let mut pages = inode.pages.lock();
    for (block, bytes) in &read {
        pages.insert(*block, Arc::clone(bytes));
    }
    found.extend(read);
    Ok(found)
}

/// Bytes past the end of the file are zero.
fn clip(core: &Core, block: u64, size: u64, bytes: &mut [u8]) {
    let valid = size.saturating_sub(block << core.geometry.block_log);
    if valid < bytes.len() as u64 {
        bytes[valid as usize..].fill(0);
    }
}

/// The written parts of `blocks` of the data fork.
fn written(core: &Core, inode: &Inode, blocks: Range<u64>) -> Result<Vec<Mapping>> {
    let _owner = inode.owner.read();
    let image = inode.image();
    // What lies behind the committed end was never this file's.
    let end = core.geometry.blocks_for(inode.core()?.size).min(blocks.end);
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let (mut at, mut found) = (FileBlock(blocks.start), Vec::new());
    while at.0 < end {
        let mapping = find(&mut extents, at, FileBlock(end))?;
        at = mapping.end();
        if matches!(mapping.state, MappingState::Written(_)) {
            found.push(mapping);
        }
    }
    Ok(found)
}

/// A page to be read: block of the file, byte of the device.
type Missing = (u64, u64, PooledBuffer);

/// The pages of the blocks of a mapping: those that are there, and new ones to be read.
fn load(
    core: &Core,
    inode: &Inode,
    mapping: &Mapping,
    found: &mut Vec<(u64, PageBytes)>,
    out: &mut Vec<Missing>,
) -> Result<()> {
    let MappingState::Written(start) = mapping.state else { return Ok(()) };
    core.ag_extent(start, mapping.length as u32)?;
    let at = byte_of(core, start)?;
    let size = core.geometry.block_size();
    let blocks = mapping.first.0..mapping.end().0;
    let pages = inode.pages.lock().find_all(blocks.clone());
    let missing = pages.iter().filter(|page| page.is_none()).count();
    let mut fresh = core.pages.memory.take_many(missing).into_iter();
    for (block, page) in blocks.zip(pages) {
        let offset = at + (block - mapping.first.0) * size as u64;
        match page {
            Some(page) => found.push((block, page)),
            None => out.extend(fresh.next().map(|bytes| (block, offset, bytes))),
        }
    }
    Ok(())
}

fn fill(core: &Core, read: &mut [Missing]) -> Result<()> {
    let mut requests: Vec<_> =
        read.iter_mut().map(|(_, offset, bytes)| ReadRequest { offset: *offset, bytes }).collect();
    Ok(core.store.device().read_batch(&mut requests)?)
}
