//! Where a log lies, and positions in it.
//!
//! A log is a ring of 512-byte blocks. A position is an LSN: how often the ring had been filled
//! before, and the block.
//!
//! Never here: what the blocks hold.

use std::sync::Arc;
use untorn_device::{AlignedBuffer, BlockDevice, DeviceError};
use untorn_format::log::{LARGEST_RECORD, LOG_BLOCK, next_cycle};
use untorn_format::{Lsn, Superblock};

/// Lengths of a log in blocks: one of the longest records, to 2 GiB and a little.
const SIZES: std::ops::RangeInclusive<u32> = LARGEST_RECORD / LOG_BLOCK as u32..=1 << 23;

/// Where the log lives and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogArea {
    /// Byte offset of the log's first block on its device.
    pub start: u64,
    /// Length in 512-byte blocks.
    pub blocks: u32,
    /// Log sector size in bytes (512 to 32768): the smallest write.
    pub sector_size: u32,
    /// Unit in bytes that records are padded to: the log's stripe unit where it has one, 512 bytes
    /// otherwise.
    pub unit: u32,
    /// UUID that records carry (`sb_uuid`).
    pub uuid: [u8; 16],
}

impl LogArea {
    /// The log inside the volume of `sb`; `None` where it is on a device of its own.
    pub fn of(sb: &Superblock) -> Option<Self> {
        let geometry = sb.geometry();
        if geometry.log_start.0 == 0 {
            return None;
        }
        let addr = geometry.addr_of(geometry.log_start)?;
        Self::at(sb, geometry.byte_of(addr))
    }
    /// The log of `sb` where it begins at byte `start` of its device; `None` where it is shorter or
    /// longer than any log may be.
    pub fn at(sb: &Superblock, start: u64) -> Option<Self> {
        let geometry = sb.geometry();
        let blocks = u64::from(geometry.log_blocks) * geometry.sectors_per_block();
        let sector_size = 1 << sb.log.sector_log;
        let unit = sb.log.stripe_unit.max(LOG_BLOCK as u32).max(sector_size);
        let blocks = u32::try_from(blocks).ok().filter(|blocks| SIZES.contains(blocks))?;
        Some(Self { start, blocks, sector_size, unit, uuid: sb.uuid })
    }
    /// The position `count` blocks, at most one whole ring, behind `from`.
    pub fn advance(&self, from: Lsn, count: u32) -> Lsn {
        let block = u64::from(from.block()) + u64::from(count);
        match u32::try_from(block).ok().filter(|&block| block < self.blocks) {
            Some(block) => Lsn::new(from.cycle(), block),
            None => {
                let block = block - u64::from(self.blocks);
                Lsn::new(next_cycle(from.cycle()), block as u32)
            }
        }
    }
    /// Blocks from block `from` forward to block `to`: a whole ring where they are the same.
    pub fn distance(&self, from: u32, to: u32) -> u32 {
        match to.checked_sub(from) {
            None | Some(0) => self.blocks - (from - to),
            Some(distance) => distance,
        }
    }
    /// Whether `tail` lies before `head`, or at it, and less than a whole ring before.
    pub fn is_behind(&self, tail: Lsn, head: Lsn) -> bool {
        match tail.cycle() == head.cycle() {
            true => tail.block() <= head.block(),
            false => next_cycle(tail.cycle()) == head.cycle() && tail.block() > head.block(),
        }
    }
    fn byte(&self, block: u32) -> u64 {
        self.start + u64::from(block) * LOG_BLOCK as u64
    }
}

/// A log area on its device: blocks in, blocks out.
#[derive(Clone)]
pub struct Ring {
    device: Arc<dyn BlockDevice>,
    area: LogArea,
}

impl Ring {
    /// The ring of `area` on `device`.
    pub fn new(device: Arc<dyn BlockDevice>, area: LogArea) -> Self {
        Self { device, area }
    }
    /// Where it lies.
    pub fn area(&self) -> &LogArea {
        &self.area
    }
    /// The device.
    pub fn device(&self) -> &Arc<dyn BlockDevice> {
        &self.device
    }
    /// Memory that the device reads and writes without a copy.
    pub fn buffer(&self, bytes: usize) -> AlignedBuffer {
        AlignedBuffer::zeroed(bytes, self.device.geometry().memory_alignment.max(1) as usize)
    }
    /// Reads the blocks from `block` on, around the end, into `bytes` (whole blocks, at most one
    /// ring). Sectors are read whole, whatever `block` and the length are.
    pub fn read(&self, block: u32, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let (first, second) = self.split(block, bytes.len());
        let (head, tail) = bytes.split_at_mut(first);
        self.read_run(block, head)?;
        assert_eq!(tail.len(), second);
        self.read_run(0, tail)
    }
    fn read_run(&self, block: u32, bytes: &mut [u8]) -> Result<(), DeviceError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sector = u64::from(self.area.sector_size.max(self.device.geometry().sector_size));
        let start = self.area.byte(block);
        let end = start + bytes.len() as u64;
        let (from, to) = (start / sector * sector, end.next_multiple_of(sector));
        if (from, to) == (start, end) {
            return self.device.read_at(start, bytes);
        }
        let mut whole = self.buffer((to - from) as usize);
        self.device.read_at(from, &mut whole)?;
        let skip = (start - from) as usize;
        bytes.copy_from_slice(&whole[skip..skip + bytes.len()]);
        Ok(())
    }
    /// Writes `bytes`, whole sectors, to the blocks from `block` on, around the end.
    pub fn write(&self, block: u32, bytes: &[u8]) -> Result<(), DeviceError> {
        let (first, second) = self.split(block, bytes.len());
        let (head, tail) = bytes.split_at(first);
        assert_eq!(tail.len(), second);
        self.device.write_at(self.area.byte(block), head)?;
        if !tail.is_empty() {
            self.device.write_at(self.area.byte(0), tail)?;
        }
        Ok(())
    }
    /// Bytes of `length` before the end of the ring, and behind it.
    fn split(&self, block: u32, length: usize) -> (usize, usize) {
        assert!(length.is_multiple_of(LOG_BLOCK) && block < self.area.blocks);
        assert!(length / LOG_BLOCK <= self.area.blocks as usize);
        let to_end = (self.area.blocks - block) as usize * LOG_BLOCK;
        let first = length.min(to_end);
        (first, length - first)
    }
}
