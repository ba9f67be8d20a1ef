//! A log in words, for people: records, transactions, items.
//!
//! Never here: changing anything, or deciding whether a log can be recovered.

use super::ends::{self, Ends};
use super::error::{RecoverError, place};
use super::reader::{Blocks, Records};
use super::transaction::{Assembler, Transaction};
use crate::journal::{LogArea, Ring};
use std::sync::Arc;
use untorn_device::BlockDevice;
use untorn_format::log::{Item, ItemKind, item_start};
use untorn_format::{Lsn, Superblock};

mod words;

/// How much of a log is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What recovery would replay: nothing where the log is clean.
    Active,
    /// Everything before the head that was not overwritten yet.
    Everything,
}

/// A log as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectedLog {
    /// Where it lies.
    pub area: LogArea,
    /// Where the next record goes.
    pub head: Lsn,
    /// The oldest record that recovery needs; the head where it needs none.
    pub tail: Lsn,
    /// Whether it ends in an unmount record.
    pub clean: bool,
}

/// An item of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedItem {
    /// Its type code.
    pub code: u16,
    /// The name of its type as Linux has it; the code in hexadecimal where it is not known.
    pub name: String,
    /// What it says.
    pub words: String,
}

/// Something in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// A record begins.
    Record {
        /// Where.
        lsn: Lsn,
        /// The tail that it names.
        tail: Lsn,
        /// Its length in 512-byte blocks, headers included.
        blocks: u32,
        /// Operations that begin in it.
        operations: u32,
        /// Size of the largest record of whoever wrote it, in bytes.
        size: u32,
    },
    /// The record before holds the end of this transaction.
    Transaction {
        /// LSN of the record in which it starts.
        lsn: Lsn,
        /// Its id.
        tid: u32,
        /// Its items, in order.
        items: Vec<InspectedItem>,
    },
    /// The end of this transaction is not in the log: it did not happen.
    Unfinished {
        /// LSN of the record in which it starts.
        lsn: Lsn,
        /// Its id.
        tid: u32,
        /// Its items as far as they go.
        items: Vec<InspectedItem>,
    },
    /// The log from here on cannot be believed.
    Damaged {
        /// Where.
        lsn: Lsn,
        /// Why.
        why: String,
    },
}

/// Shows the log of the volume of `sb` on `device`: hands every event from the oldest on to `show`.
pub fn inspect(
    device: Arc<dyn BlockDevice>,
    sb: &Superblock,
    reach: Reach,
    mut show: impl FnMut(LogEvent),
) -> Result<InspectedLog, RecoverError> {
    let area = LogArea::of(sb).ok_or_else(RecoverError::external)?;
    let ring = Ring::new(device, area);
    let mut blocks = Blocks::new(&ring);
    let ends = ends::find(&mut blocks)?;
    let from = match reach {
        Reach::Active => ends.tail,
        Reach::Everything => oldest(&mut blocks, &ends)?,
    };
    show_from(&mut blocks, from, &ends, &mut show)?;
    Ok(InspectedLog { area, head: ends.head, tail: ends.tail, clean: ends.clean })
}

/// The oldest record from which an unbroken row of records leads to the head.
fn oldest(blocks: &mut Blocks<'_>, ends: &Ends) -> Result<Lsn, RecoverError> {
    let area = *blocks.area();
    let Some((block, header)) = ends.last else { return Ok(ends.head) };
    let (mut at, mut first) = (block, header);
    let mut left = area.blocks - header.blocks();
    while first.previous < area.blocks {
        let Ok(before) = blocks.header(first.previous) else { break };
        let adjoins = area.advance(before.lsn, before.blocks()) == first.lsn;
        let there = before.lsn.block() == first.previous && first.previous != at;
        let fits = left.checked_sub(before.blocks());
        let (true, Some(rest)) = (adjoins && there, fits) else { break };
        (at, first, left) = (first.previous, before, rest);
    }
    Ok(first.lsn)
}

fn show_from(
    blocks: &mut Blocks<'_>,
    from: Lsn,
    ends: &Ends,
    show: &mut impl FnMut(LogEvent),
) -> Result<(), RecoverError> {
    let area = *blocks.area();
    let mut assembler = Assembler::default();
    let mut records = Records::new(blocks, from, ends.head);
    loop {
        let at = records.position();
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(RecoverError::Device(error)) => return Err(error.into()),
            Err(error) => {
                show(LogEvent::Damaged { lsn: at, why: error.to_string() });
                break;
            }
        };
        let header = record.header;
        show(LogEvent::Record {
            lsn: header.lsn,
            tail: header.tail,
            blocks: header.blocks(),
            operations: header.operations,
            size: header.size,
        });
        match assembler.feed(&header, record.body) {
            Ok(complete) => complete.iter().for_each(|done| show(transaction(done))),
            Err(fault) => {
                let why = fault.at(place(&area, at.block())).to_string();
                show(LogEvent::Damaged { lsn: at, why });
            }
        }
    }
    let mut unfinished: Vec<_> = assembler.unfinished().collect();
    unfinished.sort_by_key(|transaction| transaction.lsn);
    for torn in &unfinished {
        show(LogEvent::Unfinished { lsn: torn.lsn, tid: torn.tid, items: items(torn) });
    }
    Ok(())
}

fn transaction(done: &Transaction) -> LogEvent {
    LogEvent::Transaction { lsn: done.lsn, tid: done.tid, items: items(done) }
}

fn items(transaction: &Transaction) -> Vec<InspectedItem> {
    transaction.items().map(|regions| item(&regions)).collect()
}

fn item(regions: &[&[u8]]) -> InspectedItem {
    let first = regions.first().copied().unwrap_or_default();
    let code = item_start(first).map_or(0, |(code, _)| code);
    let name = ItemKind::from_code(code).map_or_else(|| format!("{code:#x}"), |k| k.name().into());
    let words = match Item::decode(regions) {
        Ok(item) => words::of(&item),
        Err(error) => format!("unreadable: {error}"),
    };
    InspectedItem { code, name, words }
}
