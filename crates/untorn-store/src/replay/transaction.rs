//! Putting transactions together from the operations of records.
//!
//! Operations of several transactions may alternate; a transaction may spread over records. It
//! happened if its COMMIT is there. Its LSN is that of the record in which it starts.
//!
//! Never here: what items mean.

use std::collections::HashMap;
use std::ops::Range;
use untorn_format::log::{
    Operation, OperationKind, RecordHeader, TRANSACTION_HEADER, TransactionHeader, item_start,
};
use untorn_format::{Fault, Lsn};

/// Most regions of an item: a 64 KiB buffer with every other chunk changed, and its format.
const MOST_REGIONS: u16 = 257;
const NAME: &str = "log transaction";

/// A transaction, complete or on the way there.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// LSN of the record in which it starts.
    pub(crate) lsn: Lsn,
    /// Its id.
    pub(crate) tid: u32,
    header: Vec<u8>,
    /// The bytes of all regions.
    bytes: Vec<u8>,
    regions: Vec<Range<usize>>,
    /// For each item the index of its first region and how many it has.
    items: Vec<(usize, usize)>,
}

impl Transaction {
    fn new(lsn: Lsn, tid: u32) -> Self {
        Self { lsn, tid, header: vec![], bytes: vec![], regions: vec![], items: vec![] }
    }
    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
    /// The items, each as its regions, in the order of the log.
    pub(crate) fn items(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        self.items.iter().map(|&(first, count)| {
            let regions = self.regions.iter().skip(first).take(count);
            regions.map(|range| &self.bytes[range.clone()]).collect()
        })
    }
    fn add(&mut self, data: &[u8]) -> Result<(), Fault> {
        if data.is_empty() {
            return Ok(());
        }
        if self.header.len() < TRANSACTION_HEADER {
            return self.add_to_header(data);
        }
        let complete = match self.items.last() {
            Some(&(first, count)) => self.regions.len() == first + count,
            None => true,
        };
        if complete {
            let (_, count) = item_start(data)?;
            if count == 0 || count > MOST_REGIONS {
                let value = count.into();
                return Err(Fault::Field { what: NAME, field: "number of regions", value });
            }
            self.items.push((self.regions.len(), count.into()));
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.regions.push(start..self.bytes.len());
        Ok(())
    }
    fn add_to_header(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.header.extend_from_slice(data);
        match self.header.len() {
            ..TRANSACTION_HEADER => Ok(()),
            TRANSACTION_HEADER => TransactionHeader::decode(&self.header).map(drop),
            longer => Err(Fault::Field { what: NAME, field: "header", value: longer as u64 }),
        }
    }
    /// More of the last region.
    fn go_on(&mut self, data: &[u8]) -> Result<(), Fault> {
        let Some(last) = self.regions.last_mut() else {
            return self.add_to_header(data);
        };
        self.bytes.extend_from_slice(data);
        last.end = self.bytes.len();
        Ok(())
    }
    fn check_complete(&self) -> Result<(), Fault> {
        let need = self.items.last().map_or(0, |(first, count)| first + count);
        match self.regions.len() {
            have if have < need => Err(Fault::Short { what: NAME, have, need }),
            _ => Ok(()),
        }
    }
}

/// Transactions on the way.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    open: HashMap<u32, Transaction>,
}

impl Assembler {
    /// Takes in the operations of a record and returns the transactions that they complete, in
    /// order.
    pub(crate) fn feed(
        &mut self,
        header: &RecordHeader,
        body: &[u8],
    ) -> Result<Vec<Transaction>, Fault> {
        let mut complete = Vec::new();
        let mut rest = body;
        for _ in 0..header.operations {
            if rest.is_empty() {
                break;
            }
            let (operation, data, after) = Operation::decode(rest)?;
            rest = after;
            complete.extend(self.apply(header.lsn, operation, data)?);
        }
        Ok(complete)
    }
    fn apply(
        &mut self,
        record: Lsn,
        operation: Operation,
        data: &[u8],
    ) -> Result<Option<Transaction>, Fault> {
        let tid = operation.tid;
        match operation.kind {
            // A transaction with this id that is still open was torn, and its log recovered: it
            // can no longer be completed.
            OperationKind::Start => drop(self.open.insert(tid, Transaction::new(record, tid))),
            OperationKind::Unmount => drop(self.open.remove(&tid)),
            OperationKind::Commit => {
                let done = self.open.remove(&tid);
                return done.map(|done| done.check_complete().map(|()| done)).transpose();
            }
            // Operations of a transaction that began before the tail concern nothing.
            OperationKind::Region => self.open.get_mut(&tid).map_or(Ok(()), |t| t.add(data))?,
            OperationKind::Continued => {
                self.open.get_mut(&tid).map_or(Ok(()), |t| t.go_on(data))?;
            }
        }
        Ok(None)
    }
    /// Transactions whose end is not in the log.
    pub(crate) fn unfinished(self) -> impl Iterator<Item = Transaction> {
        self.open.into_values()
    }
}
