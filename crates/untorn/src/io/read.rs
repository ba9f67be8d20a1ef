//! Reading a regular file.

use super::blocks::{byte_of, read_bytes};
use super::pages::write_back;
use super::place::lock;
use super::{Wait, demand_regular};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, RangeGuard, Sharing};
use crate::map::{Mapping, MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_format::FileBlock;
use untorn_format::records::Fork;

/// Mappings looked up under one hold of the inode's lock.
const BATCH: usize = 64;

/// Fills `bytes` from byte `offset` of the file; how many there were before its end. Atomic writes
/// are seen whole or not at all.
pub(crate) fn read_at(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    offset: u64,
    bytes: &mut [u8],
    wait: Wait,
) -> Result<usize> {
    demand_regular(inode)?;
    let last = offset.saturating_add(bytes.len() as u64);
    let block = core.geometry.block_size() as u64;
    let range = offset / block * block..last.checked_next_multiple_of(block).unwrap_or(u64::MAX);
    let _range = lock_clean(core, inode, range, wait)?;
    demand_regular(inode)?;
    let size = inode.size()?;
    let length = size.saturating_sub(offset).min(bytes.len() as u64) as usize;
    let (bytes, _) = bytes.split_at_mut(length);
    let end = offset + length as u64;
    let mut at = offset;
    while at < end {
        for mapping in mappings(core, inode, at, end)? {
            let to = (mapping.end().0 << core.geometry.block_log).min(end);
            let part = &mut bytes[(at - offset) as usize..(to - offset) as usize];
            fill(core, &mapping, at, part)?;
            at = to;
        }
    }
    Ok(length)
}

/// Locks `range` such that nothing in it is cached and newer than the device.
fn lock_clean<'i>(
    core: &Arc<Core>,
    inode: &'i Arc<Inode>,
    range: Range<u64>,
    wait: Wait,
) -> Result<RangeGuard<'i>> {
    let blocks = core.geometry.file_block(range.start).0.0..core.geometry.blocks_for(range.end);
    let guard = lock(inode, range.clone(), Sharing::Shared, wait)?;
    if !inode.pages.lock().any_dirty(blocks) {
        return Ok(guard);
    }
    if wait == Wait::Refused {
        return Err(Error::WouldWait("cached bytes have to be written back first"));
    }
    drop(guard);
    // Once is enough: what is held exclusively stays clean.
    let guard = inode.ranges.lock(range.clone(), Sharing::Exclusive);
    demand_regular(inode)?;
    write_back(core, inode, range)?;
    Ok(guard)
}

/// The next mappings of the bytes from `at` to `end`.
fn mappings(core: &Core, inode: &Inode, at: u64, end: u64) -> Result<Vec<Mapping>> {
    let (mut block, _) = core.geometry.file_block(at);
    let limit = FileBlock(core.geometry.blocks_for(end));
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let mut found = Vec::new();
    while block < limit && found.len() < BATCH {
        let mapping = find(&mut extents, block, limit)?;
        block = mapping.end();
        found.push(mapping);
    }
    Ok(found)
}

fn fill(core: &Core, mapping: &Mapping, at: u64, bytes: &mut [u8]) -> Result<()> {
    match mapping.state {
        MappingState::Hole | MappingState::Unwritten(_) => {
            bytes.fill(0);
            Ok(())
        }
        MappingState::Written(start) => {
            core.ag_extent(start, mapping.length as u32)?;
            let into = at - (mapping.first.0 << core.geometry.block_log);
            read_bytes(core, byte_of(core, start)? + into, bytes)
        }
    }
}
