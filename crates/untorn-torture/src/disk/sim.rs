//! The device that records what it is asked.
//!
//! Invariants: the log's order is an order in which the requests could have come one after
//! another: a request that returned before another began stands before it. The content that reads
//! see is what all events lead to.
//!
//! Locks: one mutex around log, counters and faults, held while a request is done. Reads take it
//! for their count and their faults only.
//!
//! Memory: the log keeps every byte ever written; [`SimDisk::settle`] lets go of it.

use std::{io, ops::Range, sync::Arc};

use parking_lot::Mutex;
use untorn_device::{
    BlockDevice, DeviceError, DeviceGeometry, Discarded, MemoryDevice, Operation, Result,
};

use super::{
    CutPlan, Event, FaultPlan, History, Policy,
    fault::{Verdict, medium_error, space_error},
};

/// A disk with a volatile cache whose every request is kept.
pub struct SimDisk {
    content: MemoryDevice,
    state: Mutex<State>,
}

struct State {
    history: History,
    faults: FaultPlan,
    /// Requests since the faults were set, by kind.
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    reads: u64,
    writes: u64,
    flushes: u64,
    discards: u64,
}

impl Counts {
    /// The number of the request that is being made.
    fn next(&mut self, operation: Operation) -> u64 {
        let count = match operation {
            Operation::Write => &mut self.writes,
            Operation::Flush => &mut self.flushes,
            Operation::Discard => &mut self.discards,
            Operation::Read | Operation::Open => &mut self.reads,
        };
        *count += 1;
        *count - 1
    }
}

impl SimDisk {
    /// A disk that holds `content`, all of it durable, with its geometry. A sector is what never
    /// tears.
    pub fn new(content: MemoryDevice) -> Arc<Self> {
        let state = State {
            history: History::new(&content),
            faults: FaultPlan::none(),
            counts: Counts::default(),
        };
        Arc::new(Self { content, state: Mutex::new(state) })
    }

    /// What was asked since the beginning or since [`SimDisk::settle`], for power cuts.
    pub fn history(&self) -> History {
        self.state.lock().history.clone()
    }

    /// What was asked, in order.
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().history.events().to_vec()
    }

    /// How many events there are; with a cut's place it says what came before it.
    pub fn event_count(&self) -> usize {
        self.state.lock().history.events().len()
    }

    /// What the disk holds if the power goes after the first `at` events. See [`History::image`].
    pub fn durable_after(&self, at: usize, policy: Policy, seed: u64) -> MemoryDevice {
        self.state.lock().history.image(at, policy, seed)
    }

    /// The places where the power can go: after this many events.
    pub fn cut_points(&self) -> std::ops::RangeInclusive<usize> {
        0..=self.event_count()
    }

    /// All power cuts of what was asked so far.
    pub fn cuts(&self) -> CutPlan {
        CutPlan::new(self.history())
    }

    /// What reads see now.
    pub fn content(&self) -> MemoryDevice {
        self.content.snapshot()
    }

    /// Writes and discards that no flush has made durable yet.
    pub fn unflushed(&self) -> usize {
        let state = self.state.lock();
        let events = state.history.unflushed_at(state.history.events().len());
        events.iter().filter(|event| event.length() > 0).count()
    }

    /// Puts a mark in the log: cuts after it carry it.
    pub fn mark(&self, mark: u64) {
        self.state.lock().history.push(Event::Mark(mark), &self.content);
    }

    /// Makes the content durable and forgets how it came to be. For what a test needs first and
    /// does not test.
    pub fn settle(&self) {
        let mut state = self.state.lock();
        state.history = History::new(&self.content);
    }

    /// Makes requests fail from now on as the plan says, and no other.
    pub fn set_faults(&self, faults: FaultPlan) {
        let mut state = self.state.lock();
        state.faults = faults;
        state.counts = Counts::default();
    }

    /// Counts a request inside the disk and asks the faults about it. The answer for a torn write
    /// is how many of its sectors are written before it fails.
    fn admit(
        &self,
        state: &mut State,
        operation: Operation,
        bytes: &Range<u64>,
    ) -> Result<Option<u64>> {
        let number = state.counts.next(operation);
        let events = state.history.events().len();
        let dead = state.faults.power.is_some_and(|power| events >= power);
        match state.faults.verdict(operation, number, bytes) {
            _ if dead => Err(failed(operation, bytes, medium_error())),
            Verdict::Fail => Err(failed(operation, bytes, medium_error())),
            Verdict::Torn(sectors) => Ok(Some(sectors)),
            Verdict::Pass if operation == Operation::Write && self.lacks_space(state, bytes) => {
                Err(failed(operation, bytes, space_error()))
            }
            Verdict::Pass => Ok(None),
        }
    }

    /// Whether a write to the range would take more memory than there is.
    fn lacks_space(&self, state: &State, bytes: &Range<u64>) -> bool {
        let Some(space) = state.faults.space else { return false };
        let more = self.content.missing_bytes(bytes.start, bytes.end - bytes.start);
        more > 0 && self.content.allocated_bytes() + more > space
    }

    fn record(&self, state: &mut State, event: Event) {
        event.apply(&self.content);
        state.history.push(event, &self.content);
    }
}

fn failed(operation: Operation, bytes: &Range<u64>, source: io::Error) -> DeviceError {
    let (offset, length) = (bytes.start, bytes.end - bytes.start);
    DeviceError::Io { operation, offset, length, source: Arc::new(source) }
}

impl BlockDevice for SimDisk {
    fn geometry(&self) -> DeviceGeometry {
        self.content.geometry()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let length = bytes.len() as u64;
        self.geometry().check(Operation::Read, offset, length)?;
        let range = offset..offset + length;
        self.admit(&mut self.state.lock(), Operation::Read, &range)?;
        self.content.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let length = bytes.len() as u64;
        self.geometry().check(Operation::Write, offset, length)?;
        let range = offset..offset + length;
        let mut state = self.state.lock();
        let torn = self.admit(&mut state, Operation::Write, &range)?;
        let sector_size = u64::from(self.geometry().sector_size);
        let done = torn.map_or(length, |sectors| length.min(sectors * sector_size));
        let bytes = bytes[..done as usize].into();
        self.record(&mut state, Event::Write { offset, bytes });
        match torn {
            Some(_) => Err(failed(Operation::Write, &range, medium_error())),
            None => Ok(()),
        }
    }

    fn flush(&self) -> Result<()> {
        let mut state = self.state.lock();
        self.admit(&mut state, Operation::Flush, &(0..self.geometry().size))?;
        self.record(&mut state, Event::Flush);
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.geometry().check(Operation::Discard, offset, length)?;
        let mut state = self.state.lock();
        self.admit(&mut state, Operation::Discard, &(offset..offset + length))?;
        self.record(&mut state, Event::Discard { offset, length });
        Ok(Discarded::Done)
    }
}
