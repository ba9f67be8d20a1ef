//! The journal: a ring of records on a device, written one checkpoint at a time.
//!
//! ```text
//!        tail                              head
//!  ..free | checkpoint | checkpoint | .. | free..
//!           START .. COMMIT
//!  a checkpoint: one or more records of its own, the last of which holds COMMIT and is written
//!  when all before it are durable
//! ```
//!
//! Owns the head of the ring and the framing of checkpoints into records. The tail belongs to the
//! caller (it knows which checkpoints are home) and comes with every call.
//!
//! Invariants: every checkpoint starts in a record of its own, so that its LSN is unique. Blocks
//! from the tail to the head are never written. After a failed write or flush nothing more is
//! written.
//!
//! Never here: what items mean, which blocks they change, when to write a checkpoint.

mod area;
mod frame;
mod writer;

pub use area::{LogArea, Ring};

use frame::{Framer, RecordShape};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use untorn_device::{BlockDevice, DeviceError};
use untorn_format::Lsn;
use untorn_format::log::{LOG_BLOCK, unmount_operation};
use writer::Writer;
pub(crate) use writer::{RECORDS_IN_FLIGHT, WINDOW};

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

/// Where writing goes on: what recovery found, or what a new log begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Where the next record goes.
    pub head: Lsn,
    /// Block of the last record; all ones where there is none.
    pub previous: u32,
    /// Tail that the last record names.
    pub tail: Lsn,
    /// `h_size` of the last record in bytes.
    pub last_size: u32,
    /// `h_size` of the record at the tail, where records that are still needed begin there: Linux
    /// takes the size of the first record that it replays for that of all.
    pub same_size: Option<u32>,
}

impl Resume {
    /// The beginning of a log that nothing was written to.
    pub fn at_start(area: &LogArea) -> Self {
        let start = Lsn::new(1, 0);
        Self {
            head: start,
            previous: u32::MAX,
            tail: start,
            last_size: RecordShape::of(area, None).size,
            same_size: None,
        }
    }
}

/// The head of the log and the buffer through which records are written.
pub struct Journal {
    area: LogArea,
    shape: RecordShape,
    /// The head, readable while a checkpoint is written.
    head: AtomicU64,
    writer: Mutex<WriterState>,
}

/// The writer, and what stopped it.
struct WriterState {
    writer: Writer,
    stopped: Option<JournalError>,
}

impl Journal {
    /// The journal in `area` of `device` that goes on where `resume` says.
    pub fn new(device: Arc<dyn BlockDevice>, area: LogArea, resume: Resume) -> Self {
        let writer = Writer::new(Ring::new(device, area), &resume);
        Self {
            area,
            shape: RecordShape::of(&area, resume.same_size),
            head: AtomicU64::new(resume.head.0),
            writer: Mutex::new(WriterState { writer, stopped: None }),
        }
    }
    /// Makes a new log in `area` of `device`: zeroes, and a record that says that the volume was
    /// unmounted cleanly. Durable when it returns.
    pub fn format(device: Arc<dyn BlockDevice>, area: LogArea) -> Result<Self, JournalError> {
        let ring = Ring::new(device.clone(), area);
        let zeroes = ring.buffer((1 << 20).min(area.blocks as usize * LOG_BLOCK));
        let step = (zeroes.len() / LOG_BLOCK) as u32;
        for block in (0..area.blocks).step_by(step as usize) {
            let count = step.min(area.blocks - block) as usize;
            ring.write(block, &zeroes[..count * LOG_BLOCK])?;
        }
        let journal = Self::new(device, area, Resume::at_start(&area));
        journal.write_unmount()?;
        Ok(journal)
    }
    /// Frames `items` into records, writes them behind the head and makes them durable: everything
    /// that was written to the device before, then all records but the last, then the last. Needs
    /// one or two flushes for checkpoints below 2 MiB. `tail` is the LSN of the oldest checkpoint
    /// that is not home and durable there; [`Journal::head`] when there is none.
    pub fn write_checkpoint(
        &self,
        items: &[LogItem<'_>],
        tail: Lsn,
        since_flush: SinceFlush,
    ) -> Result<Written, JournalError> {
        self.write_checkpoint_then(items, tail, since_flush, || {})
    }
    /// As [`Journal::write_checkpoint`]; calls `before_last` when its last flush is about to begin,
    /// which covers whatever was written to the device until then.
    pub fn write_checkpoint_then(
        &self,
        items: &[LogItem<'_>],
        tail: Lsn,
        since_flush: SinceFlush,
        before_last: impl FnOnce(),
    ) -> Result<Written, JournalError> {
        let regions = || items.iter().flat_map(|item| item.regions.iter().copied());
        let need = self.cost_of(regions().map(<[u8]>::len));
        self.locked(|writer| {
            let start = writer.head();
            let free = self.free_from(start, tail);
            if need > free {
                return Err(JournalError::Full { need, free });
            }
            let mut framer = Framer::new(self.shape, transaction_id(start), regions());
            if since_flush == SinceFlush::Writes && need <= self.shape.longest() as u64 {
                writer.flush()?;
            }
            write_records(writer, &mut framer, tail)?;
            before_last();
            writer.flush()?;
            Ok(Written { start, head: writer.head() })
        })
    }
    /// Writes the record that says that the volume was unmounted cleanly, durably. Everything must
    /// be home and flushed.
    pub fn write_unmount(&self) -> Result<(), JournalError> {
        self.write_unmount_as(self.area.uuid)
    }
    /// The same, from here on with records of another UUID. Those without one (all zeroes) belong
    /// to any volume.
    pub fn write_unmount_as(&self, uuid: [u8; 16]) -> Result<(), JournalError> {
        self.locked(|writer| {
            writer.uuid = uuid;
            let tail = writer.head();
            let operation = unmount_operation();
            let room = writer.room()?;
            room[..operation.len()].copy_from_slice(&operation);
            writer.push(operation.len(), 1, tail)?;
            writer.flush()
        })
    }
    /// Runs `work` on the writer, unless something failed before. A failure of the device is
    /// remembered.
    fn locked<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut state = self.writer.lock();
        if let Some(stopped) = &state.stopped {
            return Err(stopped.clone());
        }
        let done = work(&mut state.writer);
        match &done {
            Ok(_) => self.head.store(state.writer.head().0, Ordering::Release),
            Err(JournalError::Full { .. }) => {}
            Err(error) => state.stopped = Some(error.clone()),
        }
        done
    }
    /// LSN at which the next checkpoint starts.
    pub fn head(&self) -> Lsn {
        Lsn(self.head.load(Ordering::Acquire))
    }
    /// Bytes that checkpoints may still take while `tail` stays where it is.
    pub fn free_bytes(&self, tail: Lsn) -> u64 {
        self.free_from(self.head(), tail)
    }
    /// One unit always stays free: a head that has caught up with the tail is an empty log.
    fn free_from(&self, head: Lsn, tail: Lsn) -> u64 {
        assert!(self.area.is_behind(tail, head), "tail {tail} is not within a ring of head {head}");
        let distance = self.area.distance(head.block(), tail.block());
        (u64::from(distance) * LOG_BLOCK as u64).saturating_sub(self.shape.unit.into())
    }
    /// Bytes that checkpoints may take when nothing in the log is needed.
    pub fn capacity(&self) -> u64 {
        u64::from(self.area.blocks) * LOG_BLOCK as u64 - u64::from(self.shape.unit)
    }
    /// Exact bytes of the log that a checkpoint whose regions have these lengths takes, wherever it
    /// starts: headers, padding and all.
    pub fn cost_of(&self, regions: impl IntoIterator<Item = usize>) -> u64 {
        frame::cost(self.shape, regions)
    }
    /// Upper bound of [`Journal::cost_of`] for `regions` regions of `bytes` bytes together.
    pub fn cost_bound(&self, regions: u64, bytes: u64) -> u64 {
        frame::cost_bound(self.shape, regions, bytes)
    }
}

/// Writes the records of a checkpoint so that the last can be durable only when the others are; a
/// flush must follow.
fn write_records(
    writer: &mut Writer,
    framer: &mut Framer<'_>,
    tail: Lsn,
) -> Result<(), JournalError> {
    loop {
        let body = framer.fill(writer.room()?);
        if body.last && !writer.is_flushed() {
            writer.flush()?;
        }
        writer.push(body.length, body.operations, tail)?;
        if body.last {
            return writer.write_out();
        }
    }
}

/// The transaction id of a checkpoint that starts at `start`: none that may still be in the log,
/// whole or torn, has the same. A log has at most 2^22 blocks.
fn transaction_id(start: Lsn) -> u32 {
    start.cycle() << 22 | start.block() & 0x3f_ffff
}
