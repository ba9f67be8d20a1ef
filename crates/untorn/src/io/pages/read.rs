//! Cached reads, with readahead.

use super::super::blocks::{byte_of, zeroed};
use super::super::place::lock;
use super::super::{Wait, demand_regular};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, PageBytes, Sharing};
use crate::map::{Mapping, MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{AlignedBuffer, ReadRequest};
use untorn_format::FileBlock;
use untorn_format::records::Fork;

/// Bytes that a readahead fetches at most.
const WINDOW: u64 = 2 << 20;
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
            copy_out(core, block, page.as_deref(), offset, &mut bytes[..length]);
        }
        at = step.end;
    }
    if core.pages.memory.used() > core.pages.memory.limit {
        core.pages.shrink();
    }
    Ok(length)
}

/// Copies the part of a block that was asked for; a block without a page is zeroes.
fn copy_out(core: &Core, block: u64, page: Option<&AlignedBuffer>, offset: u64, bytes: &mut [u8]) {
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

/// Where a read of `wanted` should fetch up to: further and further as long as reads follow each
/// other.
fn window(core: &Core, inode: &Inode, wanted: &Range<u64>) -> Result<u64> {
    let most = (WINDOW >> core.geometry.block_log).max(1);
    let mut pages = inode.pages.lock();
    let follows = pages.next_read == wanted.start && wanted.start > 0;
    pages.next_read = wanted.end;
    pages.window = match follows {
        true => (2 * pages.window).max(wanted.end - wanted.start).clamp(4, most),
        false if wanted.start == 0 => 4.min(most),
        false => 0,
    };
    let (window, missing) = (pages.window, !pages.has(wanted.end));
    drop(pages);
    let end = core.geometry.blocks_for(inode.size()?);
    let ahead = if missing { wanted.end.saturating_add(window) } else { wanted.end };
    Ok(ahead.min(end).max(wanted.end))
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
    let mut found: Vec<Option<PageBytes>> = {
        let mut pages = inode.pages.lock();
        step.clone().map(|block| pages.get(block)).collect()
    };
    let first = found.iter().position(Option::is_none);
    let Some(first) = first.map(|index| step.start + index as u64) else { return Ok(found) };
    let mut read = Vec::new();
    for mapping in written(core, inode, first..last)? {
        load(core, inode, &mapping, &mut read)?;
    }
    if wait == Wait::Refused && !read.is_empty() {
        return Err(Error::WouldWait("the bytes are not in memory"));
    }
    fill(core, &mut read)?;
    let valid = inode.size()?;
    let mut pages = inode.pages.lock();
    for (block, _, mut bytes) in read {
        clip(core, block, valid, &mut bytes);
        let bytes = Arc::new(bytes);
        pages.insert(block, Arc::clone(&bytes));
        let index = block.checked_sub(step.start).map(|index| index as usize);
        if let Some(slot) = index.and_then(|index| found.get_mut(index))
            && slot.is_none()
        {
            *slot = Some(bytes);
        }
    }
    Ok(found)
}

/// Bytes past the end of the file are zero.
fn clip(core: &Core, block: u64, size: u64, bytes: &mut AlignedBuffer) {
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
type Missing = (u64, u64, AlignedBuffer);

/// New pages for the blocks of a mapping that have none.
fn load(core: &Core, inode: &Inode, mapping: &Mapping, out: &mut Vec<Missing>) -> Result<()> {
    let MappingState::Written(start) = mapping.state else { return Ok(()) };
    core.ag_extent(start, mapping.length as u32)?;
    let at = byte_of(core, start)?;
    let size = core.geometry.block_size();
    let pages = inode.pages.lock();
    for index in 0..mapping.length {
        let block = mapping.first.0 + index;
        if !pages.has(block) {
            out.push((block, at + index * size as u64, zeroed(core, size)));
        }
    }
    Ok(())
}

fn fill(core: &Core, read: &mut [Missing]) -> Result<()> {
    let mut requests: Vec<_> =
        read.iter_mut().map(|(_, offset, bytes)| ReadRequest { offset: *offset, bytes }).collect();
    Ok(core.store.device().read_batch(&mut requests)?)
}
