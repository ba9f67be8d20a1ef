//! A device whose writes stay in memory: recovery of a volume that must not be touched.
//!
//! Invariants: the base is only ever read. A sector that was written lives in the overlay and
//! hides the base's. Memory grows by the sectors written, never by those read, and is given back
//! when the overlay is dropped.
//!
//! Locks: one reader-writer lock on the overlay; a read looks at the base without it, which is
//! right because the base does not change.
//!
//! Never here: writing the overlay to the base.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;

use crate::{BlockDevice, DeviceGeometry, Discarded, Operation, Result};

/// A read-only base under sectors in memory that take every write.
pub struct OverlayDevice {
    base: Arc<dyn BlockDevice>,
    /// Written sectors by the byte offset where they begin.
    sectors: RwLock<BTreeMap<u64, Box<[u8]>>>,
}

impl OverlayDevice {
    /// An empty overlay on `base`.
    pub fn new(base: Arc<dyn BlockDevice>) -> Self {
        Self { base, sectors: RwLock::new(BTreeMap::new()) }
    }

    /// Bytes of sectors that were written, which live in memory.
    pub fn written_bytes(&self) -> u64 {
        self.sectors.read().len() as u64 * u64::from(self.base.geometry().sector_size)
    }

    fn sector_size(&self) -> usize {
        self.base.geometry().sector_size as usize
    }

    /// Whether every sector of the range was written, so that the base need not be asked.
    fn covers(&self, offset: u64, length: usize) -> bool {
        let written = self.sectors.read().range(offset..offset + length as u64).count();
        written * self.sector_size() == length
    }
}

impl BlockDevice for OverlayDevice {
    fn geometry(&self) -> DeviceGeometry {
        DeviceGeometry { read_only: false, ..self.base.geometry() }
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.geometry().check(Operation::Read, offset, bytes.len() as u64)?;
        if !self.covers(offset, bytes.len()) {
            self.base.read_at(offset, bytes)?;
        }
        let sector_size = self.sector_size();
        let sectors = self.sectors.read();
        let mut written = sectors.range(offset..offset + bytes.len() as u64).peekable();
        if written.peek().is_none() {
            return Ok(());
        }
        let places = (offset..).step_by(sector_size).zip(bytes.chunks_exact_mut(sector_size));
        for (place, chunk) in places {
            if let Some((_, sector)) = written.next_if(|(start, _)| **start == place) {
                chunk.copy_from_slice(sector);
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.geometry().check(Operation::Write, offset, bytes.len() as u64)?;
        let sector_size = self.sector_size();
        let mut sectors = self.sectors.write();
        for (place, chunk) in (offset..).step_by(sector_size).zip(bytes.chunks_exact(sector_size)) {
            sectors.insert(place, chunk.into());
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.geometry().check(Operation::Discard, offset, length)?;
        Ok(Discarded::Ignored)
    }
}

#[cfg(test)]
mod tests;
