//! Reads bytes of the volume with few requests: what is asked for ahead serves the reads that
//! follow.
//!
//! Never here: what the bytes mean. Offsets are trusted to lie on the device.

use std::ops::Range;
use untorn_device::{BlockDevice, DeviceError};

/// What a piece read ahead is for; each keeps its last piece until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// The first blocks of an AG.
    Group,
    /// An inode chunk.
    Chunk,
    /// Blocks of one file in a row.
    File,
}

#[derive(Default)]
struct Piece {
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn slice(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let at = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..at.checked_add(length)?)
    }
}

/// The device, read through pieces.
pub(crate) struct Reader<'d> {
    device: &'d dyn BlockDevice,
    sector: u64,
    size: u64,
    pieces: [Piece; 3],
    /// Requests made.
    pub(crate) reads: u64,
    /// Bytes asked of the device.
    pub(crate) bytes_read: u64,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(device: &'d dyn BlockDevice) -> Self {
        let geometry = device.geometry();
        let (sector, size) = (u64::from(geometry.sector_size).max(1), geometry.size);
        Self { device, sector, size, pieces: Default::default(), reads: 0, bytes_read: 0 }
    }

    /// Bytes of the device.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reads up to `length` bytes at byte `offset` and keeps them for the reads to come. Fewer
    /// where the device ends before.
    pub(crate) fn ahead(
        &mut self,
        purpose: Ahead,
        offset: u64,
        length: u64,
    ) -> Result<(), DeviceError> {
        let piece = &self.pieces[purpose as usize];
        let usize_length = usize::try_from(length).unwrap_or(usize::MAX);
        if piece.slice(offset, usize_length).is_some() {
            return Ok(());
        }
        let range = self.aligned(offset..offset.saturating_add(length).min(self.size));
        let mut bytes = std::mem::take(&mut self.pieces[purpose as usize].bytes);
        bytes.resize(usize::try_from(range.end - range.start).unwrap_or(0), 0);
        self.fetch(range.start, &mut bytes)?;
        self.pieces[purpose as usize] = Piece { start: range.start, bytes };
        Ok(())
    }

    /// The `length` bytes at byte `offset`.
    pub(crate) fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, DeviceError> {
        if let Some(bytes) = self.pieces.iter().find_map(|piece| piece.slice(offset, length)) {
            return Ok(bytes.to_vec());
        }
        let range = self.aligned(offset..offset.saturating_add(length as u64));
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
        self.fetch(range.start, &mut bytes)?;
        if range.start != offset {
            bytes.drain(..(offset - range.start) as usize);
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// The smallest range of whole device sectors around `range`.
    fn aligned(&self, range: Range<u64>) -> Range<u64> {
        let start = range.start - range.start % self.sector;
        start..range.end.next_multiple_of(self.sector)
    }

    fn fetch(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.reads += 1;
        self.bytes_read += bytes.len() as u64;
        self.device.read_at(offset, bytes)
    }
}
