//! Moving bytes between memory and blocks of the device.

use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use crate::map::{MappingState, find, published};
use untorn_device::{AlignedBuffer, DeviceGeometry};
use untorn_format::records::Fork;
use untorn_format::{FileBlock, FsBlock};

/// Byte offset on the device of a block that a mapping named.
pub(super) fn byte_of(core: &Core, block: FsBlock) -> Result<u64> {
    let run = core.ag_extent(block, 1)?;
    Ok(core.geometry.byte_of(core.geometry.addr(run.ag, run.start)))
}

/// Zeroes that the device reads and writes without a copy.
pub(super) fn zeroed(core: &Core, length: usize) -> AlignedBuffer {
    AlignedBuffer::zeroed(length, alignment(&core.store.device().geometry(), length))
}

/// Where memory of `length` bytes begins, so that the device reads and writes it without a copy.
pub(crate) fn alignment(device: &DeviceGeometry, length: usize) -> usize {
    let least = if length.is_multiple_of(4096) { 4096 } else { 8 };
    device.memory_alignment.max(least) as usize
}

/// Reads `bytes` from byte `offset` of the device, whatever their alignment: whole sectors in
/// place, the ends through a sector of their own.
pub(super) fn read_bytes(core: &Core, offset: u64, bytes: &mut [u8]) -> Result<()> {
    let device = core.store.device();
    let sector = core.geometry.sector_size();
    let skip = (offset % sector as u64) as usize;
    if skip == 0 && bytes.len().is_multiple_of(sector) {
        return Ok(device.read_at(offset, bytes)?);
    }
    let head = if skip == 0 { 0 } else { (sector - skip).min(bytes.len()) };
    let middle = (bytes.len() - head) / sector * sector;
    let mut bounce = zeroed(core, sector);
    if head > 0 {
        device.read_at(offset - skip as u64, &mut bounce)?;
        bytes[..head].copy_from_slice(&bounce[skip..skip + head]);
    }
    let (_, rest) = bytes.split_at_mut(head);
    let (whole, tail) = rest.split_at_mut(middle);
    if middle > 0 {
        device.read_at(offset + head as u64, whole)?;
    }
    if !tail.is_empty() {
        device.read_at(offset + (head + middle) as u64, &mut bounce)?;
        tail.copy_from_slice(&bounce[..tail.len()]);
    }
    Ok(())
}

/// Where block `block` of the file lies, if it was written.
fn place_of(core: &Core, inode: &Inode, block: u64) -> Result<Option<FsBlock>> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let mapping = find(&mut extents, FileBlock(block), FileBlock(block + 1))?;
    Ok(match mapping.state {
        MappingState::Written(at) => Some(at),
        MappingState::Hole | MappingState::Unwritten(_) => None,
    })
}

/// What the device holds in block `block` of the file, whatever the file's size; `None` where
/// nothing was written. Never looks at the CoW fork.
pub(super) fn read_raw_block(
    core: &Core,
    inode: &Inode,
    block: u64,
) -> Result<Option<AlignedBuffer>> {
    let Some(at) = place_of(core, inode, block)? else { return Ok(None) };
    let mut bytes = zeroed(core, core.geometry.block_size());
    core.store.device().read_at(byte_of(core, at)?, &mut bytes)?;
    Ok(Some(bytes))
}

/// The file's bytes in block `block`, as the data fork has them: zeroes where nothing was written
/// and past the end of the file.
pub(super) fn read_block(core: &Core, inode: &Inode, block: u64) -> Result<AlignedBuffer> {
    let mut bytes = zeroed(core, core.geometry.block_size());
    fill_block(core, inode, block, &mut bytes)?;
    Ok(bytes)
}

/// Reads into `bytes`, a block, what [`read_block`] reads.
pub(super) fn fill_block(core: &Core, inode: &Inode, block: u64, bytes: &mut [u8]) -> Result<()> {
    let valid = inode.size()?.saturating_sub(block << core.geometry.block_log);
    let valid = valid.min(bytes.len() as u64) as usize;
    let written = if valid == 0 { None } else { place_of(core, inode, block)? };
    let Some(at) = written else {
        bytes.fill(0);
        return Ok(());
    };
    core.store.device().read_at(byte_of(core, at)?, bytes)?;
    bytes[valid..].fill(0);
    Ok(())
}
