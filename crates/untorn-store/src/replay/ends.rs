//! The head and the tail of a log.
//!
//! ```text
//!   N N N N N N|O O O O O O      N: cycle of the newest record, O: the one before (or zero)
//!              head
//!   N N N O N N|O O O O O O      a crash can leave holes in the last WINDOW blocks: the head is
//!         head                   the first of them, or the start of the record that it is in
//! ```
//!
//! The rules are those of Linux (xfs_log_recover.c), so that both find the same head in every log:
//! where the cycles fall, by bisection; holes before it; records cut short; records whose checksum
//! is bad, among the last eight; and a tail that the torn writes ran over.
//!
//! Never here: changing the log.

use super::error::{RecoverError, broken};
use super::reader::{Blocks, Records};
use crate::journal::{LogArea, RECORDS_IN_FLIGHT, WINDOW};
use untorn_format::Lsn;
use untorn_format::log::{
    LARGEST_RECORD, LOG_BLOCK, RecordHeader, cycle_of, is_unmount, next_cycle, previous_cycle,
};

const LONGEST_RECORD: u32 = LARGEST_RECORD / LOG_BLOCK as u32;

/// Where a log begins and ends.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// Where the next record goes.
    pub(crate) head: Lsn,
    /// The oldest record that is needed: the head where none is.
    pub(crate) tail: Lsn,
    /// The last record and its block; none in a log that is all zeroes.
    pub(crate) last: Option<(u32, RecordHeader)>,
    /// Whether the log ends in an unmount record.
    pub(crate) clean: bool,
}

/// Finds the ends of a log.
pub(crate) fn find(blocks: &mut Blocks<'_>) -> Result<Ends, RecoverError> {
    let Some(head) = head_block(blocks)? else {
        let start = Lsn::new(1, 0);
        return Ok(Ends { head: start, tail: start, last: None, clean: true });
    };
    let ends = ends_at(blocks, head)?;
    if ends.clean {
        return Ok(ends);
    }
    let ends = without_torn(blocks, ends)?;
    if ends.clean {
        return Ok(ends);
    }
    with_sound_tail(blocks, ends)
}

/// The block of the head; none in a log that is all zeroes.
fn head_block(blocks: &mut Blocks<'_>) -> Result<Option<u32>, RecoverError> {
    let count = blocks.area().blocks;
    let first = blocks.cycle(0)?;
    let last = blocks.cycle(count - 1)?;
    if first == 0 {
        return Ok(None);
    }
    // The cycle that the blocks behind the head have, and the first block that has it.
    let (old, fall) = match last {
        last if last == first => (previous_cycle(last), count),
        last => (last, first_with(blocks, last)?),
    };
    let head = first_hole(blocks, fall, old)?;
    cut_short(blocks, head).map(|head| Some(head % count))
}

/// The first block with cycle `old`, which the last block has and the first has not. Where cycles
/// fall more than once, one of the places.
fn first_with(blocks: &mut Blocks<'_>, old: u32) -> Result<u32, RecoverError> {
    let (mut newer, mut older) = (0, blocks.area().blocks - 1);
    while newer + 1 < older {
        let middle = newer + (older - newer) / 2;
        match blocks.cycle(middle)? {
            cycle if cycle == old => older = middle,
            _ => newer = middle,
        }
    }
    Ok(older)
}

/// The first block within the window before block `fall` that should have been written and was
/// not, or `fall`.
fn first_hole(blocks: &mut Blocks<'_>, fall: u32, old: u32) -> Result<u32, RecoverError> {
    let count = blocks.area().blocks;
    let window = WINDOW.min(count);
    let has = |cycle: u32| move |block: &[u8]| cycle_of(block) == cycle;
    let Some(before_start) = window.checked_sub(fall).filter(|&blocks| blocks > 0) else {
        return Ok(blocks.find(fall - window, fall, has(old))?.unwrap_or(fall));
    };
    // The window reaches around the start, where the cycles are one less.
    if old != 0 {
        let hole = blocks.find(count - before_start, count, has(previous_cycle(old)))?;
        if let Some(hole) = hole {
            return Ok(hole);
        }
    }
    Ok(blocks.find(0, fall, has(old))?.unwrap_or(fall))
}

/// `head`, or the start of the last record before it where that does not end just there.
fn cut_short(blocks: &mut Blocks<'_>, head: u32) -> Result<u32, RecoverError> {
    let area = *blocks.area();
    let reach = LONGEST_RECORD.min(area.blocks);
    let found = blocks.header_before(head % area.blocks, reach)?;
    let (block, back) =
        found.ok_or_else(|| broken("no record ends at the head", &area, head % area.blocks))?;
    let header = blocks.header(block)?;
    Ok(if header.blocks() == back { head } else { block })
}

/// The ends of a log whose head is block `head`, as the last record before it says them.
fn ends_at(blocks: &mut Blocks<'_>, head: u32) -> Result<Ends, RecoverError> {
    let area = *blocks.area();
    let found = blocks.header_before(head, area.blocks)?;
    let (block, _) = found.ok_or_else(|| broken("no record before the head", &area, head))?;
    let last = blocks.header(block)?;
    let cycle = match block < head {
        true => last.cycle,
        false => next_cycle(last.cycle),
    };
    let head = Lsn::new(cycle, head);
    if is_unmount_at(blocks, block, &last, head.block())? {
        return Ok(Ends { head, tail: head, last: Some((block, last)), clean: true });
    }
    let tail = last.tail;
    if tail.block() >= area.blocks || tail == head || !area.is_behind(tail, head) {
        return Err(broken("the tail is not behind the head", &area, block).into());
    }
    Ok(Ends { head, tail, last: Some((block, last)), clean: false })
}

/// Whether the record at `block` says that the volume was unmounted, and ends at the head.
fn is_unmount_at(
    blocks: &mut Blocks<'_>,
    block: u32,
    header: &RecordHeader,
    head: u32,
) -> Result<bool, RecoverError> {
    let area: LogArea = *blocks.area();
    let end = (u64::from(block) + u64::from(header.blocks())) % u64::from(area.blocks);
    if end != u64::from(head) || header.operations != 1 {
        return Ok(false);
    }
    let body = area.advance(Lsn::new(1, block), header.header_blocks()).block();
    Ok(is_unmount(blocks.at(body, 1)?))
}

/// The ends without records torn by a crash: the head moves back before the first of the last
/// records that cannot be believed.
fn without_torn(blocks: &mut Blocks<'_>, ends: Ends) -> Result<Ends, RecoverError> {
    let area = *blocks.area();
    let from = in_flight_from(blocks, &ends)?;
    let Some(torn) = first_bad(blocks, from, ends.head)? else {
        return Ok(ends);
    };
    tracing::debug!(head = %ends.head, at = %torn, "the log ends in torn records");
    let shorter = ends_at(blocks, torn.block())?;
    match shorter.head == torn {
        true => Ok(shorter),
        false => Err(broken("no sound record before a torn one", &area, torn.block()).into()),
    }
}

/// Where the oldest record starts that may have been in flight at a crash: the eighth before the
/// head, or the tail.
fn in_flight_from(blocks: &mut Blocks<'_>, ends: &Ends) -> Result<Lsn, RecoverError> {
    let area = *blocks.area();
    let mut left = area.distance(ends.tail.block(), ends.head.block());
    let mut at = ends.head.block();
    for _ in 0..RECORDS_IN_FLIGHT {
        match blocks.header_before(at, left)? {
            Some((block, back)) => (at, left) = (block, left - back),
            None => break,
        }
    }
    Ok(Lsn::new(cycle_before(ends.head, at), at))
}

/// The cycle of block `at`, which lies less than a ring before `head`.
fn cycle_before(head: Lsn, at: u32) -> u32 {
    match at < head.block() {
        true => head.cycle(),
        false => previous_cycle(head.cycle()),
    }
}

/// Where the first record starts, from `from` to `to`, that cannot be believed.
fn first_bad(blocks: &mut Blocks<'_>, from: Lsn, to: Lsn) -> Result<Option<Lsn>, RecoverError> {
    let mut records = Records::new(blocks, from, to);
    loop {
        match records.checked() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(RecoverError::Corrupt(_)) => return Ok(Some(records.position())),
            Err(error) => return Err(error),
        }
    }
}

/// The ends with a tail from which every record to the head can be believed. A tail that was moved
/// just before a crash may have been run over by the records that were cut off.
fn with_sound_tail(blocks: &mut Blocks<'_>, mut ends: Ends) -> Result<Ends, RecoverError> {
    let area = *blocks.area();
    let size = ends.last.as_ref().map_or(0, |(_, header)| header.size);
    let reach = RECORDS_IN_FLIGHT * size / LOG_BLOCK as u32;
    while let Some(bad) = first_bad(blocks, ends.tail, ends.head)? {
        let behind = area.distance(ends.head.block(), bad.block());
        let next = area.advance(bad, 1);
        let left = area.distance(next.block(), ends.head.block());
        let found = match behind <= reach && next != ends.head {
            true => blocks.header_from(next.block(), left)?,
            false => None,
        };
        let Some(block) = found else {
            let rule = "a record between tail and head cannot be believed";
            return Err(broken(rule, &area, bad.block()).into());
        };
        ends.tail = Lsn::new(cycle_before(ends.head, block), block);
        tracing::debug!(tail = %ends.tail, "torn records ran over the tail");
    }
    Ok(ends)
}
