//! Blocks between their first change by the replay and their way home.
//!
//! Invariants: held blocks do not overlap. A block is sealed and verified just before it is
//! written. When all is replayed blocks go home in the order of their addresses, sealed with the
//! LSN of the last transaction that changed them. A block that must go earlier, because too many
//! are held or because another overlaps it, is sealed with an LSN just before that: several
//! transactions can have the same LSN, and the second must not take itself for replayed.

use super::error::RecoverError;
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_device::{BlockDevice, ReadRequest, WriteRequest};
use untorn_format::log::{block_age, is_whole};
use untorn_format::{BASIC_BLOCK, BlockKind, DiskAddr, Fault, Lsn, Place, Superblock, kind};

/// Bytes that are held before blocks are written home.
const MOST: usize = 64 << 20;
/// Blocks that are written or read in one batch.
const BATCH: usize = 256;

/// When blocks go home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// All is replayed.
    Done,
    /// More transactions with the same LSN may come.
    Early,
}

/// A block that the replay changes, or may change.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    /// What it is; unknown until something changed it, or for ever.
    kind: Option<BlockKind>,
    /// The last transaction that changed it.
    changed: Option<Lsn>,
}

impl Held {
    /// Notes that the transaction at `lsn` changed the block, which is now of `kind`.
    pub(crate) fn change(&mut self, kind: Option<BlockKind>, lsn: Lsn) {
        self.kind = kind;
        self.changed = Some(lsn);
    }
    /// The last transaction that changed it.
    pub(crate) fn changed(&self) -> Option<Lsn> {
        self.changed
    }
    /// Whether the block already has what the transaction at `lsn` did to it: it is this volume's
    /// and was written home, whole, at the same LSN or a later one. A block that was torn on its
    /// way home gets all changes again: from the tail on the journal has every one that it can
    /// lack.
    pub(crate) fn has(&self, lsn: Lsn, sb: &Superblock) -> bool {
        if let Some(changed) = self.changed {
            return changed > lsn;
        }
        match block_age(&self.bytes, sb.features.has_meta_uuid()) {
            Some((age, uuid)) => {
                let written = age != Lsn(0) && age != Lsn(u64::MAX) && age >= lsn;
                uuid == sb.meta_uuid && written && is_whole(&self.bytes)
            }
            None => false,
        }
    }
}

/// All held blocks.
pub(crate) struct HeldBlocks {
    device: Arc<dyn BlockDevice>,
    /// The volume as the log has made it so far.
    pub(crate) sb: Arc<Superblock>,
    held: BTreeMap<DiskAddr, Held>,
    bytes: usize,
}

impl HeldBlocks {
    pub(crate) fn new(device: Arc<dyn BlockDevice>, sb: Arc<Superblock>) -> Self {
        Self { device, sb, held: BTreeMap::new(), bytes: 0 }
    }
    /// The block of `blocks` 512-byte units at `addr`, read if it is not held.
    pub(crate) fn read(&mut self, addr: DiskAddr, blocks: u32) -> Result<&mut Held, RecoverError> {
        let length = self.checked_length(addr, blocks)?;
        self.make_room(addr, length)?;
        if !self.held.contains_key(&addr) {
            let mut bytes = vec![0; length];
            self.device.read_at(addr.0 * u64::from(BASIC_BLOCK), &mut bytes)?;
            self.insert(addr, bytes);
        }
        Ok(self.held.entry(addr).or_insert_with(|| unreachable!("it was just read")))
    }
    /// The block at `addr` as zeroes, whatever it was.
    pub(crate) fn create(
        &mut self,
        addr: DiskAddr,
        blocks: u32,
    ) -> Result<&mut Held, RecoverError> {
        let length = self.checked_length(addr, blocks)?;
        self.make_room(addr, length)?;
        self.forget(addr);
        self.insert(addr, vec![0; length]);
        Ok(self.held.entry(addr).or_insert_with(|| unreachable!("it was just made")))
    }
    fn insert(&mut self, addr: DiskAddr, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.held.insert(addr, Held { bytes, kind: None, changed: None });
    }
    fn forget(&mut self, addr: DiskAddr) -> Option<Held> {
        let held = self.held.remove(&addr)?;
        self.bytes -= held.bytes.len();
        Some(held)
    }
    /// Length in bytes of a block that must lie on the device.
    fn checked_length(&self, addr: DiskAddr, blocks: u32) -> Result<usize, RecoverError> {
        let unit = u64::from(BASIC_BLOCK);
        let length = u64::from(blocks) * unit;
        let start = addr.0.checked_mul(unit);
        let end = start.and_then(|start| start.checked_add(length));
        let inside = end.is_some_and(|end| end <= self.device.geometry().size) && length > 0;
        match inside {
            true => Ok(length as usize),
            false => {
                let fault = Fault::Position { what: "block in the log", found: addr.0 };
                Err(fault.at(Place::at(addr)).into())
            }
        }
    }
    /// Writes home what overlaps the block at `addr` and is not just it.
    fn make_room(&mut self, addr: DiskAddr, length: usize) -> Result<(), RecoverError> {
        let end = addr.0 + (length / BASIC_BLOCK as usize) as u64;
        let overlapping: Vec<DiskAddr> = self
            .held
            .range(..DiskAddr(end))
            .rev()
            .take_while(|(start, held)| {
                start.0 + (held.bytes.len() / BASIC_BLOCK as usize) as u64 > addr.0
            })
            .filter(|(start, held)| **start != addr || held.bytes.len() != length)
            .map(|(&start, _)| start)
            .collect();
        let evicted = overlapping.into_iter().filter_map(|at| Some((at, self.forget(at)?)));
        let evicted = evicted.collect();
        self.write(evicted, Leaving::Early).map(drop)
    }
    /// Reads blocks that are about to be asked for, in the order of their addresses.
    pub(crate) fn prefetch(
        &mut self,
        mut wanted: Vec<(DiskAddr, u32)>,
    ) -> Result<(), RecoverError> {
        wanted.sort_unstable();
        wanted.dedup_by_key(|(addr, _)| *addr);
        let mut blocks = Vec::new();
        for (addr, count) in wanted {
            let length = self.checked_length(addr, count)?;
            let end = DiskAddr(addr.0 + u64::from(count));
            let apart = self.held.range(..end).next_back().is_none_or(|(start, held)| {
                start.0 + (held.bytes.len() / BASIC_BLOCK as usize) as u64 <= addr.0
            });
            let last_end = blocks.last().map_or(0, |(last, bytes): &(DiskAddr, Vec<u8>)| {
                last.0 + (bytes.len() / BASIC_BLOCK as usize) as u64
            });
            if apart && last_end <= addr.0 {
                blocks.push((addr, vec![0; length]));
            }
        }
        for batch in blocks.chunks_mut(BATCH) {
            let mut requests: Vec<ReadRequest<'_>> = batch
                .iter_mut()
                .map(|(addr, bytes)| ReadRequest { offset: addr.0 * u64::from(BASIC_BLOCK), bytes })
                .collect();
            self.device.read_batch(&mut requests)?;
        }
        blocks.into_iter().for_each(|(addr, bytes)| self.insert(addr, bytes));
        Ok(())
    }
    /// Whether so much is held that blocks should go home.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > MOST
    }
    /// Writes every changed block home and forgets all. Volatile until flushed. Returns how many
    /// were written.
    pub(crate) fn write_home(&mut self, leaving: Leaving) -> Result<u64, RecoverError> {
        self.bytes = 0;
        let all = std::mem::take(&mut self.held).into_iter().collect();
        self.write(all, leaving)
    }
    fn write(
        &self,
        mut blocks: Vec<(DiskAddr, Held)>,
        leaving: Leaving,
    ) -> Result<u64, RecoverError> {
        blocks.retain(|(_, held)| held.changed.is_some());
        for (addr, held) in &mut blocks {
            self.seal(*addr, held, leaving)?;
        }
        for batch in blocks.chunks(BATCH) {
            let requests: Vec<WriteRequest<'_>> = batch
                .iter()
                .map(|(addr, held)| WriteRequest {
                    offset: addr.0 * u64::from(BASIC_BLOCK),
                    bytes: &held.bytes,
                })
                .collect();
            self.device.write_batch(&requests)?;
        }
        Ok(blocks.len() as u64)
    }
    /// Seals a changed block and checks that it is what its kind must be.
    fn seal(&self, addr: DiskAddr, held: &mut Held, leaving: Leaving) -> Result<(), RecoverError> {
        let (Some(kind), Some(changed)) = (held.kind, held.changed) else { return Ok(()) };
        let lsn = match leaving {
            Leaving::Done => changed,
            Leaving::Early => Lsn(changed.0.saturating_sub(1)),
        };
        kind::seal(kind, &mut held.bytes, lsn);
        let identity = self.sb.identity(addr, None);
        kind::verify(kind, &held.bytes, &identity).map_err(|fault| fault.at(Place::at(addr)).into())
    }
}
