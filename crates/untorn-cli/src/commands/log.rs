//! `untorn log`: the journal in words, event by event.
//!
//! The log is read twice: once to know its ends, which are told first, and once to show what is
//! between them. Nothing is gathered in memory.

use crate::arguments::Log;
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use untorn::journal::{InspectedItem, InspectedLog, LogEvent, Reach, inspect};
use untorn_device::Access;

#[derive(Default)]
struct Counts {
    records: u64,
    transactions: u64,
    items: u64,
}

impl Counts {
    fn add(&mut self, event: &LogEvent) {
        match event {
            LogEvent::Record { .. } => self.records += 1,
            LogEvent::Transaction { items, .. } => {
                self.transactions += 1;
                self.items += items.len() as u64;
            }
            LogEvent::Unfinished { .. } | LogEvent::Damaged { .. } => {}
        }
    }
}

/// Shows the ends, what there is, and each event.
pub fn run(arguments: &Log, out: &mut dyn Write) -> Outcome {
    let device = target::device(&arguments.image, Access::ReadOnly)?;
    let superblock = untorn::probe(&*device).with_context(|| arguments.image.name())?;
    let reach = if arguments.all { Reach::Everything } else { Reach::Active };
    let mut counts = Counts::default();
    let log = inspect(Arc::clone(&device), &superblock, reach, |event| counts.add(&event))?;
    let mut sink = Sink { out, json: show::is_json(), events: 0, failed: None };
    sink.begin(&log, &counts)?;
    inspect(device, &superblock, reach, |event| sink.put(&event))?;
    sink.end(arguments, &log)?;
    Ok(End::Well)
}

/// Where events go. The first failure to write is kept: the inspection cannot be stopped.
struct Sink<'a> {
    out: &'a mut dyn Write,
    json: bool,
    events: u64,
    failed: Option<std::io::Error>,
}

impl Sink<'_> {
    fn begin(&mut self, log: &InspectedLog, counts: &Counts) -> std::io::Result<()> {
        let InspectedLog { area, head, tail, clean } = log;
        let Counts { records, transactions, items } = counts;
        if self.json {
            return write!(
                self.out,
                "{{\"start\":{},\"blocks\":{},\"head\":\"{head}\",\"tail\":\"{tail}\",\
                 \"clean\":{clean},\"records\":{records},\"transactions\":{transactions},\
                 \"items\":{items},\"events\":[",
                area.start, area.blocks
            );
        }
        let state = if *clean { "clean" } else { "dirty" };
        writeln!(
            self.out,
            "journal: {} blocks of 512 bytes at byte {}, {state}",
            area.blocks, area.start
        )?;
        writeln!(self.out, "head {head}, tail {tail} (cycle:block)")?;
        writeln!(self.out, "{records} records, {transactions} transactions, {items} items shown")
    }

    fn put(&mut self, event: &LogEvent) {
        if self.failed.is_some() {
            return;
        }
        let put = if self.json { self.put_json(event) } else { self.put_words(event) };
        self.events += 1;
        self.failed = put.err();
    }

    fn put_words(&mut self, event: &LogEvent) -> std::io::Result<()> {
        match event {
            LogEvent::Record { lsn, tail, blocks, operations, .. } => writeln!(
                self.out,
                "record {lsn}: {blocks} blocks, {operations} operations, tail {tail}"
            ),
            LogEvent::Transaction { lsn, tid, items } => {
                writeln!(self.out, "  transaction {tid:#010x} from {lsn}, {} items", items.len())?;
                self.put_items(items)
            }
            LogEvent::Unfinished { lsn, tid, items } => {
                writeln!(
                    self.out,
                    "  unfinished transaction {tid:#010x} from {lsn}: not replayed"
                )?;
                self.put_items(items)
            }
            LogEvent::Damaged { lsn, why } => writeln!(self.out, "damaged at {lsn}: {why}"),
        }
    }

    fn put_items(&mut self, items: &[InspectedItem]) -> std::io::Result<()> {
        let mut items = items.iter();
        items.try_for_each(|item| writeln!(self.out, "    {:<8} {}", item.name, item.words))
    }

    fn put_json(&mut self, event: &LogEvent) -> std::io::Result<()> {
        self.out.write_all(if self.events == 0 { b"\n" } else { b",\n" })?;
        Ok(serde_json::to_writer(&mut *self.out, &value(event))?)
    }

    fn end(self, arguments: &Log, log: &InspectedLog) -> std::io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match (self.json, log.clean && !arguments.all) {
            (true, _) => self.out.write_all(b"\n]}\n"),
            (false, true) => writeln!(self.out, "nothing to replay; --all shows what was written"),
            (false, false) => Ok(()),
        }
    }
}

fn value(event: &LogEvent) -> serde_json::Value {
    match event {
        LogEvent::Record { lsn, tail, blocks, operations, size } => json!({
            "event": "record", "lsn": lsn.to_string(), "tail": tail.to_string(),
            "blocks": blocks, "operations": operations, "largest": size,
        }),
        LogEvent::Transaction { lsn, tid, items } => json!({
            "event": "transaction", "lsn": lsn.to_string(), "tid": tid, "items": values(items),
        }),
        LogEvent::Unfinished { lsn, tid, items } => json!({
            "event": "unfinished", "lsn": lsn.to_string(), "tid": tid, "items": values(items),
        }),
        LogEvent::Damaged { lsn, why } => json!({
            "event": "damaged", "lsn": lsn.to_string(), "why": why,
        }),
    }
}

fn values(items: &[InspectedItem]) -> Vec<serde_json::Value> {
    let value = |item: &InspectedItem| json!({"name": item.name, "words": item.words});
    items.iter().map(value).collect()
}
