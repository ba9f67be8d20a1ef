//! What was asked of the disk, and doing it to a medium, whole or sector by sector.
//!
//! Invariants: events are whole sectors inside the disk; they were checked before they were
//! recorded.

use std::sync::Arc;

use untorn_device::{BlockDevice, MemoryDevice};

/// One thing that the disk was asked to do and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes went into the volatile cache.
    Write {
        /// Byte offset on the disk.
        offset: u64,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
    /// Bytes were given back; they read as something else afterwards.
    Discard {
        /// Byte offset on the disk.
        offset: u64,
        /// Length in bytes.
        length: u64,
    },
    /// Everything before it became durable.
    Flush,
    /// The test said something, for its own use; the disk did nothing.
    Mark(u64),
}

/// What discarded bytes read as, so that nobody takes them for zeros or for what they were.
const DISCARDED: u8 = 0xDB;
/// Discards of more bytes than this read as zeros, which take no memory.
const DISCARDED_MAX: u64 = 16 << 20;

impl Event {
    /// Does all of it to a medium.
    pub(super) fn apply(&self, medium: &MemoryDevice) {
        match self {
            Self::Write { offset, bytes } => write(medium, *offset, bytes),
            Self::Discard { offset, length } => discard(medium, *offset, *length),
            Self::Flush | Self::Mark(_) => {}
        }
    }

    /// Does the part of it to a medium that lies in the sectors for which `keep` says yes; sectors
    /// are counted from 0 within the event.
    pub(super) fn apply_sectors(&self, medium: &MemoryDevice, mut keep: impl FnMut(u64) -> bool) {
        let size = u64::from(medium.geometry().sector_size);
        let total = self.sectors(medium);
        let mut sector = 0;
        while sector < total {
            let start = sector;
            while sector < total && keep(sector) {
                sector += 1;
            }
            if sector > start {
                self.part(start * size, sector * size).apply(medium);
            }
            // The sector that ended the run was asked for and is not kept.
            sector += 1;
        }
    }

    /// Sectors that it changes.
    pub(super) fn sectors(&self, medium: &MemoryDevice) -> u64 {
        self.length() / u64::from(medium.geometry().sector_size)
    }

    /// Bytes that it changes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Write { bytes, .. } => bytes.len() as u64,
            Self::Discard { length, .. } => *length,
            Self::Flush | Self::Mark(_) => 0,
        }
    }

    /// Bytes `start` to `end` of it.
    fn part(&self, start: u64, end: u64) -> Part<'_> {
        match self {
            Self::Write { offset, bytes } => {
                Part::Write(offset + start, &bytes[start as usize..end as usize])
            }
            Self::Discard { offset, .. } => Part::Discard(offset + start, end - start),
            Self::Flush | Self::Mark(_) => unreachable!("it changes no bytes"),
        }
    }
}

/// A stretch of sectors of an event.
enum Part<'a> {
    Write(u64, &'a [u8]),
    Discard(u64, u64),
}

impl Part<'_> {
    fn apply(&self, medium: &MemoryDevice) {
        match *self {
            Self::Write(offset, bytes) => write(medium, offset, bytes),
            Self::Discard(offset, length) => discard(medium, offset, length),
        }
    }
}

fn write(medium: &MemoryDevice, offset: u64, bytes: &[u8]) {
    let done = medium.write_at(offset, bytes);
    assert!(done.is_ok(), "a recorded write fits the disk");
}

fn discard(medium: &MemoryDevice, offset: u64, length: u64) {
    let byte = if length > DISCARDED_MAX { 0 } else { DISCARDED };
    let done = medium.fill(offset, length, byte);
    assert!(done.is_ok(), "a recorded discard fits the disk");
}
