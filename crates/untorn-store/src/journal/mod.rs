//! The journal: a ring of records on a device, written one checkpoint at a time.
//!
//! Owns the head of the ring and the framing of checkpoints into records. The tail belongs to the
//! caller (it knows which checkpoints are home) and comes with every call.
//!
//! Never here: what items mean, which blocks they change, when to write a checkpoint.

use std::sync::Arc;
use untorn_device::{BlockDevice, DeviceError};
use untorn_format::Lsn;

/// Where the log lives and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogArea {
    /// Byte offset of the log's first block on its device.
    pub start: u64,
    /// Length in 512-byte blocks.
    pub blocks: u32,
    /// Log sector size in bytes (512 to 4096): the smallest write.
    pub sector_size: u32,
    /// Log stripe unit in bytes; zero when records are only rounded to 512 bytes.
    pub stripe: u32,
    /// UUID that records carry (`sb_uuid`).
    pub uuid: [u8; 16],
}

/// One item of a checkpoint as the log stores it.
#[derive(Clone, Debug)]
pub struct LogItem<'a> {
    /// The item's format structure, then its regions. Each length is a multiple of 4 and not zero.
    pub regions: Vec<&'a [u8]>,
}

/// What the device has been given outside the journal since its last flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceFlush {
    /// Nothing that the checkpoint depends on: its first flush can be saved.
    Nothing,
    /// File data or blocks written home: they must be durable before the checkpoint is.
    Writes,
}

/// A checkpoint that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// LSN of the checkpoint: of the record in which it starts. Unique; blocks that the checkpoint
    /// changed are sealed with it.
    pub start: Lsn,
    /// Where the next checkpoint starts.
    pub head: Lsn,
}

/// Why a checkpoint was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The device failed; how much of the checkpoint it holds is not known.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The checkpoint would reach into blocks that are still needed. Nothing was written.
    #[error("the checkpoint needs {need} bytes of the log, {free} are free")]
    Full {
        /// Bytes it needs.
        need: u64,
        /// Bytes there are.
        free: u64,
    },
}

/// The head of the log and the buffer through which records are written.
pub struct Journal {
    device: Arc<dyn BlockDevice>,
    area: LogArea,
}

impl Journal {
    /// Frames `items` into records, writes them behind the head and makes them durable: everything
    /// that was written to the device before, then all records but the last, then the last. Needs
    /// one or two flushes for checkpoints below 2 MiB. `tail` is the LSN of the oldest checkpoint
    /// that is not home; [`Journal::head`] when there is none.
    pub fn write_checkpoint(
        &self,
        items: &[LogItem<'_>],
        tail: Lsn,
        since_flush: SinceFlush,
    ) -> Result<Written, JournalError> {
        let _ = (items, tail, since_flush, &self.device);
        todo!()
    }
    /// Writes the record that says that the volume was unmounted cleanly, durably. Everything must
    /// be home and flushed.
    pub fn write_unmount(&self) -> Result<(), JournalError> {
        todo!()
    }
    /// LSN at which the next checkpoint starts.
    pub fn head(&self) -> Lsn {
        todo!()
    }
    /// Bytes that checkpoints may still take while `tail` stays where it is.
    pub fn free_bytes(&self, tail: Lsn) -> u64 {
        let _ = tail;
        todo!()
    }
    /// Bytes that checkpoints may take when nothing in the log is needed.
    pub fn capacity(&self) -> u64 {
        todo!()
    }
    /// Exact bytes of the log that a checkpoint whose regions have these lengths takes, wherever it
    /// starts: headers, padding and all.
    pub fn cost_of(&self, regions: impl IntoIterator<Item = usize>) -> u64 {
        let _ = (regions.into_iter().count(), self.area);
        todo!()
    }
    /// Upper bound of [`Journal::cost_of`] for `regions` regions of `bytes` bytes together.
    pub fn cost_bound(&self, regions: u64, bytes: u64) -> u64 {
        let _ = (regions, bytes);
        todo!()
    }
}
