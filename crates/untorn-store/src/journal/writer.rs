//! Writing records: the buffer, what is in flight, when to flush.
//!
//! Two things decide how much may be in flight, that is, written and not flushed, so that any part
//! of it can be missing after a power cut and Linux still finds the head:
//! - Linux looks for holes in the [`WINDOW`] blocks before the place where it believes the head;
//! - where what is in flight lies over blocks that the last durable record calls the tail, Linux
//!   looks for a new tail within [`RECORDS_IN_FLIGHT`] of that record's size from the head.
//!
//! Invariants: blocks from the tail to the head are never written. The buffer holds records that
//! follow each other in the ring, from `buffered_at` on.

use super::area::Ring;
use super::frame::RecordShape;
use super::{JournalError, Resume};
use untorn_device::AlignedBuffer;
use untorn_format::Lsn;
use untorn_format::log::{LOG_BLOCK, RecordHeader, header_blocks, seal_record};

/// Blocks before the head in which recovery looks for holes.
pub(crate) const WINDOW: u32 = 4096;
/// Records that recovery expects to be in flight, at most.
pub(crate) const RECORDS_IN_FLIGHT: u32 = 8;
/// Bytes that are gathered before they are written.
const BUFFER: usize = 512 * 1024;

/// Everything about the head of the log.
pub(crate) struct Writer {
    ring: Ring,
    shape: RecordShape,
    /// UUID that records carry.
    pub(crate) uuid: [u8; 16],
    buffer: AlignedBuffer,
    /// Bytes of the buffer that were written to the ring.
    written: usize,
    /// Bytes of the buffer that hold records; those that were not written lie before the head.
    filled: usize,
    /// Where the next record goes.
    head: Lsn,
    /// Block of the record before.
    previous: u32,
    /// Blocks before the head that are not flushed.
    in_flight: u32,
    /// Tail that the last record names.
    named_tail: Lsn,
    /// Tail that the last durable record names.
    durable_tail: Lsn,
    /// `h_size` of the last durable record.
    durable_size: u32,
}

impl Writer {
    pub(crate) fn new(ring: Ring, resume: &Resume) -> Self {
        let shape = RecordShape::of(ring.area(), resume.same_size);
        Self {
            buffer: ring.buffer(BUFFER.max(shape.longest())),
            uuid: ring.area().uuid,
            ring,
            shape,
            written: 0,
            filled: 0,
            head: resume.head,
            previous: resume.previous,
            in_flight: 0,
            named_tail: resume.tail,
            durable_tail: resume.tail,
            durable_size: resume.last_size,
        }
    }
    pub(crate) fn head(&self) -> Lsn {
        self.head
    }
    pub(crate) fn is_flushed(&self) -> bool {
        self.in_flight == 0
    }
    /// Room for the operations of the next record, in the buffer.
    pub(crate) fn room(&mut self) -> Result<&mut [u8], JournalError> {
        if self.filled + self.shape.longest() > self.buffer.len() {
            self.write_out()?;
        }
        if self.written == self.filled {
            (self.written, self.filled) = (0, 0);
        }
        let start = self.filled + self.headers();
        Ok(&mut self.buffer[start..start + self.shape.capacity()])
    }
    fn headers(&self) -> usize {
        header_blocks(self.shape.size) as usize * LOG_BLOCK
    }
    /// Turns the first `length` bytes of what [`Writer::room`] gave into the next record. Flushes
    /// what is in flight first where the record may not join it.
    pub(crate) fn push(
        &mut self,
        length: usize,
        operations: u32,
        tail: Lsn,
    ) -> Result<(), JournalError> {
        let bytes = self.shape.padded(length);
        let blocks = (bytes / LOG_BLOCK) as u32;
        if !self.may_join(blocks) {
            self.flush()?;
        }
        let area = *self.ring.area();
        let mut header = RecordHeader::new(self.uuid, self.head, tail, self.shape.size);
        header.length = (bytes - self.headers()) as u32;
        header.operations = operations;
        header.previous = self.previous;
        let used = self.headers() + length;
        let record = &mut self.buffer[self.filled..self.filled + bytes];
        record[used..].fill(0);
        seal_record(&header, record, Some((area.blocks - self.head.block()) as usize));
        self.previous = self.head.block();
        self.head = area.advance(self.head, blocks);
        self.named_tail = tail;
        self.filled += bytes;
        self.in_flight += blocks;
        Ok(())
    }
    /// Whether a record of `blocks` may be written while what is in flight is not flushed.
    fn may_join(&self, blocks: u32) -> bool {
        let joined = self.in_flight + blocks;
        let flushed_to = self.back(self.in_flight);
        let to_tail = self.ring.area().distance(flushed_to, self.durable_tail.block());
        let window = match joined > to_tail {
            true => RECORDS_IN_FLIGHT * self.durable_size / LOG_BLOCK as u32,
            false => WINDOW,
        };
        self.in_flight == 0 || joined <= window
    }
    /// The block `count` blocks before the head.
    fn back(&self, count: u32) -> u32 {
        let head = self.head.block();
        head.checked_sub(count).unwrap_or_else(|| self.ring.area().blocks - (count - head))
    }
    /// Writes the records in the buffer that were not written yet.
    pub(crate) fn write_out(&mut self) -> Result<(), JournalError> {
        let records = &self.buffer[self.written..self.filled];
        if !records.is_empty() {
            let block = self.back((records.len() / LOG_BLOCK) as u32);
            self.ring.write(block, records)?;
        }
        self.written = self.filled;
        Ok(())
    }
    /// Writes the records in the buffer and makes them and all that was written before durable.
    pub(crate) fn flush(&mut self) -> Result<(), JournalError> {
        self.write_out()?;
        self.ring.device().flush()?;
        if self.in_flight > 0 {
            self.durable_tail = self.named_tail;
            self.durable_size = self.shape.size;
        }
        self.in_flight = 0;
        Ok(())
    }
}
