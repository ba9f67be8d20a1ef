//! Whether the journal holds changes that are not home: it does, unless the record at its head says
//! that the volume was unmounted.
//!
//! ```text
//! |  cycle n  .. last record | cycle n-1 ..          |
//!                            ^ head: where cycles fall
//! ```
//! Records at the head that a power cut tore are passed over, as a replay would pass over them.
//!
//! Never here: reading what the records hold.

use crate::scan::{Scan, Step};
use untorn_format::DiskAddr;
use untorn_format::log::{
    LARGEST_RECORD, LOG_BLOCK, Operation, OperationKind, RecordHeader, RecordSum, check_record,
    cycle_of, is_header, unstamp_record,
};
use untorn_format::units::*;

/// Torn records at the head that are passed over; writers have fewer under way.
const MOST_TORN: u32 = 16;
/// Blocks of the largest record with its headers.
const LARGEST: u32 = LARGEST_RECORD / LOG_BLOCK as u32 + 8;

/// What the journal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether everything is home.
    pub(crate) clean: bool,
    /// The largest LSN that a block may carry; `None` where there are no records.
    pub(crate) newest: Option<Lsn>,
}

/// Reads the head of an internal journal.
pub(crate) fn read(scan: &mut Scan<'_>) -> Step<Verdict> {
    let geometry = scan.geometry();
    let Some(start) = geometry.addr_of(geometry.log_start) else {
        return Ok(Verdict { clean: false, newest: None });
    };
    let blocks = geometry.log_blocks.saturating_mul(geometry.sectors_per_block() as u32);
    let mut log = Log { start, blocks };
    log.verdict(scan)
}

/// The ring of log blocks.
struct Log {
    start: DiskAddr,
    blocks: u32,
}

impl Log {
    fn verdict(&mut self, scan: &mut Scan<'_>) -> Step<Verdict> {
        let first = self.cycle(scan, 0)?;
        if first == 0 {
            // Never written since it was zeroed.
            return Ok(Verdict { clean: true, newest: None });
        }
        let mut head = self.head(scan, first)?;
        let mut newest = None;
        for _ in 0..MOST_TORN {
            let Some((at, header)) = self.last_record(scan, head)? else { break };
            let end = (at + header.blocks()) % self.blocks;
            newest = Some(self.lsn_at(end, at, header.cycle));
            let record = self.record(scan, at, &header)?;
            let whole = record.as_ref().is_some_and(|record| {
                matches!(check_record(&header, record), Ok(RecordSum::Good | RecordSum::Absent))
            });
            match record {
                Some(record) if whole && end == head % self.blocks => {
                    return Ok(Verdict { clean: is_unmount(&header, record), newest });
                }
                _ => head = at,
            }
        }
        Ok(Verdict { clean: false, newest })
    }

    /// The LSN of the block after a record that began at `at`.
    fn lsn_at(&self, end: u32, at: u32, cycle: u32) -> Lsn {
        Lsn::new(if end <= at { cycle.wrapping_add(1) } else { cycle }, end)
    }

    fn read(&self, scan: &mut Scan<'_>, at: u32, blocks: u32) -> Step<Vec<u8>> {
        scan.read(DiskAddr(self.start.0 + u64::from(at)), blocks as usize * LOG_BLOCK)
    }

    fn cycle(&self, scan: &mut Scan<'_>, at: u32) -> Step<u32> {
        Ok(cycle_of(&self.read(scan, at, 1)?))
    }

    /// The first block whose cycle is not that of block 0; the end where all are the same.
    fn head(&self, scan: &mut Scan<'_>, first: u32) -> Step<u32> {
        let (mut low, mut high) = (0, self.blocks);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            match self.cycle(scan, middle)? == first {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(high)
    }

    /// The last record that begins before `head`, around the end of the log.
    fn last_record(&self, scan: &mut Scan<'_>, head: u32) -> Step<Option<(u32, RecordHeader)>> {
        let (mut end, mut left) = (head, LARGEST.min(self.blocks));
        // Unmount records are small: look at little first.
        let mut step = 4;
        while left > 0 {
            if end == 0 {
                end = self.blocks;
            }
            let count = step.min(left).min(end);
            let bytes = self.read(scan, end - count, count)?;
            let found = bytes.chunks_exact(LOG_BLOCK).rposition(is_header);
            if let Some(index) = found {
                let header = bytes.get(index * LOG_BLOCK..).map(RecordHeader::decode);
                let at = end - count + index as u32;
                return Ok(header.and_then(Result::ok).map(|header| (at, header)));
            }
            (end, left, step) = (end - count, left - count, 128);
        }
        Ok(None)
    }

    /// All blocks of a record; `None` where the log is shorter.
    fn record(&self, scan: &mut Scan<'_>, at: u32, header: &RecordHeader) -> Step<Option<Vec<u8>>> {
        let blocks = header.blocks();
        if blocks > self.blocks {
            return Ok(None);
        }
        let here = blocks.min(self.blocks - at);
        let mut bytes = self.read(scan, at, here)?;
        if here < blocks {
            bytes.extend(self.read(scan, 0, blocks - here)?);
        }
        Ok(Some(bytes))
    }
}

/// Whether a record says that the volume was unmounted.
fn is_unmount(header: &RecordHeader, mut record: Vec<u8>) -> bool {
    let Ok(body) = unstamp_record(header, &mut record) else { return false };
    let kind = Operation::decode(body).map(|(operation, _, _)| operation.kind);
    header.operations == 1 && matches!(kind, Ok(OperationKind::Unmount))
}
