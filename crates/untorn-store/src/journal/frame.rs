//! Framing: how a checkpoint's regions are laid out in records.
//!
//! One set of rules, in [`Packer`], decides how much of a region goes into the record at hand. The
//! writer and the cost of a checkpoint both ask it, so that a cost is exact.
//!
//! Never here: I/O, positions.

use super::area::LogArea;
use untorn_format::log::{
    LARGEST_RECORD, LOG_BLOCK, OPERATION_HEADER, Operation, OperationKind, RegionPart,
    TRANSACTION_HEADER, TransactionHeader, header_blocks,
};

/// Regions are multiples of this, and so is what goes into a record of a region that is split.
const GRAIN: usize = 4;
/// Smallest `h_size` that Linux writes.
const SMALLEST_RECORD: u32 = 16 * 1024;
/// Size of the largest record where no stripe unit asks for more: what Linux writes by default.
const USUAL_RECORD: u32 = 32 * 1024;

/// Sizes of a log's records in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordShape {
    /// `h_size`: bounds records and says how many header blocks each has.
    pub(crate) size: u32,
    /// Unit that records are padded to.
    pub(crate) unit: u32,
}

impl RecordShape {
    /// The shape of records in `area`: of `size`, where the log says one that can be used.
    pub(crate) fn of(area: &LogArea, size: Option<u32>) -> Self {
        let wanted = area.unit.next_power_of_two().clamp(USUAL_RECORD, LARGEST_RECORD);
        let usable = size.filter(|size| *size >= SMALLEST_RECORD.max(area.unit));
        Self { size: usable.unwrap_or(wanted), unit: area.unit }
    }
    fn headers(self) -> usize {
        header_blocks(self.size) as usize * LOG_BLOCK
    }
    /// Bytes of the longest record: whole units, so that padding never makes it longer.
    pub(crate) fn longest(self) -> usize {
        let unit = self.unit as usize;
        (self.size as usize / unit * unit).max(unit)
    }
    /// Bytes of operations that a record holds.
    pub(crate) fn capacity(self) -> usize {
        self.longest() - self.headers()
    }
    /// Bytes of a record with `body` bytes of operations.
    pub(crate) fn padded(self, body: usize) -> usize {
        (self.headers() + body).next_multiple_of(self.unit as usize)
    }
}

/// What to do with a region, or the rest of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// This many bytes go into the record at hand.
    Here(usize),
    /// Nothing goes into the record at hand: close it.
    Next,
}

/// How full the record at hand is.
#[derive(Clone, Copy, Debug)]
struct Packer {
    capacity: usize,
    used: usize,
}

impl Packer {
    fn new(shape: RecordShape) -> Self {
        Self { capacity: shape.capacity(), used: 0 }
    }
    /// Places an operation with `length` bytes. A region never begins with nothing: recovery would
    /// not see it and would take its continuation for more of the region before.
    fn place(&mut self, length: usize) -> Placement {
        let left = self.capacity - self.used;
        if left < OPERATION_HEADER + length.min(GRAIN) {
            return Placement::Next;
        }
        let here = length.min((left - OPERATION_HEADER) / GRAIN * GRAIN);
        self.used += OPERATION_HEADER + here;
        Placement::Here(here)
    }
}

/// Bytes of log that a checkpoint takes whose items have regions of these lengths.
pub(crate) fn cost(shape: RecordShape, regions: impl IntoIterator<Item = usize>) -> u64 {
    let mut packer = Packer::new(shape);
    let mut full = 0;
    let all = [0, TRANSACTION_HEADER].into_iter().chain(regions).chain([0]);
    for mut length in all {
        loop {
            match packer.place(length) {
                Placement::Here(here) if here == length => break,
                Placement::Here(here) => length -= here,
                Placement::Next => {
                    full += shape.padded(packer.used) as u64;
                    packer = Packer::new(shape);
                }
            }
        }
    }
    full + shape.padded(packer.used) as u64
}

/// Most bytes that [`cost`] gives for `regions` regions of `bytes` bytes together.
pub(crate) fn cost_bound(shape: RecordShape, regions: u64, bytes: u64) -> u64 {
    let header = OPERATION_HEADER as u64;
    let operations = bytes + TRANSACTION_HEADER as u64 + header * (regions + 3);
    // A record that is full leaves less than a header and a grain, and the region that it splits
    // takes another header in the next.
    let lost = header + GRAIN as u64 + header;
    let records = operations.div_ceil(shape.capacity() as u64 - lost);
    let total = operations + records * (lost + shape.headers() as u64);
    total.next_multiple_of(shape.unit.into())
}

/// A record's operations.
pub(crate) struct Body {
    /// Their bytes.
    pub(crate) length: usize,
    /// How many begin in it.
    pub(crate) operations: u32,
    /// The checkpoint ends here.
    pub(crate) last: bool,
}

/// Lays a checkpoint out, a record at a time.
pub(crate) struct Framer<'a> {
    shape: RecordShape,
    tid: u32,
    queue: std::vec::IntoIter<Queued<'a>>,
    current: Option<Queued<'a>>,
}

#[derive(Clone)]
struct Queued<'a> {
    kind: OperationKind,
    data: std::borrow::Cow<'a, [u8]>,
    /// How much of the data is in records already.
    done: usize,
}

impl<'a> Framer<'a> {
    pub(crate) fn new(
        shape: RecordShape,
        tid: u32,
        regions: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let operation = |kind, data| Queued { kind, data, done: 0 };
        let none: &[u8] = &[];
        let mut queue: Vec<_> = regions
            .into_iter()
            .inspect(|region| {
                let whole = !region.is_empty() && region.len().is_multiple_of(GRAIN);
                assert!(whole, "a region of {} bytes", region.len());
            })
            .map(|region| operation(OperationKind::Region, region.into()))
            .collect();
        assert!(!queue.is_empty(), "a checkpoint without items cannot be replayed");
        let header = TransactionHeader { tid, regions: queue.len() as u32 }.encode();
        let start = [
            operation(OperationKind::Start, none.into()),
            operation(OperationKind::Region, header.into()),
        ];
        queue.splice(0..0, start);
        queue.push(operation(OperationKind::Commit, none.into()));
        let mut queue = queue.into_iter();
        let current = queue.next();
        Self { shape, tid, queue, current }
    }
    /// Fills `body`, the room of a record for operations, with the next of them.
    pub(crate) fn fill(&mut self, body: &mut [u8]) -> Body {
        let mut packer = Packer::new(self.shape);
        let mut operations = 0;
        while let Some(current) = &mut self.current {
            let at = packer.used;
            let left = current.data.len() - current.done;
            let Placement::Here(here) = packer.place(left) else { break };
            operations += 1;
            current.write(self.tid, here, &mut body[at..packer.used]);
            if here == left {
                self.current = self.queue.next();
            }
        }
        Body { length: packer.used, operations, last: self.current.is_none() }
    }
}

impl Queued<'_> {
    /// Writes an operation with the next `count` bytes into `out`, which has room for just that.
    fn write(&mut self, tid: u32, count: usize, out: &mut [u8]) {
        let kind = match (self.kind, self.done) {
            (OperationKind::Region, 1..) => OperationKind::Continued,
            (kind, _) => kind,
        };
        let end = self.done + count;
        let part = if end < self.data.len() { RegionPart::More } else { RegionPart::Last };
        let operation = Operation { tid, length: count as u32, kind, part };
        let (header, data) = out.split_at_mut(OPERATION_HEADER);
        header.copy_from_slice(&operation.encode());
        data.copy_from_slice(&self.data[self.done..end]);
        self.done = end;
    }
}
