//! Recovery of a log: head and tail, two passes, blocks written home, intents handed up.
//!
//! ```text
//!  ends     where the log begins and ends; torn records are cut off
//!  pass 1   which blocks were freed, which quotas switched off; unknown items are refused
//!  pass 2   transactions in the order of their COMMITs, changes kept in memory
//!  home     blocks sealed, verified, written, flushed
//! ```
//!
//! Works on any device: a volume that must not be touched is recovered on an overlay.
//!
//! Never here: finishing intents, unlinked inodes, counters. The filesystem above does that with
//! the code that performs the operations live.

mod apply;
mod cancelled;
mod ends;
mod error;
mod held;
mod inspect;
mod intents;
mod reader;
mod stale;
mod transaction;

pub use error::RecoverError;
pub use inspect::{InspectedItem, InspectedLog, LogEvent, Reach, inspect};
pub use intents::PendingIntent;

use crate::journal::{Journal, LogArea, Resume, Ring};
use apply::{FirstPass, Replay};
use ends::Ends;
use error::place;
use reader::{Blocks, Records};
use std::sync::Arc;
use transaction::{Assembler, Transaction};
use untorn_device::BlockDevice;
use untorn_format::Superblock;

/// A recovered log.
pub struct Replayed {
    /// The journal, ready to be written behind its head.
    pub journal: Journal,
    /// Unfinished operations, in log order. The journal's tail may not pass the first of them
    /// before it is finished.
    pub intents: Vec<PendingIntent>,
    /// Complete transactions that were replayed.
    pub transactions: u64,
    /// Items of theirs.
    pub items: u64,
    /// Blocks that were written home.
    pub blocks: u64,
    /// The log ended in an unmount record: nothing was replayed.
    pub was_clean: bool,
}

/// Finds the head of the log, replays what is not home, writes it home durably and clears what a
/// torn write left ahead of the head. A clean log costs no write. The superblock may be among the
/// blocks that were replayed: read it again.
pub fn recover(device: Arc<dyn BlockDevice>, sb: &Superblock) -> Result<Replayed, RecoverError> {
    let area = LogArea::of(sb).ok_or_else(RecoverError::external)?;
    recover_from(device.clone(), device, area, sb)
}

/// The same for a log in `area` of a device of its own.
pub fn recover_from(
    device: Arc<dyn BlockDevice>,
    log: Arc<dyn BlockDevice>,
    area: LogArea,
    sb: &Superblock,
) -> Result<Replayed, RecoverError> {
    let ring = Ring::new(log.clone(), area);
    let mut blocks = Blocks::new(&ring);
    let ends = ends::find(&mut blocks)?;
    let mut first = FirstPass::default();
    each_transaction(&mut blocks, &ends, |transaction| first.look(transaction, &area))?;
    let mut replay = Replay::new(device.clone(), sb, area, first);
    each_transaction(&mut blocks, &ends, |transaction| replay.transaction(transaction))?;
    let written = replay.write_home()?;
    stale::clear(&ring, &mut blocks, &ends)?;
    if !ends.clean {
        device.flush()?;
        log.flush()?;
    }
    let (transactions, items) = (replay.transactions, replay.items);
    let intents = replay.intents.into_pending();
    let resume = resume(&mut blocks, &ends, &intents)?;
    Ok(Replayed {
        journal: Journal::new(log, area, resume),
        intents,
        transactions,
        items,
        blocks: written,
        was_clean: ends.clean,
    })
}

/// Where the journal goes on.
fn resume(
    blocks: &mut Blocks<'_>,
    ends: &Ends,
    intents: &[PendingIntent],
) -> Result<Resume, RecoverError> {
    let first = Resume::at_start(blocks.area());
    let Some((block, last)) = ends.last else { return Ok(first) };
    let same_size = match intents.is_empty() {
        true => None,
        false => Some(blocks.header(ends.tail.block())?.size),
    };
    let tail = if ends.clean { ends.head } else { last.tail };
    Ok(Resume { head: ends.head, previous: block, tail, last_size: last.size, same_size })
}

/// Hands every complete transaction from tail to head to `each`, in the order of their COMMITs.
fn each_transaction(
    blocks: &mut Blocks<'_>,
    ends: &Ends,
    mut each: impl FnMut(&Transaction) -> Result<(), RecoverError>,
) -> Result<(), RecoverError> {
    let area = *blocks.area();
    let mut assembler = Assembler::default();
    let mut records = Records::new(blocks, ends.tail, ends.head);
    while let Some(record) = records.next()? {
        let block = record.header.lsn.block();
        let complete = assembler
            .feed(&record.header, record.body)
            .map_err(|fault| fault.at(place(&area, block)))?;
        complete.iter().try_for_each(&mut each)?;
    }
    Ok(())
}
