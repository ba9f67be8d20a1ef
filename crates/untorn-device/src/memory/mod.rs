//! A device in memory whose snapshots cost nothing.
//!
//! Invariants: what was never written reads as zeros and takes no memory. A snapshot is a device
//! of its own that shares the pages of the first until one of the two changes them. A request is
//! atomic towards other requests and snapshots.
//!
//! Locks: one reader-writer lock around the tree of pages.
//!
//! Never here: a volatile cache. Every write is durable at once, as far as memory is.

mod image;
mod tree;

use std::fmt;

use parking_lot::RwLock;

use self::tree::{PAGE, Tree};
use crate::{BlockDevice, DeviceGeometry, Discarded, Operation, Result};

/// A sparse device in memory.
pub struct MemoryDevice {
    geometry: DeviceGeometry,
    tree: RwLock<Tree>,
}

/// Sector size, in bytes, of a device in memory unless asked otherwise.
const SECTOR_SIZE: u32 = 512;

impl MemoryDevice {
    /// A device of `size` bytes of zeros in 512-byte sectors.
    pub fn new(size: u64) -> Self {
        Self::with_sector_size(size, SECTOR_SIZE)
    }

    /// A device of `size` bytes of zeros in sectors of `sector_size` bytes (a power of two from
    /// 512); `size` is a multiple of it.
    pub fn with_sector_size(size: u64, sector_size: u32) -> Self {
        assert!(sector_size.is_power_of_two() && sector_size >= SECTOR_SIZE);
        assert!(size.is_multiple_of(u64::from(sector_size)), "{size} bytes in whole sectors");
        let geometry = DeviceGeometry { size, sector_size, memory_alignment: 1, read_only: false };
        Self { geometry, tree: RwLock::new(Tree::for_size(size)) }
    }

    /// A device with this content as of now, independent from now on. Takes constant time.
    pub fn snapshot(&self) -> Self {
        Self { geometry: self.geometry, tree: RwLock::new(self.tree.read().clone()) }
    }

    /// Bytes of memory taken by pages that were written, including those shared with snapshots.
    pub fn allocated_bytes(&self) -> u64 {
        self.tree.read().pages() * PAGE as u64
    }

    /// Bytes of memory that writing the range would newly take.
    pub fn missing_bytes(&self, offset: u64, length: u64) -> u64 {
        let tree = self.tree.read();
        let last = (offset + length).div_ceil(PAGE as u64);
        let missing = (offset / PAGE as u64..last).filter(|&page| tree.page(page).is_none());
        missing.count() as u64 * PAGE as u64
    }

    /// Equal for equal contents and, but for one case in 2^64, only for those. Costs what changed
    /// since it was last asked of this device or of one that it is a snapshot of. Means nothing to
    /// another run of the program.
    pub fn content_hash(&self) -> u64 {
        self.tree.read().hash()
    }

    /// Makes every byte of the range `byte`.
    pub fn fill(&self, offset: u64, length: u64, byte: u8) -> Result<()> {
        self.geometry.check(Operation::Write, offset, length)?;
        let page = PAGE as u64;
        let whole = offset.next_multiple_of(page)..(offset + length) / page * page;
        let pieces = if whole.is_empty() {
            [offset..offset + length, 0..0]
        } else {
            [offset..whole.start, whole.end..offset + length]
        };
        let mut tree = self.tree.write();
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            write_to(&mut tree, piece.start, &vec![byte; (piece.end - piece.start) as usize]);
        }
        match (whole.is_empty(), byte) {
            (true, _) => {}
            (false, 0) => tree.clear(whole.start / page..whole.end / page),
            (false, _) => tree.fill(whole.start / page..whole.end / page, byte),
        }
        Ok(())
    }
}

/// Splits `length` bytes at `offset` at page borders: (page, start in page, length).
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + length as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        let start = (at % PAGE as u64) as usize;
        let piece = (PAGE - start).min((end - at) as usize);
        let page = at / PAGE as u64;
        at += piece as u64;
        (piece > 0).then_some((page, start, piece))
    })
}

fn write_to(tree: &mut Tree, offset: u64, mut bytes: &[u8]) {
    for (page, start, length) in pieces(offset, bytes.len()) {
        let (piece, rest) = bytes.split_at(length);
        match piece.try_into() {
            Ok(whole) => tree.replace(page, whole),
            Err(_) => tree.change(page, start, piece),
        }
        bytes = rest;
    }
}

impl BlockDevice for MemoryDevice {
    fn geometry(&self) -> DeviceGeometry {
        self.geometry
    }

    fn read_at(&self, offset: u64, mut bytes: &mut [u8]) -> Result<()> {
        self.geometry.check(Operation::Read, offset, bytes.len() as u64)?;
        let tree = self.tree.read();
        for (page, start, length) in pieces(offset, bytes.len()) {
            let (piece, rest) = bytes.split_at_mut(length);
            match tree.page(page) {
                Some(page) => piece.copy_from_slice(&page[start..start + length]),
                None => piece.fill(0),
            }
            bytes = rest;
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.geometry.check(Operation::Write, offset, bytes.len() as u64)?;
        write_to(&mut self.tree.write(), offset, bytes);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.geometry.check(Operation::Discard, offset, length)?;
        self.fill(offset, length, 0)?;
        Ok(Discarded::Done)
    }
}

impl fmt::Debug for MemoryDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryDevice")
            .field("geometry", &self.geometry)
            .field("allocated_bytes", &self.allocated_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests;
