//! Growing: the last group is made longer, new groups follow.
//!
//! ```text
//! new groups are written behind the end of the volume and made durable
//! one transaction: the last group's length and free space, size and counters of the volume,
//!                  the copies of the superblock
//! ```
//! Nothing before the transaction changes what the volume is, and the transaction is there whole or
//! not at all. Where the journal cannot carry so many copies, the rest follows in transactions of
//! their own; copies that a crash between them left behind are put right by growing again.

use super::copies::{self, EACH};
use crate::ag;
use crate::core::{Core, CounterChange};
use crate::error::{Error, Result};
use crate::mkfs::{self, NewGroups};
use crate::tx::Tx;
use crate::volume::Volume;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_device::BlockDevice;
use untorn_format::superblock::{Counters, SuperblockDisk};
use untorn_format::{AgBlock, AgExtent, AgNumber, Geometry};

/// Fewest bytes of a new group: those of mkfs.
const SMALLEST: u64 = mkfs::SMALLEST_GROUP;
/// Journal bytes that the last group's part takes, before anybody knows.
const LAST_GROUP: u64 = 64 << 10;

/// What growing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grown {
    /// Bytes of a block.
    pub block_size: u32,
    /// Blocks before.
    pub blocks_before: u64,
    /// Blocks now.
    pub blocks: u64,
    /// Allocation groups before.
    pub groups_before: u32,
    /// Allocation groups now.
    pub groups: u32,
}

/// Grows the volume on `device` to `size` bytes, or to the device's where there is none. A rest
/// too small for a group is left. A volume that is as large already is left as it is, but for
/// copies of its superblock that say an older size; a copy that is damaged is an error.
///
/// ```
/// use std::sync::Arc;
/// use untorn::{grow, mkfs};
/// use untorn_device::MemoryDevice;
///
/// let device = Arc::new(MemoryDevice::new(128 << 20));
/// mkfs::make(&*device, &mkfs::Options { size: Some(64 << 20), ..Default::default() })?;
/// let grown = grow(device, None)?;
/// assert_eq!((grown.groups_before, grown.groups), (4, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn grow(device: Arc<dyn BlockDevice>, size: Option<u64>) -> Result<Grown> {
    let room = device.geometry().size;
    let size = size.unwrap_or(room);
    if size > room {
        return Err(Error::Invalid(format!(
            "{size} bytes are more than the device has ({room}): make it larger first, an image \
             with `truncate -s`"
        )));
    }
    let volume = Volume::open(device, super::alone())?;
    let before = &volume.core.geometry;
    let after = larger(before, size)?;
    let grown = Grown {
        block_size: before.block_size() as u32,
        blocks_before: before.data_blocks,
        blocks: after.data_blocks,
        groups_before: before.ag_count,
        groups: after.ag_count,
    };
    if after.data_blocks > before.data_blocks {
        let done = append(&volume, &after);
        match done.and_then(|counters| extend(&volume.core, &after, counters)) {
            Ok(()) => volume.end()?,
            Err(error) => {
                // What the journal has of it, the next opening completes.
                volume.abandon();
                return Err(error);
            }
        }
    } else {
        copies::catch_up(&volume.core)?;
        volume.close()?;
    }
    Ok(grown)
}

/// The volume with `size` bytes.
fn larger(before: &Geometry, size: u64) -> Result<Geometry> {
    let blocks = size >> before.block_log;
    if blocks < before.data_blocks {
        let now = before.data_blocks << before.block_log;
        return Err(Error::Invalid(format!(
            "the volume has {now} bytes and {size} are fewer: volumes are not made smaller; make a \
             new one and copy"
        )));
    }
    let each = u64::from(before.ag_blocks);
    let (whole, rest) = (blocks / each, blocks % each);
    let too_small = rest << before.block_log < SMALLEST && whole >= before.ag_count.into();
    let data_blocks = if too_small { whole * each } else { blocks };
    let data_blocks = data_blocks.max(before.data_blocks);
    match u32::try_from(data_blocks.div_ceil(each)) {
        Ok(ag_count) if ag_count < u32::MAX && i64::try_from(size).is_ok() => {
            Ok(Geometry { data_blocks, ag_count, ..before.clone() })
        }
        _ => Err(Error::Invalid(format!(
            "{size} bytes make more groups than a volume can have: choose a smaller size"
        ))),
    }
}

/// Writes the new groups behind the end of the volume, durably, and returns what the volume's
/// counters are with them.
fn append(volume: &Volume, after: &Geometry) -> Result<Counters> {
    let core = &volume.core;
    let now = |value: &std::sync::atomic::AtomicI64| {
        u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(0)
    };
    let groups = NewGroups::new(&core.superblock, after);
    let counters = Counters {
        inodes: now(&core.counters.inodes),
        free_inodes: now(&core.counters.free_inodes),
        free_blocks: now(&core.counters.free_blocks)
            + u64::from(longer(&core.geometry, after))
            + groups.free_blocks(),
        ..core.superblock.counters
    };
    groups.write(&**core.store.device())?;
    core.store.note_data_write();
    core.store.flush_data()?;
    Ok(counters)
}

/// Blocks by which the last group grows.
fn longer(before: &Geometry, after: &Geometry) -> u32 {
    let last = AgNumber(before.ag_count - 1);
    after.blocks_of(last) - before.blocks_of(last)
}

/// Makes the volume as large as `after` says, durably.
fn extend(core: &Arc<Core>, after: &Geometry, counters: Counters) -> Result<()> {
    let first = copies::together(core, LAST_GROUP);
    let size = |superblock: &mut SuperblockDisk| {
        superblock.dblocks.set(after.data_blocks);
        superblock.agcount.set(after.ag_count);
        counters.store(superblock);
    };
    core.transact(EACH * u64::from(first) + LAST_GROUP, &[], |tx| {
        copies::edit(tx, 0..first, size)?;
        lengthen(tx, longer(&core.geometry, after))?;
        // The superblock has them already.
        tx.counters = CounterChange::default();
        Ok(())
    })?;
    core.store.force_all()?;
    copies::edit_all(core, first, size)
}

/// Makes the last group `blocks` blocks longer; they are free.
fn lengthen(tx: &mut Tx<'_>, blocks: u32) -> Result<()> {
    if blocks == 0 {
        return Ok(());
    }
    let last = AgNumber(tx.core.geometry.ag_count - 1);
    let start = AgBlock(tx.core.geometry.blocks_of(last));
    ag::free_unowned(tx, AgExtent { ag: last, start, length: blocks })?;
    let length = start.0 + blocks;
    ag::edit_agf(tx, last, |agf| agf.length.set(length))?;
    ag::edit_agi(tx, last, |agi| agi.length.set(length))
}

impl Volume {
    /// Closes a volume that is not the one that was opened any more: what is in memory of it says
    /// nothing about the one on the device, whose superblock is right already.
    fn end(self) -> Result<()> {
        self.core.worker.end();
        self.core.pages.ahead.end();
        self.core.store.quiesce()?;
        self.core.store.close()?;
        *self.closer.open.lock() = false;
        Ok(())
    }
}
