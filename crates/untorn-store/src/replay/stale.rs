//! Clearing what a crash left ahead of the head.
//!
//! A torn write can leave blocks of the newest cycle ahead of the head. A later, shorter write that
//! is torn too could join them to a log that never was. So the blocks in which such remains can lie
//! are overwritten with empty records of the cycle that is due there.
//!
//! Never here: blocks from the tail to the head.

use super::ends::Ends;
use super::error::RecoverError;
use super::reader::Blocks;
use crate::journal::{LogArea, Ring, WINDOW};
use untorn_format::Lsn;
use untorn_format::log::{LARGEST_RECORD, LOG_BLOCK, RecordHeader, cycle_of, previous_cycle};

/// Clears the blocks ahead of the head, if any of them is not what it should be. Volatile until
/// flushed.
pub(crate) fn clear(ring: &Ring, blocks: &mut Blocks<'_>, ends: &Ends) -> Result<(), RecoverError> {
    // In a clean log the unmount record is what must stay.
    let Some(&(last, ref header)) = ends.last.as_ref() else { return Ok(()) };
    let tail = if ends.clean { last } else { header.tail.block() };
    let area = *ring.area();
    let count = WINDOW.min(area.distance(ends.head.block(), tail));
    let due = |ahead: u32| due(&area, ends.head, ahead);
    let mut stale = false;
    for ahead in 0..count {
        let at = area.advance(ends.head, ahead).block();
        stale |= cycle_of(blocks.at(at, 1)?) != due(ahead).cycle();
    }
    if stale {
        tracing::debug!(head = %ends.head, count, "clearing what a crash left ahead of the head");
        write(ring, ends.head.block(), (0..count).map(due), header)?;
    }
    Ok(())
}

/// The position that a record would have said that was written a cycle ago, `ahead` blocks behind
/// the head.
fn due(area: &LogArea, head: Lsn, ahead: u32) -> Lsn {
    let at = area.advance(head, ahead);
    match at.block() >= head.block() {
        true => Lsn::new(previous_cycle(head.cycle()), at.block()),
        false => Lsn::new(head.cycle(), at.block()),
    }
}

/// Writes an empty record for each position, from block `start` on.
fn write(
    ring: &Ring,
    start: u32,
    positions: impl Iterator<Item = Lsn>,
    last: &RecordHeader,
) -> Result<(), RecoverError> {
    let mut bytes = Vec::new();
    for lsn in positions {
        let mut header = RecordHeader::new(ring.area().uuid, lsn, last.tail, LARGEST_RECORD);
        header.size = 0;
        header.previous = 0;
        bytes.extend_from_slice(&header.to_block());
    }
    assert!(bytes.len().is_multiple_of(LOG_BLOCK));
    Ok(ring.write(start, &bytes)?)
}
