//! Where the log lies and how large it is.

use untorn_format::{AgNumber, Geometry};

use super::error::{Result, demand, refuse};
use super::options::{Log, LogRoom};
use super::stripe::Striped;

/// Fewest blocks of a log, whatever Linux reserves.
const FEWEST_BLOCKS: u64 = 512;
/// Most blocks of a log.
const MOST_BLOCKS: u64 = 1 << 20;
/// Most bytes of a log.
const MOST_BYTES: u64 = (2 << 30) - (10 << 20);
/// Largest stripe unit in bytes.
const LARGEST_UNIT: u32 = 256 << 10;
/// From this size of volume on, in bytes, a log of the default size has [`DECENT_LOG`].
const DECENT_VOLUME: u64 = 1 << 30;
const DECENT_LOG: u64 = 10 << 20;
/// From this size of volume on, in bytes, a log of the default size has [`USUAL_LOG`].
const USUAL_VOLUME: u64 = 300 << 20;
const USUAL_LOG: u64 = 64 << 20;
/// Volume to log beyond that.
const RATIO: u64 = 2048;

/// Where the log lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its group.
    pub group: AgNumber,
    /// First block in the group.
    pub start: u32,
    /// Blocks.
    pub blocks: u32,
}

/// What bounds the log of one volume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<'a> {
    /// The volume, still without its log.
    pub geometry: &'a Geometry,
    /// Fewest blocks that Linux accepts.
    pub least: u64,
    /// Blocks at the start of each group that are taken.
    pub fixed: u32,
    /// Blocks in each group's free list.
    pub free_list: u32,
    /// Blocks of an inode chunk.
    pub chunk: u32,
    /// Stripe unit in blocks; 0 for none.
    pub unit: u32,
}

/// Bytes that the records of the log are padded to: 1 for none.
pub(super) fn stripe_unit(log: &Log, geometry: &Geometry, striped: Striped) -> Result<u32> {
    let block_size = 1u32 << geometry.block_log;
    match log.stripe_unit {
        None if striped.unit > 0 => Ok(striped.log_unit(geometry.block_log)),
        None if geometry.sector_log == 9 => Ok(1),
        None => Ok(block_size),
        Some(unit) => {
            let name = "log stripe unit";
            // mkfs.xfs accepts others. Linux then pads records past the end of its own buffers.
            let rule = "must be a power of two, at least the block size";
            demand(unit.is_power_of_two() && unit >= block_size, name, unit, rule)?;
            demand(unit <= LARGEST_UNIT, name, unit, "must be at most 256 KiB")?;
            Ok(unit)
        }
    }
}

/// Chooses place and size of the log.
pub(super) fn place(log: &Log, bounds: &Bounds<'_>) -> Result<Place> {
    let geometry = bounds.geometry;
    let group = AgNumber(log.group.unwrap_or(geometry.ag_count / 2));
    let exists = group.0 < geometry.ag_count;
    demand(exists, "log group", group, "is not a group of the volume")?;
    let start = bounds.start(group);
    let most = bounds.most(group, start);
    let least = bounds.least.max(FEWEST_BLOCKS);
    let blocks = match log.size {
        Some(bytes) => bounds.chosen(bytes)?,
        None => bounds.default_size(least, most, log.room),
    };
    let bytes = |blocks: u64| blocks.saturating_mul(geometry.block_size() as u64);
    if blocks < least && log.size.is_none() {
        let rule = format!(
            "is too small for these choices: the log takes {} bytes, a group has room for {}",
            bytes(least),
            bytes(most)
        );
        return refuse("size", bytes(geometry.data_blocks), rule);
    }
    if blocks < least {
        let rule = format!("must be at least {} bytes for Linux to mount it", bytes(least));
        return refuse("log size", bytes(blocks), rule);
    }
    if blocks > most {
        let rule = format!("must be at most {} bytes to fit into its group", bytes(most));
        return refuse("log size", bytes(blocks), rule);
    }
    // At most 2^20 blocks: cannot be cut.
    Ok(Place { group, start, blocks: blocks as u32 })
}

impl Bounds<'_> {
    /// First block of the log in its group: after the fixed blocks, where the volume-wide number
    /// of the block is a multiple of the stripe unit.
    fn start(&self, group: AgNumber) -> u32 {
        let name = u64::from(group.0) << self.geometry.ag_block_log | u64::from(self.fixed);
        match self.unit {
            0 | 1 => self.fixed,
            unit => {
                let aligned = name.next_multiple_of(unit.into());
                self.fixed + (aligned - name) as u32
            }
        }
    }
    /// Most blocks of a log that begins at `start`.
    fn most(&self, group: AgNumber, start: u32) -> u64 {
        // A group without any free block cannot grow its btrees.
        let rest = self.geometry.blocks_of(group).saturating_sub(start + self.free_list + 1);
        // The root directory needs a chunk of inodes, and room to align it.
        let root = if group.0 == 0 { 4 * self.chunk } else { 0 };
        let most = u64::from(rest.saturating_sub(root));
        most.min(MOST_BLOCKS).min(MOST_BYTES >> self.geometry.block_log)
    }
    /// A size that the caller chose, in blocks.
    fn chosen(&self, bytes: u64) -> Result<u64> {
        let whole = bytes.is_multiple_of(1 << self.geometry.block_log);
        demand(whole, "log size", bytes, "must be a multiple of the block size")?;
        let blocks = bytes >> self.geometry.block_log;
        let padded = blocks.is_multiple_of(u64::from(self.unit).max(1));
        demand(padded, "log size", bytes, "must be a multiple of the log stripe unit")?;
        Ok(blocks)
    }
    /// The size of a log that nobody chose.
    fn default_size(&self, least: u64, most: u64, room: LogRoom) -> u64 {
        let log = self.geometry.block_log;
        let volume = self.geometry.data_blocks << log;
        let least = match volume < DECENT_VOLUME || room == LogRoom::Least {
            true => least,
            false => least.max(DECENT_LOG >> log),
        };
        let wanted = match volume < USUAL_VOLUME || room == LogRoom::Least {
            true => least,
            false => (self.geometry.data_blocks / RATIO).max(USUAL_LOG >> log),
        };
        let blocks = wanted.max(least).min(most);
        let unit = u64::from(self.unit).max(1);
        match blocks.next_multiple_of(unit) {
            padded if padded <= most => padded,
            _ => blocks - blocks % unit,
        }
    }
}
