//! Byte ranges of one file in use by data I/O: overlapping writers take turns, readers share.
//!
//! A writer excludes everyone from its range until its change is published, so a reader sees all
//! of it or nothing. Grants are in order of arrival where ranges overlap, so nobody starves.

use parking_lot::{Condvar, Mutex};
use std::ops::Range;

/// Whether others may use a range at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// With others that share.
    Shared,
    /// With nobody.
    Exclusive,
}

/// What one holder uses: ranges in order that do not overlap.
#[derive(Debug)]
enum Used {
    One(Range<u64>),
    Several(Vec<Range<u64>>),
}

impl Used {
    fn ranges(&self) -> &[Range<u64>] {
        match self {
            Self::One(range) => std::slice::from_ref(range),
            Self::Several(ranges) => ranges,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = match (self.ranges(), other.ranges()) {
            (a, b) if a.len() <= b.len() => (a, b),
            (a, b) => (b, a),
        };
        few.iter().any(|range| {
            let next = many.partition_point(|other| other.end <= range.start);
            many.get(next).is_some_and(|other| other.start < range.end)
        })
    }
}

#[derive(Debug)]
struct Holder {
    ticket: u64,
    used: Used,
    sharing: Sharing,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Holders and waiters in order of arrival.
    queue: Vec<Holder>,
}

impl State {
    /// Whether nothing that came before `ticket` is in its way.
    fn granted(&self, ticket: u64) -> bool {
        let Some(mine) = self.queue.iter().find(|h| h.ticket == ticket) else { return true };
        self.queue.iter().take_while(|h| h.ticket < ticket).all(|other| {
            let shared = other.sharing == Sharing::Shared && mine.sharing == Sharing::Shared;
            shared || !other.used.overlaps(&mine.used)
        })
    }
}

/// The ranges of one file that are in use.
#[derive(Debug, Default)]
pub(crate) struct RangeLock {
    state: Mutex<State>,
    changed: Condvar,
}

impl RangeLock {
    /// Waits until `range` may be used.
    pub fn lock(&self, range: Range<u64>, sharing: Sharing) -> RangeGuard<'_> {
        self.wait_for(Used::One(range), sharing)
    }

    /// Waits until all of `ranges`, which are in order and do not overlap, may be used at once.
    pub fn lock_all(&self, ranges: Vec<Range<u64>>, sharing: Sharing) -> RangeGuard<'_> {
        let in_order = |pair: &[Range<u64>]| matches!(pair, [a, b] if a.end <= b.start);
        assert!(ranges.windows(2).all(in_order), "ranges are in order");
        self.wait_for(Used::Several(ranges), sharing)
    }

    fn wait_for(&self, used: Used, sharing: Sharing) -> RangeGuard<'_> {
        let mut state = self.state.lock();
        let ticket = state.next;
        state.next += 1;
        state.queue.push(Holder { ticket, used, sharing });
        while !state.granted(ticket) {
            self.changed.wait(&mut state);
        }
        RangeGuard { lock: self, ticket }
    }
}

/// A range in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct RangeGuard<'l> {
    lock: &'l RangeLock,
    ticket: u64,
}

impl Drop for RangeGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.lock.state.lock();
        state.queue.retain(|h| h.ticket != self.ticket);
        if !state.queue.is_empty() {
            self.lock.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn overlapping_writers_take_turns_and_others_do_not_wait() {
        let lock = RangeLock::default();
        let first = lock.lock(0..10, Sharing::Exclusive);
        let apart = lock.lock(10..20, Sharing::Exclusive);
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = lock.lock(5..12, Sharing::Exclusive);
                inside.store(1, Ordering::SeqCst);
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert_eq!(inside.load(Ordering::SeqCst), 0, "entered a range in use");
            drop(apart);
            drop(first);
        });
        assert_eq!(inside.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn several_ranges_are_used_at_once_and_leave_the_gaps_alone() {
        let used = |ranges: &[Range<u64>]| Used::Several(ranges.to_vec());
        let several = used(&[10..20, 30..40]);
        for apart in [used(&[]), Used::One(20..30), used(&[0..10, 20..30, 40..50])] {
            assert!(!several.overlaps(&apart) && !apart.overlaps(&several), "{apart:?}");
        }
        for over in [Used::One(0..11), Used::One(15..16), used(&[0..1, 25..31, 50..60])] {
            assert!(several.overlaps(&over) && over.overlaps(&several), "{over:?}");
        }
    }

    #[test]
    fn readers_share() {
        let lock = RangeLock::default();
        let _a = lock.lock(0..10, Sharing::Shared);
        let _b = lock.lock(0..10, Sharing::Shared);
    }
}
