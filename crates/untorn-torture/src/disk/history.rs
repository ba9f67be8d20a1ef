//! What a disk was asked to do, and what it may hold if the power went in the middle.
//!
//! ```text
//!   events:     W0  W1  F2  W3  W4 | W5        cut at 5: 0 to 4 have returned, W5 is on its way
//!   Prefix      W0  W1      W3  W4
//!   FlushedOnly W0  W1
//!   Torn        W0  W1      W3  W4   the first sectors of W5
//!   TornMiddle  W0  W1      W3  W4   any sectors of W5
//!   Dropped     W0  W1      any sectors of W3 and W4
//! ```
//!
//! Invariants: content at a place in the log is a snapshot taken there, or one taken before with
//! the events between done to it; the two are equal. Snapshots are taken at every flush and every
//! [`STRIDE`] events, so that an image costs what lies between, not the disk's size.
//!
//! Never here: locks. A history is a value; [`super::SimDisk`] owns the growing one.

use std::sync::Arc;

use untorn_device::{BlockDevice, MemoryDevice};

use super::{Dice, Event};

/// Events between snapshots, at most.
const STRIDE: usize = 64;

/// What a power cut leaves of the events before it and of the one on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// All writes that returned, in order.
    Prefix,
    /// Only what was flushed.
    FlushedOnly,
    /// All that returned, and the first sectors of the write on its way.
    Torn {
        /// How many sectors.
        sectors: u64,
    },
    /// All that returned, and some sectors of the write on its way, chosen by the seed.
    TornMiddle,
    /// What was flushed, and some sectors of what was not, chosen by the seed.
    Dropped,
}

/// The content that a disk began from and everything that it was asked to do since.
#[derive(Clone)]
pub struct History {
    events: Vec<Event>,
    snapshots: Vec<Snapshot>,
    /// For every flush the number of events up to and with it.
    flushes: Vec<usize>,
}

#[derive(Clone)]
struct Snapshot {
    /// Events done to it.
    events: usize,
    content: Arc<MemoryDevice>,
}

impl History {
    /// A history that begins now, with this content.
    pub(super) fn new(content: &MemoryDevice) -> Self {
        let first = Snapshot { events: 0, content: Arc::new(content.snapshot()) };
        Self { events: Vec::new(), snapshots: vec![first], flushes: Vec::new() }
    }

    /// Adds an event that led to this content.
    pub(super) fn push(&mut self, event: Event, content: &MemoryDevice) {
        let flush = event == Event::Flush;
        self.events.push(event);
        let events = self.events.len();
        if flush {
            self.flushes.push(events);
        }
        let last = self.snapshots.last().map_or(0, |snapshot| snapshot.events);
        if flush || events - last >= STRIDE {
            self.snapshots.push(Snapshot { events, content: Arc::new(content.snapshot()) });
        }
    }

    /// What never tears, in bytes.
    pub fn sector_size(&self) -> u32 {
        self.snapshots[0].content.geometry().sector_size
    }

    /// Everything that was asked, in order; an event's place is its sequence number.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events are durable at a cut at `at`: those up to the last flush before it.
    pub fn flushed_at(&self, at: usize) -> usize {
        let before = self.flushes.partition_point(|&flush| flush <= at);
        before.checked_sub(1).map_or(0, |last| self.flushes[last])
    }

    /// The last mark before a cut at `at`.
    pub fn mark_at(&self, at: usize) -> Option<u64> {
        let marks = self.events[..at].iter().rev();
        marks
            .filter_map(|event| if let Event::Mark(mark) = event { Some(*mark) } else { None })
            .next()
    }

    /// The content after the first `at` events, all of them durable.
    pub fn content_at(&self, at: usize) -> MemoryDevice {
        let after = self.snapshots.partition_point(|snapshot| snapshot.events <= at);
        let snapshot = &self.snapshots[after - 1];
        let content = snapshot.content.snapshot();
        self.events[snapshot.events..at].iter().for_each(|event| event.apply(&content));
        content
    }

    /// What the disk holds if the power goes after the first `at` events. The same seed gives the
    /// same image.
    pub fn image(&self, at: usize, policy: Policy, seed: u64) -> MemoryDevice {
        let start = match policy {
            Policy::FlushedOnly | Policy::Dropped => self.flushed_at(at),
            Policy::Prefix | Policy::Torn { .. } | Policy::TornMiddle => at,
        };
        let medium = self.content_at(start);
        let mut dice = Dice::at(seed, at as u64);
        self.leave(&medium, at, policy, &mut dice);
        medium
    }

    /// Does to a medium what the policy leaves of the events that are not sure to be there. The
    /// medium holds the content that the policy starts from.
    pub(super) fn leave(&self, medium: &MemoryDevice, at: usize, policy: Policy, dice: &mut Dice) {
        match (policy, self.events.get(at)) {
            (Policy::Torn { sectors }, Some(next)) => {
                next.apply_sectors(medium, |sector| sector < sectors);
            }
            (Policy::TornMiddle, Some(next)) => {
                next.apply_sectors(medium, |_| dice.chance(1, 2));
            }
            (Policy::Dropped, _) => drop_some(medium, self.unflushed_at(at), dice),
            _ => {}
        }
    }

    /// The events that are not sure to be durable at a cut at `at`.
    pub(super) fn unflushed_at(&self, at: usize) -> &[Event] {
        &self.events[self.flushed_at(at)..at]
    }
}

/// Does some of the events to the medium. Which, is one of five manners: drives lose single
/// writes, nearly everything, or single sectors, and each breaks other things.
fn drop_some(medium: &MemoryDevice, events: &[Event], dice: &mut Dice) {
    let changes: Vec<_> = events.iter().filter(|event| event.length() > 0).collect();
    if changes.is_empty() {
        return;
    }
    let manner = dice.below(5);
    let chosen = dice.below(changes.len() as u64);
    let sixteenths = [1, 8, 15][dice.below(3) as usize];
    for (number, event) in (0..).zip(changes) {
        let whole = match manner {
            0 => number == chosen,
            1 => number != chosen,
            2 => dice.chance(sixteenths, 16),
            _ => {
                event.apply_sectors(medium, |_| dice.chance(sixteenths, 16));
                continue;
            }
        };
        if whole {
            event.apply(medium);
        }
    }
}
